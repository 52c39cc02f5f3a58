"""What cameras that send by themselves have in common: a reader that never waits, and the pictures that are taken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import structlog
from pydantic import Field, model_validator

from linewarden_ingest.cameras.interface import CameraFault, RawPicture, Shot, Trigger
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.cameras.status_line import StatusLine
from linewarden_ingest.metrics import NOT_TAKEN
from linewarden_runtime.clock import Clock
from linewarden_schemas.vocabulary import CameraCondition, Loss

_log = structlog.get_logger(__name__)


class LiveOptions(CameraOptions):
    """A camera that sends by itself; after `silence_s` without a picture it is dead.

    A picture that waited for `stale_ms` is not taken any more once a newer one is there, so that no delay grows. With
    `rate_per_s` the newest is taken, so often. `delay_ms` is what is known of the way from the exposure to its arrival
    here. A picture of another size than `width` x `height`, or else than the first, is a fault. `status_line`: the
    picture's lowest rows tell the number of the part (`StatusLine`), which names its visit.
    """

    silence_s: float = Field(2.0, gt=0)
    stale_ms: int = Field(300, ge=0)
    delay_ms: int = Field(0, ge=0)
    width: int | None = Field(None, ge=1)
    height: int | None = Field(None, ge=1)
    status_line: bool = False

    @model_validator(mode="after")
    def _both_sides(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height belong together")
        return self

    @property
    def brings_visits(self) -> bool:
        """Whether the status line tells the part of each picture."""
        return self.status_line

    @property
    def begins_anew(self) -> bool:
        """Whether its visits are named by the run."""
        return self.status_line


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came at `at_ms` (epoch) and `at` (monotonic seconds): `picture` gives it, None where there is none.

    `damage` is what the reader says is wrong with it.
    """

    picture: Callable[[], RawPicture] | None
    at_ms: int
    at: float
    damage: str | None = None


class Inbox:
    """Between the thread that reads a camera and the one that takes; it holds `stale_ms` of pictures at most."""

    def __init__(self, options: LiveOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._waiting: deque[Arrived] = deque()
        self._lock, self._something = threading.Lock(), threading.Event()
        self._ended: str | None = None

    def put(self, arrived: Arrived) -> None:
        """Let it be taken from now on."""
        with self._lock:
            self._waiting.append(arrived)
            self._drop_stale()
            self._something.set()

    def end(self, why: str) -> None:
        """Say that nothing more will come, and why."""
        with self._lock:
            self._ended = why
            self._something.set()

    @property
    def ended(self) -> str | None:
        """Why nothing more will come; None while something may, or waits."""
        with self._lock:
            return None if self._waiting else self._ended

    def take(self, timeout_s: float) -> Arrived | None:
        """The oldest that is not stale, with a rate the newest; None where none came in time."""
        self._clock.wait(self._something, timeout_s)
        with self._lock:
            self._drop_stale()
            if self._options.rate_per_s is not None:
                self._leave("rate", len(self._waiting) - 1)
            taken = self._waiting.popleft() if self._waiting else None
            if not self._waiting and self._ended is None:
                self._something.clear()
            return taken

    def not_taken(self, cause: str, count: int = 1) -> None:
        """Count pictures that nobody takes."""
        NOT_TAKEN.labels(camera=self._options.camera_id, cause=cause).inc(count)

    def _drop_stale(self) -> None:
        stale_before = self._clock.monotonic() - self._options.stale_ms / 1000
        self._leave("stale", sum(one.at < stale_before for one in list(self._waiting)[:-1]))

    def _leave(self, cause: str, count: int) -> None:
        if count > 0:
            self.not_taken(cause, count)
            for _ in range(count):
                self._waiting.popleft()


class LiveReader(Protocol):
    """Reads one camera on a thread of its own into its inbox, from when it is made."""

    inbox: Inbox

    def close(self) -> None:
        """Stop reading; a read that hangs is left to the end of the process."""
        ...


class LiveCamera:
    """Gives what arrives as raw pictures (HxWx3 BGR, uint8), damaged ones as torn or as a shot without picture.

    `captured_ms` is when the whole picture was here, by the run's clock, less `delay_ms`. Exposure, encoding and the
    way lie before it: what of them `delay_ms` does not tell makes it late. `name` is the camera's in its faults.
    """

    def __init__(self, name: str, options: LiveOptions, run: CameraRun, reader: LiveReader) -> None:
        self._name, self._options, self._reader = name, options, reader
        self._clock, self._stop, self._run_ms = run.clock, run.stop, run.start_ms
        self._line = StatusLine(run.first) if options.status_line else None
        self._index = run.first if self._line is None else self._line.last
        self._size = None if options.width is None or options.height is None else (options.width, options.height)
        self._alive_at = self._due = self._clock.monotonic()
        self._damage: str | None = None

    def poll(self, timeout_s: float) -> Shot | None:
        """The next picture that is not stale; with a rate the newest, when it is due."""
        if self._is_early(timeout_s):
            return None
        arrived = self._reader.inbox.take(timeout_s)
        if arrived is None:
            self._require_alive()
            return None
        if self._options.rate_per_s is not None:
            self._due = max(self._due + 1 / self._options.rate_per_s, self._clock.monotonic())
        self._tell(arrived.damage)
        return self._shot(arrived)

    def close(self) -> None:
        """Hang up; a read that hangs is left to the end of the process."""
        self._reader.close()

    def _is_early(self, timeout_s: float) -> bool:
        early_s = self._due - self._clock.monotonic()
        if self._options.rate_per_s is None or early_s <= 0:
            return False
        self._clock.wait(self._stop, min(early_s, timeout_s))
        return early_s > timeout_s or self._stop.is_set()

    def _shot(self, arrived: Arrived) -> Shot | None:
        captured_ms = arrived.at_ms - self._options.delay_ms
        if arrived.picture is None:
            return self._counted(Shot(self._index, captured_ms, None, Loss.UNREADABLE, arrived.damage))
        self._alive_at = arrived.at
        picture = arrived.picture()
        self._require_size(picture)
        torn = (CameraCondition.TORN,) if arrived.damage else ()
        shot = Shot(self._index, captured_ms, picture, conditions=torn)
        return self._counted(shot) if self._line is None else self._numbered(self._line, shot, picture)

    def _counted(self, shot: Shot) -> Shot:
        self._index += 1 if self._line is None else 0  # there the last part's number is the place
        return shot

    def _numbered(self, line: StatusLine, shot: Shot, picture: RawPicture) -> Shot | None:
        above, number = line.read(picture)
        if number is None:  # nobody knows which part this is
            return replace(shot, picture=above, conditions=(CameraCondition.TORN,))
        if not line.is_new(number):
            self._reader.inbox.not_taken("same_part")
            return None
        self._index = number
        return replace(shot, index=number, picture=above, trigger=Trigger(number, self._run_ms))

    def _tell(self, damage: str | None) -> None:
        if damage is not None and self._damage is None:
            _log.warning("picture damaged", camera_id=self._options.camera_id, why=damage)
        self._damage = damage

    def _require_size(self, picture: RawPicture) -> None:
        size = (picture.shape[1], picture.shape[0])
        if self._size is not None and self._size != size:
            raise CameraFault(
                f"{self._name} sends {size[0]} x {size[1]} pixels instead of {self._size[0]} x {self._size[1]}; set "
                "the camera back, or change what is set and was taught for it",
                self._lost(),
            )
        self._size = size

    def _require_alive(self) -> None:
        silence_s, ended = self._options.silence_s, self._reader.inbox.ended
        if ended is not None:
            raise CameraFault(f"{self._name}: {ended}", self._lost())
        if self._clock.monotonic() - self._alive_at > silence_s:
            raise CameraFault(f"{self._name}: no picture for {silence_s:g} s, the limit silence_s", self._lost())

    def _lost(self) -> Shot:
        return Shot(self._index, self._clock.now_ms(), None, conditions=(CameraCondition.LOST,))
