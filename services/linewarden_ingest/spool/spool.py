"""The spool: records are appended by one thread, made durable by another, and read and acknowledged by a third.

A sequence is given by the spool before anything can be dropped. Only what is fsynced is handed to a reader.
"""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import Fatal

from . import marks as marks_file
from .format import Kind, frame_record
from .marks import Marks, MarksKeeper
from .reader import SpoolReader
from .recovery import Recovered, recover
from .segment import Segment, new_segment, shed_pictures, sync_folder

_ROOM_WAIT_S = 0.2


class SpoolFull(Exception):
    """A record does not fit below the capacity; nothing was written and its sequence is still to be given."""


class SpoolBroken(Fatal):
    """The disk refused to make records durable; what reached it is unknown, so the process must end."""

    exit_code = 74  # EX_IOERR


class SpoolInUse(Fatal):
    """Another process holds the spool, perhaps one that is about to end."""

    exit_code = 75  # EX_TEMPFAIL: a supervisor tries again


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of the whole spool, of one segment, and how much may wait for its fsync."""

    capacity_bytes: int = 2 << 30
    segment_bytes: int = 64 << 20
    unsynced_bytes: int = 32 << 20


class Spool:
    """One camera's spool in one folder, held exclusively while it is open.

    Raises:
        SpoolInUse: where another process holds the folder.
    """

    def __init__(self, folder: Path, limits: Limits, clock: Clock) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limits = folder, limits
        self._lock_file = _hold(folder)
        self.recovered: Recovered = recover(folder, clock.now_ms())
        self.segments: list[Segment] = self.recovered.segments
        marks = marks_file.load(folder, self.epoch) or self._marks_from_segments()
        self._marks = MarksKeeper(folder, marks, clock)
        first_free = max(self.recovered.next_sequence, marks.announced + 1, marks.acked_next)
        self._next_sequence = first_free
        self._sent_next = 0
        self.reading: Segment | None = None
        self._file = -1
        self._failure: OSError | None = None
        self.changed = threading.Condition()
        self.durable_next = first_free
        self.durable_size = self.segments[-1].size if self.segments else 0
        self._unsynced = 0

    @property
    def epoch(self) -> int:
        """The spool epoch: when this spool began, in epoch milliseconds; a lost spool begins a new one."""
        return self.recovered.epoch

    @property
    def next_sequence(self) -> int:
        """The sequence that the next record gets."""
        return self._next_sequence

    @property
    def acked_next(self) -> int:
        """The sequence after the last one acknowledged without a gap."""
        return self._marks.now.acked_next

    @property
    def finished_run(self) -> int:
        """The last run (its begin, epoch ms) whose source came to its end, -1 for none."""
        return self._marks.now.finished_run

    @property
    def used_share(self) -> float:
        """Bytes kept for records not acknowledged yet, as a share of the capacity."""
        return self._used() / self._limits.capacity_bytes

    def append(self, header: bytes, payload: bytes, kind: Kind = Kind.WHOLE) -> int:
        """Write one record and give its sequence; durable after the next `sync`.

        Raises:
            SpoolFull: where it does not fit, or the disk has no room; nothing was written.
            SpoolBroken: where an earlier fsync failed.
        """
        pieces = frame_record(self._marker_for(len(header) + len(payload)), kind, self._next_sequence, header, payload)
        size = sum(map(len, pieces))
        with self.changed:
            self._require_room(size)
            segment = self.segments[-1]
            self._write(segment, pieces, size)
            segment.size += size
            segment.last_sequence = self._next_sequence
            self._unsynced += size
            self._next_sequence += 1
            self.changed.notify_all()
            return segment.last_sequence

    def wait_unsynced(self, timeout_s: float) -> bool:
        """Wait until something was written that is not durable; whether there is."""
        with self.changed:
            return self.changed.wait_for(lambda: self._unsynced > 0, timeout_s)

    def wait_durable(self, sequence: int, timeout_s: float) -> bool:
        """Wait until `sequence` is durable; whether it is."""
        with self.changed:
            return self.changed.wait_for(lambda: self.durable_next > sequence, timeout_s)

    def sync(self) -> None:
        """Make everything written so far durable; one call serves all records written meanwhile.

        Raises:
            SpoolBroken: where the disk refuses; a second try may lie, so there is none.
        """
        with self.changed:
            if self._unsynced == 0:
                return
            segment, unsynced, reached = self.segments[-1], self._unsynced, self._next_sequence
            size = segment.size
            descriptor = os.dup(self._file)  # the segment may be sealed and closed meanwhile
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            self._fail(error)
        finally:
            os.close(descriptor)
        with self.changed:
            if segment is self.segments[-1] and size > self.durable_size:
                self.durable_size = size
                self._unsynced -= unsynced
            self.durable_next = max(self.durable_next, reached)
            self.changed.notify_all()

    def reader(self) -> SpoolReader:
        """A reader that begins with the oldest record not acknowledged."""
        return SpoolReader(self, self.acked_next)

    def note_reading(self, segment: Segment | None, next_sequence: int) -> None:
        """Say where the reader stands, so that no picture on its way is shed. Called with `changed` held."""
        self.reading = segment
        self._sent_next = max(self._sent_next, next_sequence)

    def acknowledge(self, next_sequence: int) -> None:
        """Everything below `next_sequence` is acknowledged; its segments go, but for the newest."""
        with self.changed:
            done = [one for one in self.segments[:-1] if one.last_sequence < next_sequence]
            self.segments = self.segments[len(done) :]
        # Before the files go, else their sequences would look lost.
        self._marks.acked(next_sequence, durably=bool(done))
        for segment in done:
            segment.path.unlink(missing_ok=True)
        with self.changed:
            self.changed.notify_all()

    def announce(self, sequence: int) -> None:
        """Remember, before a heartbeat tells it, that no sequence up to this one may ever be given again."""
        self._marks.announced(sequence)

    def finish(self, run_ms: int) -> None:
        """Remember that the source came to its end in this run."""
        self._marks.finished(run_ms)

    def shed(self) -> int:
        """Drop the pictures of the oldest segment that nobody is sending; how many, 0 where none is left.

        Captures stay. Called by the thread that appends.
        """
        self.sync()
        with self.changed:
            for segment in self.segments:
                begun = segment is self.reading or segment.first_sequence < self._sent_next
                if not (segment.is_shed or segment.is_empty or begun):
                    if segment is self.segments[-1]:
                        self._roll()
                    dropped = shed_pictures(segment)
                    self.changed.notify_all()
                    return dropped
            return 0

    def wait_room(self) -> None:
        """Wait a little, until something is acknowledged or made durable."""
        with self.changed:
            self.changed.wait(_ROOM_WAIT_S)

    def close(self) -> None:
        """Make everything durable and give the folder free."""
        try:
            self.sync()
            self._marks.save()
        finally:
            self._close_file()
            os.close(self._lock_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _marks_from_segments(self) -> Marks:
        """Without marks all that is kept is sent again, which readers bear."""
        return Marks(self.epoch, self.segments[0].first_sequence if self.segments else 0)

    def _used(self) -> int:
        with self.changed:
            return sum(one.size for one in self.segments if one.last_sequence >= self.acked_next)

    def _require_room(self, size: int) -> None:
        if self._failure is not None:
            raise SpoolBroken("an fsync of the spool failed") from self._failure
        if self._used() + size > self._limits.capacity_bytes:
            raise SpoolFull(f"{size} bytes do not fit below {self._limits.capacity_bytes} in {self._folder}")
        while self._unsynced > self._limits.unsynced_bytes and self._failure is None:
            self.changed.wait(_ROOM_WAIT_S)

    def _marker_for(self, size: int) -> bytes:
        with self.changed:
            last = self.segments[-1] if self.segments else None
            if last is None or (not last.is_empty and last.size + size > self._limits.segment_bytes):
                self._roll()
            elif self._file < 0:
                self._file = os.open(last.path, os.O_WRONLY | os.O_APPEND)
            return self.segments[-1].marker

    def _roll(self) -> None:
        """Seal the newest segment and begin another."""
        if self._file >= 0:
            try:
                os.fdatasync(self._file)
            except OSError as error:
                self._fail(error)
            self._close_file()
        self.durable_next, self._unsynced = self._next_sequence, 0
        segment = new_segment(self._folder, self.epoch, self._next_sequence)
        self._file = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)
        sync_folder(self._folder)
        self.segments.append(segment)
        self.durable_size = 0

    def _write(self, segment: Segment, pieces: list[bytes], size: int) -> None:
        try:
            written = os.writev(self._file, pieces)
        except OSError as error:
            os.ftruncate(self._file, segment.size)
            raise SpoolFull(f"the disk of {self._folder} refuses to write: {error}") from error
        if written != size:
            os.ftruncate(self._file, segment.size)
            raise SpoolFull(f"the disk of {self._folder} took {written} of {size} bytes")

    def _fail(self, error: OSError) -> None:
        self._failure = error
        raise SpoolBroken(f"fsync in {self._folder}: {error}") from error

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _hold(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SpoolInUse(f"the spool {folder} is in use; see by whom with 'fuser {folder / 'lock'}'") from error
    return descriptor
