"""A broker whose recorded namespace is read from an archive. Whoever reads by assign() need not know.

Topics of the archived namespace come from the archive alone, also where they are live still. Everything else, as the
namespace of a replay, lies on the broker behind, and is written through the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import NoReturn, Self

from linewarden_runtime.errors import ConfigurationError, LiveTopicRefused
from linewarden_runtime.ports import (
    Admin,
    Broker,
    Consumer,
    Producer,
    Reader,
    Start,
    TopicDescription,
    TopicSpec,
    TransactionalProducer,
)
from linewarden_runtime.records import Position

from .archive import Archive
from .reader import ArchiveReader


class ArchiveBroker:
    """As `linewarden_runtime.ports.Broker` promises, for readers and for writers elsewhere; it joins no group."""

    def __init__(self, archive: Archive, behind: Broker) -> None:
        self._archive, self._behind = archive, behind

    @property
    def append_time(self) -> bool:
        """Whether the broker behind stamps records."""
        return self._behind.append_time

    def reader(self, offsets: Mapping[Position, int], *, max_records: int = 256) -> Reader:
        """Read partitions of the archive, or of what lies behind; raises ConfigurationError for both at once."""
        archived = {is_archived(self._archive, place.topic) for place in offsets}
        if archived == {True, False}:
            raise ConfigurationError("one reader reads the archive or the broker behind it, not both")
        if True in archived:
            return ArchiveReader(self._archive, offsets, max_records)
        return self._behind.reader(offsets, max_records=max_records)

    def producer(self, *, client: str = "producer") -> Producer:
        """Write to the broker behind; `IsolatedProducer` keeps it to the own namespace."""
        return self._behind.producer(client=client)

    def admin(self) -> Admin:
        """Topics of the archive as they were, and those behind."""
        return _ArchiveAdmin(self._archive, self._behind.admin)

    def consumer(
        self,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None = None,
        start: Start = Start.EARLIEST,
        max_records: int = 64,
    ) -> Consumer:
        """Refuse: an archive has no groups."""
        del topics, instance, start, max_records
        _refuse(group)

    def transactional_producer(self, transactional_id: str, writes: Collection[Position] = ()) -> TransactionalProducer:
        """Refuse: what reads an archive takes nobody's identity."""
        del writes
        _refuse(transactional_id)


class _ArchiveAdmin:
    """Topics of the archive as they were; everything else is asked behind, where a client is only made then."""

    def __init__(self, archive: Archive, behind: Callable[[], Admin]) -> None:
        self._archive, self._make_behind = archive, behind
        self._made: Admin | None = None

    @property
    def _behind(self) -> Admin:
        if self._made is None:
            self._made = self._make_behind()
        return self._made

    def create_topics(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Make topics behind; raises LiveTopicRefused for one of the archived namespace."""
        specs = list(topics)
        for spec in specs:
            self._require_behind(spec.name)
        return self._behind.create_topics(specs)

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics behind; raises LiveTopicRefused for one of the archived namespace."""
        chosen = list(names)
        for name in chosen:
            self._require_behind(name)
        self._behind.delete_topics(chosen)

    def topics(self) -> frozenset[str]:
        """Names of archived topics."""
        return frozenset(map(self._archive.namespace.topic, self._archive.topics))

    def describe(self, name: str) -> TopicDescription:
        """A topic as it was when the archive was begun, or as it is behind."""
        if not is_archived(self._archive, name):
            return self._behind.describe(name)
        source = self._archive.source(name)
        return TopicDescription(name, source.topic_id, source.partitions, {})

    def configure(self, name: str, configs: Mapping[str, str]) -> None:
        """Set a topic behind; raises LiveTopicRefused for one of the archived namespace."""
        self._require_behind(name)
        self._behind.configure(name, configs)

    def topic_id(self, name: str) -> str:
        """The identity that a topic has or had."""
        return self.describe(name).topic_id

    def committed(self, group: str) -> dict[Position, int]:
        """Offsets of a group behind."""
        return self._behind.committed(group)

    def provision(self, group: str, topics: Iterable[str]) -> dict[Position, int]:
        """Refuse: an archive has no groups."""
        del topics
        _refuse(group)

    def close(self) -> None:
        """Close what was made behind."""
        if self._made is not None:
            self._made.close()

    def _require_behind(self, name: str) -> None:
        if is_archived(self._archive, name):
            raise LiveTopicRefused(f"{name!r} is of an archived namespace, which is only read")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_archived(archive: Archive, topic: str) -> bool:
    """Whether a physical topic belongs to the namespace of the archive."""
    return topic.startswith(f"{archive.namespace.name}.")


def _refuse(name: str) -> NoReturn:
    raise LiveTopicRefused(f"{name!r}: an archive is read by assign() alone, without groups and transactions")
