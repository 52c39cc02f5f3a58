"""What is wrong with an archive, in words that name the file and the place in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from linewarden_runtime.errors import Fatal


class ArchiveDamaged(Fatal):
    """A file of an archive is missing, cut or changed, or its manifest does not hold together."""

    exit_code = 65


class Wrong(StrEnum):
    """What is wrong with a line or a file."""

    LINE = "a line of the manifest does not fit"
    HEAD = "the manifest does not end where it should"
    NOT_OPENED = "the manifest does not begin with what it is of"
    ORDER = "segments do not follow on each other"
    MISSING = "a file is missing"
    CUT = "a file is cut"
    LONGER = "a file is longer than it was"
    CHANGED = "a file was changed"
    ADDED = "a file is not in the manifest"
    LINK = "a symbolic link or another thing that is no plain file"


@dataclass(frozen=True, slots=True)
class ArchiveFinding:
    """One thing that is wrong, of which file, and where in it.

    `bytes`: ranges from and to, end excluded. `topic`, `partition`, `offset`: the first record that is concerned, and
    `records` says in words what became of it; without them nothing of a record is known to be lost.
    """

    wrong: Wrong
    file: str
    detail: str = ""
    bytes: tuple[tuple[int, int], ...] = ()
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    records: str = ""

    def __str__(self) -> str:
        places = ", ".join(f"bytes {begin} to {end - 1}" for begin, end in self.bytes)
        where = "" if self.offset is None else f"{self.topic}[{self.partition}]@{self.offset}"
        told = "; ".join(part for part in (where, self.records, self.detail, places) if part)
        return f"{self.file}: {self.wrong.value}{f' ({told})' if told else ''}"


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What was verified. `deleted`: records deleted lawfully; `gaps`: stretches that were lost with notice.

    `unfinished`: files that a writer that runs now has not entered yet.
    """

    root: str
    head: str | None
    segments: int
    records: int
    bytes: int
    deleted: int
    gaps: int
    unfinished: int
    findings: tuple[ArchiveFinding, ...]

    @property
    def holds(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings

    @property
    def is_read(self) -> bool:
        """Whether the manifest holds together, so that its segments can be read at all."""
        return not {finding.wrong for finding in self.findings} & {Wrong.LINE, Wrong.NOT_OPENED}

    def lines(self) -> list[str]:
        """The report for people: whether it holds, what there is, and every finding, a line each."""
        unfinished = f", {self.unfinished} files unfinished" if self.unfinished else ""
        return [
            "the archive holds" if self.holds else "THE ARCHIVE IS DAMAGED",
            f"{self.segments} segments, {self.records} records, {self.bytes} bytes, head {self.head}",
            f"{self.deleted} records deleted lawfully, {self.gaps} gaps told{unfinished}",
            *map(str, self.findings),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The report for programs, with whether it holds."""
        return {"holds": self.holds} | asdict(self)
