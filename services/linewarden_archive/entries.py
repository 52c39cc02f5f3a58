"""What a manifest says, one entry a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from linewarden_archive.places import SegmentPlace
from linewarden_schemas.base import Actor, Digest, EpochMs, Id, Text

Count = Annotated[int, Field(ge=0)]


class _ManifestEntry(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ArchivedTopic(_ManifestEntry):
    """A topic as it was when its archive was begun; its identity is lost with it, its name is not."""

    topic_id: str
    partitions: Annotated[int, Field(ge=1)]


class Opened(_ManifestEntry):
    """The first line: whose topics these are. A later one tells of topics that are archived from then on."""

    kind: Literal["opened"] = "opened"
    namespace: str
    topics: dict[str, ArchivedTopic]
    at_ms: EpochMs


class Deletion(_ManifestEntry):
    """Why a segment holds fewer records than before: how many were deleted, by whose rule and on whose word."""

    records: Annotated[int, Field(ge=1)]
    actor: Actor
    reason: Text


class ArchiveSegment(_ManifestEntry):
    """A closed segment: the committed records of a partition from `first_offset` up to `next_offset`.

    `sha256` and `size` are the file's, `contents_sha256` is that of the list beside it; times are those of its records.
    A line of the next generation takes the place of the one before; without records there is no file any more.
    """

    kind: Literal["segment"] = "segment"
    topic: str
    partition: Count
    first_offset: Count
    next_offset: Count
    generation: Count = 0
    records: Count
    first_ms: int
    last_ms: int
    size: Count
    sha256: Digest
    contents_sha256: Digest
    deletion: Deletion | None = None
    at_ms: EpochMs

    @property
    def place(self) -> SegmentPlace:
        """Where its files lie, by topic, partition, first offset and generation."""
        return SegmentPlace(self.topic, self.partition, self.first_offset, self.generation)


class RetentionGap(_ManifestEntry):
    """Records that retention took before they were archived, and who went on in spite of it."""

    kind: Literal["gap"] = "gap"
    topic: str
    partition: Count
    first_offset: Count
    next_offset: Count
    actor: Actor
    at_ms: EpochMs


class LegalHold(_ManifestEntry):
    """A lot on legal hold: nothing of it is deleted until it is released."""

    kind: Literal["held"] = "held"
    lot_id: Id
    actor: Actor
    reason: Text
    at_ms: EpochMs


class Released(_ManifestEntry):
    """The end of a hold."""

    kind: Literal["released"] = "released"
    lot_id: Id
    actor: Actor
    reason: Text
    at_ms: EpochMs


Entry = Annotated[Opened | ArchiveSegment | RetentionGap | LegalHold | Released, Field(discriminator="kind")]
ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
Looked = Callable[[ArchiveSegment], None]
"""Called with each segment that is done with, for a bar."""
