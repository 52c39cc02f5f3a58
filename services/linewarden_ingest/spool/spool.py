"""The spool: records are appended by one thread, made durable by another, and read and acknowledged by a third.

A sequence is given by the spool before anything can be dropped. Only what is fsynced is handed to a reader.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from linewarden_ingest.metrics import UNFREED
from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull
from linewarden_ingest.spool.format import Kind, frame_record
from linewarden_ingest.spool.marks import Marks, MarksFile, MarksKeeper
from linewarden_ingest.spool.reader import Held, Record, SpoolReader, Window
from linewarden_ingest.spool.recovery import Recovered, recover
from linewarden_ingest.spool.segment import Segment, new_segment, shed_pictures
from linewarden_ingest.spool.tail import Tail, begin, hold
from linewarden_runtime.clock import Clock
from linewarden_runtime.files import SYSTEM_FILES, FileSystem, make_folders

# So that a thread that waits looks now and then whether the disk has failed meanwhile.
_ROOM_WAIT_S = 0.2
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bytes: of the whole spool, of one segment, how much may wait for its fsync, and in memory for the reader."""

    capacity_bytes: int = 2 << 30
    segment_bytes: int = 64 << 20
    unsynced_bytes: int = 32 << 20
    window_bytes: int = 32 << 20


class Spool:
    """One camera's spool in one folder, held exclusively while it is open.

    `files` does all work on the disk; `draw` gives random bytes.

    Raises:
        SpoolInUse: where another process holds the folder.
        SpoolBroken: where the folder cannot be read or made.
    """

    def __init__(
        self,
        folder: Path,
        limits: SpoolLimits,
        clock: Clock,
        *,
        files: FileSystem = SYSTEM_FILES,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._folder, self._limits, self.files, self._draw = folder, limits, files, draw
        self._tail = Tail(files)
        self._failure: OSError | None = None
        self._window = Window(limits.window_bytes)
        self._tell_durable: Callable[[], None] = lambda: None
        # Reentrant: `shed` holds it while it rolls to another segment, which takes it too.
        self.lock = threading.RLock()
        self._written = threading.Condition(self.lock)
        self._room = threading.Condition(self.lock)
        self._sent_next = 0
        self.reading: Segment | None = None
        self._spent: list[Segment] = []
        try:
            self._open(clock)
        except OSError as error:
            raise SpoolBroken(f"the spool {folder} cannot be opened: {error}") from error

    def _open(self, clock: Clock) -> None:
        make_folders(self._folder, self.files)
        # Before anything is repaired: another process may be writing what looks torn.
        self._lock_file = hold(self._folder, self.files)
        self.recovered: Recovered = recover(self._folder, clock.now_ms(), self.files)
        self.segments: list[Segment] = self.recovered.segments
        self._marks_file = MarksFile(self._folder, self.files)
        # Without marks all that is kept is sent again, which readers bear.
        kept = Marks(self.epoch, self.segments[0].first_sequence if self.segments else 0)
        marks = self._marks_file.load(self.epoch) or kept
        self._marks = MarksKeeper(self._marks_file, marks, clock)
        # The highest of what was written, told in a heartbeat and acknowledged: a file that is gone gives no number
        # again.
        first_free = max(self.recovered.next_sequence, marks.announced + 1, marks.acked_next)
        self._next_sequence = self.durable_next = first_free
        self.durable_size = self.segments[-1].size if self.segments else 0
        with suppress(SpoolFull):
            if self.recovered.torn_bytes:  # what was left out shows, also if this process dies before the next record
                self._marks.announced(self.recovered.next_sequence - 1)
            self.acknowledge(marks.acked_next)

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

    def append(self, header: bytes, payload: bytes, kind: Kind = Kind.WHOLE, note: object = None) -> int:
        """Write one record and give its sequence; durable after the next `sync`.

        The reader gets `note` with the record where it still finds it in memory.

        Raises:
            SpoolFull: where it does not fit, or the disk has no room; nothing was written.
            SpoolBroken: where the disk failed, now or before.
        """
        sequence = self._next_sequence
        pieces = frame_record(self._marker_for(len(header) + len(payload)), kind, sequence, header, payload)
        size = sum(map(len, pieces))
        # Before the write: a record that does not fit below the capacity must leave nothing behind.
        self._require_room(size)
        segment = self.segments[-1]
        # Without the lock: only the thread that appends writes, and what is not told below is not synced or read.
        self._tail.write(pieces, segment.size)
        record = Record(sequence, header, payload if kind is Kind.WHOLE else None, kind, note=note)
        with self.lock:
            segment.size += size
            segment.last_sequence = sequence
            self._window.keep(Held(record, segment, segment.size))
            self._next_sequence += 1
            self._written.notify()
        return sequence

    def wait_unsynced(self, timeout_s: float) -> bool:
        """Wait until something was written that is not durable; whether there is."""
        with self.lock:
            return self._written.wait_for(lambda: self._unsynced() > 0, timeout_s)

    def sync(self) -> None:
        """Make everything written so far durable; one call serves all records written meanwhile.

        Raises:
            SpoolBroken: where the disk refuses; a second try may lie, so there is none.
        """
        with self.lock:
            self._require_sound()
            if self._unsynced() == 0:
                return
            # As of now: what is written while the disk syncs is not known to be durable with it.
            segment, size, reached = self.segments[-1], self.segments[-1].size, self._next_sequence
            descriptor = self._tail.duplicate()  # the segment may be sealed and closed meanwhile
        self._fdatasync(descriptor)
        with self.lock:
            # A segment that was sealed meanwhile was synced whole as that was done; its size says nothing of the next
            # one.
            if segment is self.segments[-1]:
                self.durable_size = max(self.durable_size, size)
            self.durable_next = max(self.durable_next, reached)
            self._room.notify()
        self._tell_durable()

    def reader(self, wake: Callable[[], None] = lambda: None) -> SpoolReader:
        """The reader, beginning with the oldest record not acknowledged; `wake` is called when more may be durable."""
        self._tell_durable = wake
        return SpoolReader(self, self.acked_next)

    def take_held(self, sequence: int) -> Held | None:
        """Give this record away if it is durable and still in memory. Called with `lock` held."""
        return self._window.take(sequence) if sequence < self.durable_next else None

    def note_reading(self, segment: Segment | None, next_sequence: int) -> None:
        """Say where the reader stands, so that no picture on its way is shed. Called with `lock` held."""
        self.reading = segment
        self._sent_next = max(self._sent_next, next_sequence)

    def acknowledge(self, next_sequence: int) -> None:
        """Everything below `next_sequence` is acknowledged; its segments go, but for the newest.

        Segments stay, to be tried again, where the disk has no room for the pointer or refuses to remove them.

        Raises:
            SpoolBroken: where the disk fails.
        """
        with self.lock:
            # Never the newest: records are appended to it, and a start finds its last sequence there.
            done = [one for one in self.segments[:-1] if one.last_sequence < next_sequence]
            self.segments = self.segments[len(done) :]
            self._spent += done
        with suppress(SpoolFull):
            # Before the files go, else their sequences would look lost.
            self._marks.acked(next_sequence, durably=bool(self._spent))
            self._free()

    def _free(self) -> None:
        with self.lock:
            for segment in list(self._spent):
                try:
                    self.files.remove(segment.path)
                except OSError as error:
                    # Not raised: a segment that stays costs room and no record, since all in it is acknowledged.
                    UNFREED.labels(camera=self._folder.name).inc()
                    _log.warning("a segment stays, and is tried again", path=str(segment.path), why=str(error))
                else:
                    self._spent.remove(segment)
            self._room.notify()

    def announce(self, sequence: int) -> None:
        """Remember, before a heartbeat tells it, that no sequence up to this one may ever be given again."""
        self._marks.announced(sequence)

    def finish(self, run_ms: int) -> None:
        """Remember that the source came to its end in this run."""
        with suppress(SpoolFull):  # then it is saved with the next change, or the run goes on behind its last shot
            self._marks.finished(run_ms)

    def shed(self) -> int:
        """Drop the pictures of the oldest segment that nobody is sending; how many, 0 where none is left.

        Captures stay. Where the disk has no room for them alone, it is 0 too. Called by the thread that appends.
        """
        with self.lock:  # held while it is rewritten, so that the reader does not open it meanwhile
            for segment in self.segments:
                begun = segment is self.reading or segment.first_sequence < self._sent_next
                if not (segment.is_shed or segment.is_empty or begun):
                    with suppress(SpoolFull, OSError):
                        return self._shed(segment)
                    return 0
            return 0

    def _shed(self, segment: Segment) -> int:
        if segment is self.segments[-1]:
            self._roll()
        # The files first: where there is no room to rewrite them, memory keeps what they still hold.
        dropped = shed_pictures(segment, self.files)
        self._window.drop(segment.first_sequence, segment.last_sequence)
        return dropped

    def wait_room(self) -> None:
        """Wait a little, until something is acknowledged or made durable; what could not be freed is tried again."""
        if self._spent:
            self.acknowledge(self.acked_next)
        with self.lock:
            self._room.wait(_ROOM_WAIT_S)

    def close(self) -> None:
        """Make everything durable and give the folder free."""
        try:
            self.sync()
            with suppress(SpoolFull):  # then what was acknowledged meanwhile is sent again
                self._marks.save()
        finally:
            self._tail.close()
            self._marks_file.close()
            self.files.close(self._lock_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _used(self) -> int:
        with self.lock:
            acked_next = self.acked_next
            return sum(one.size for one in self.segments if one.last_sequence >= acked_next)

    def _unsynced(self) -> int:
        """Bytes written that are not durable yet. Called with `lock` held."""
        return self.segments[-1].size - self.durable_size if self.segments else 0

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise SpoolBroken("an fsync of the spool failed") from self._failure

    def _require_room(self, size: int) -> None:
        if self._used() + size > self._limits.capacity_bytes:
            raise SpoolFull(f"{size} bytes do not fit below {self._limits.capacity_bytes} in {self._folder}")
        with self.lock:
            # Bounds what a power cut can take: pictures that the camera gave and that do not count as taken yet.
            while self._unsynced() > self._limits.unsynced_bytes and self._failure is None:
                self._room.wait(_ROOM_WAIT_S)
        self._require_sound()

    def _marker_for(self, size: int) -> bytes:
        last = self.segments[-1] if self.segments else None
        if last is None or (not last.is_empty and last.size + size > self._limits.segment_bytes):
            self._roll()
        elif not self._tail.is_open:
            try:
                self._tail.open(last)
            except OSError as error:
                raise SpoolFull(f"the disk refuses to open {last.path}: {error}") from error
        return self.segments[-1].marker

    def _roll(self) -> None:
        """Seal the newest segment and begin another; by the thread that appends."""
        self._require_sound()
        if self._tail.is_open:
            # A segment is whole on the disk before the next begins, so only the newest can have a torn end.
            self._fdatasync(self._tail.duplicate())
        segment = new_segment(self._folder, self.epoch, self._next_sequence, self._draw)
        try:
            file = begin(segment, self.files)
        except OSError as error:
            raise SpoolFull(f"the disk refuses a new segment: {error}") from error
        with self.lock:
            self._tail.adopt(file)
            # All that was written so far lay in the segment that was just synced.
            self.durable_next = self._next_sequence
            self.segments.append(segment)
            self.durable_size = 0
        self._tell_durable()

    def _fdatasync(self, descriptor: int) -> None:
        try:
            self.files.sync(descriptor)
        except OSError as error:
            # For good: after a failed fsync the kernel may drop the pages and call the next fsync a success.
            self._failure = error
            raise SpoolBroken(f"fsync in {self._folder}: {error}") from error
        finally:
            self.files.close(descriptor)
