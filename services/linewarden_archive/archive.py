"""An archive as it lies on disk: what its manifest says, and the records behind it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_archive.contents import Contents
from linewarden_archive.entries import ArchivedTopic, ArchiveSegment, Entry, LegalHold, Opened, Released, RetentionGap
from linewarden_archive.findings import ArchiveDamaged
from linewarden_archive.manifest import ManifestLine, append, cut_half_line, read_lines
from linewarden_archive.places import LOCK, MANIFEST
from linewarden_archive.segments import read_contents, read_segment
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.files import make_folders
from linewarden_runtime.records import InRecord
from linewarden_schemas.ids import Namespace


class Archive:
    """A folder of segments. Reads are checked against the manifest; nothing that was touched is handed out.

    Raises ArchiveDamaged for a manifest that does not hold together.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lines, broken = read_lines(root)
        if broken:
            raise ArchiveDamaged(f"line {broken[0].number} of {root}'s manifest: {broken[0].detail}")
        if not self._lines or not isinstance(self._lines[0].entry, Opened):
            raise ArchiveDamaged(f"the manifest of {root} does not begin with what it is of")
        self.namespace = Namespace(self._lines[0].entry.namespace)
        self.topics: dict[str, ArchivedTopic] = {}
        for entry in self.entries:
            if isinstance(entry, Opened):
                self.topics |= entry.topics
        self._segments = current(self.entries)

    @property
    def head(self) -> str:
        """Digest of the last line: with it, kept elsewhere, nobody can take lines from the end."""
        return self._lines[-1].digest

    @property
    def entries(self) -> list[Entry]:
        """Everything that the manifest says, in order."""
        return [line.entry for line in self._lines]

    def source(self, topic: str) -> ArchivedTopic:
        """A physical topic as it was; raises ConfigurationError for one that was not archived."""
        found = self.topics.get(self.namespace.logical(topic))
        if found is None:
            raise ConfigurationError(f"{self.root} holds no {topic}; 'linewarden archive list' tells what it holds")
        return found

    def segments(self, topic: str | None = None, partition: int | None = None) -> list[ArchiveSegment]:
        """Newest generations of a logical topic's segments, or of all, by topic, partition and offset."""
        fits = (one for one in self._segments if topic in {None, one.topic} and partition in {None, one.partition})
        return sorted(fits, key=lambda one: one.place)

    def gaps(self) -> list[RetentionGap]:
        """Stretches that retention took before they were archived."""
        return [entry for entry in self.entries if isinstance(entry, RetentionGap)]

    def held_lots(self) -> dict[str, LegalHold]:
        """Lots on legal hold now, with who ordered it."""
        held: dict[str, LegalHold] = {}
        for entry in self.entries:
            if isinstance(entry, LegalHold):
                held.setdefault(entry.lot_id, entry)
            elif isinstance(entry, Released):
                held.pop(entry.lot_id, None)
        return held

    def contents(self, segment: ArchiveSegment) -> Contents:
        """What a segment holds, and what was deleted from it."""
        return read_contents(self.root, segment)

    def read(self, segment: ArchiveSegment) -> list[InRecord]:
        """The records of a segment."""
        return read_segment(self.root, segment, self.namespace.topic(segment.topic))

    def records(self, topic: str) -> Iterator[InRecord]:
        """Records of a logical topic by partition and offset; a segment at a time is held in memory."""
        for segment in self.segments(topic):
            yield from self.read(segment)


def current(entries: list[Entry]) -> list[ArchiveSegment]:
    """The newest generation of each segment that a manifest tells of, in the order in which they were begun."""
    newest: dict[tuple[str, int, int], ArchiveSegment] = {}
    for entry in entries:
        if isinstance(entry, ArchiveSegment):
            newest[entry.topic, entry.partition, entry.first_offset] = entry
    return list(newest.values())


class ArchiveWriter:
    """Appends to a manifest; one at a time for a folder, see `writing`."""

    def __init__(self, root: Path, last: ManifestLine | None, key: Ed25519PrivateKey | None) -> None:
        self.root, self._last, self._key = root, last, key

    @property
    def is_new(self) -> bool:
        """Whether nothing was written yet."""
        return self._last is None

    def enter(self, entry: Entry) -> None:
        """Write an entry that lasts before this returns."""
        self._last = append(self.root, entry, self._last, self._key)


@contextmanager
def writing(root: Path, key: Ed25519PrivateKey | None = None) -> Iterator[ArchiveWriter]:
    """The right to write an archive, alone, until the end of the block; a last line that is half written is cut off.

    Raises ConfigurationError where another process has it or the folder holds something else, ArchiveDamaged for a
    manifest that does not hold together.
    """
    make_folders(root)
    with (root / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"another process writes {root}; stop it, or wait for its end") from error
        cut_half_line(root)
        last = None
        if (root / MANIFEST).exists():
            lines, broken = read_lines(root)
            if broken:
                raise ArchiveDamaged(f"line {broken[0].number} of {root}'s manifest: {broken[0].detail}")
            last = lines[-1] if lines else None
        elif others := sorted(path.name for path in root.iterdir() if path.name != LOCK):
            raise ConfigurationError(f"{root} holds {others[0]} and no {MANIFEST}: choose an empty folder")
        yield ArchiveWriter(root, last, key)


def is_being_written(root: Path) -> bool:
    """Whether a process has the right to write now."""
    try:
        with (root / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
