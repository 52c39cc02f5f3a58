"""Which files of a folder are finished, by what is seen of them from outside; times come in as parameters."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from dataclasses import dataclass

_AGAIN_S = 1.0
"""How soon a file that is not whole is read again though it looks unchanged: a network share may tell old times."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes with a file's content, or with which file has the name."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp in what `stat` says."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)

    def outlives_renaming(self, other: Stamp) -> bool:
        """Whether the other is of the same file, unchanged, perhaps under another name."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)


@dataclass(slots=True)
class _Arrival:
    stamp: Stamp
    first_at: float
    ready_at: float


class Arrivals:
    """Files that were seen and not taken yet. All times are seconds of a clock that never runs backwards.

    A file may be read when it was renamed into place, or looked the same for `settle_s`; and, whatever it looks like,
    a last time when it has been there for `give_up_s`.
    """

    def __init__(self, settle_s: float, give_up_s: float) -> None:
        self._settle_s, self._give_up_s = settle_s, give_up_s
        self._files: dict[str, _Arrival] = {}

    def look(self, found: Mapping[str, Stamp], renamed: Container[str], now: float) -> list[str]:
        """Take note of all files that are there, by name; the names that were waited for and whose files are gone."""
        inodes = {stamp.inode for stamp in found.values()}
        missing = {name: one.stamp.inode for name, one in self._files.items() if name not in found}
        for name in missing:
            del self._files[name]
        for name, stamp in found.items():
            known = self._files.get(name)
            if known is None or known.stamp.inode != stamp.inode:
                known = self._files[name] = _Arrival(stamp, now, now + self._settle_s)
            elif known.stamp != stamp:
                known.stamp, known.ready_at = stamp, now + self._settle_s
            if name in renamed:
                known.ready_at = now
        # Under another name it is still there.
        return [name for name, inode in missing.items() if inode not in inodes]

    def ready(self, now: float) -> list[str]:
        """Names that may be read now, the file changed longest ago first."""
        due = [(one.stamp.mtime_ns, name) for name, one in self._files.items() if self._due_at(one) <= now]
        return [name for _, name in sorted(due)]

    def next_at(self) -> float:
        """When a file is ready that is not yet, infinity where none is waited for."""
        return min(map(self._due_at, self._files.values()), default=float("inf"))

    def is_as_seen(self, name: str, stamp: Stamp) -> bool:
        """Whether a file still looks as when it was found ready."""
        known = self._files.get(name)
        return known is not None and known.stamp == stamp

    def is_overdue(self, name: str, now: float) -> bool:
        """Whether a file has been there so long that it is not waited for any more."""
        known = self._files.get(name)
        return known is not None and now >= known.first_at + self._give_up_s

    def put_off(self, name: str, now: float) -> None:
        """A file was read and is not whole: look at it again later."""
        if known := self._files.get(name):
            known.ready_at = now + max(self._settle_s, _AGAIN_S)

    def forget(self, name: str) -> None:
        """A file was taken, and is not waited for any more."""
        self._files.pop(name, None)

    def _due_at(self, one: _Arrival) -> float:
        return min(one.ready_at, one.first_at + self._give_up_s)
