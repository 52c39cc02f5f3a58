"""What is known of a camera beside its pictures: when it was last read, whether a read hangs, what is wrong with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from linewarden_ingest.cameras.conditions import ConditionJudge
from linewarden_ingest.cameras.interface import EncodedPicture, Shot
from linewarden_ingest.metrics import CONDITION, CONDITIONS, LAST_READ_SECONDS
from linewarden_runtime.clock import Clock
from linewarden_runtime.watchdog import Watchdog
from linewarden_schemas.vocabulary import CameraCondition, Loss

CAMERA_DEAD = 69
"""Exit code (EX_UNAVAILABLE) of a camera's process whose camera is dead, or hangs."""
_LAST_WORDS_S = 5.0
"""How long the capture of a known trigger may take before the process ends without it."""
_log = structlog.get_logger(__name__)


def end_process(what: str) -> None:
    """Leave with `CAMERA_DEAD`, saying what did not come back; no clean-up, which could hang as well."""
    # Not by the logger or sys.stderr: their locks may be held by the very call that hangs.
    os.write(2, f"watchdog: {what} did not come back; leaving with {CAMERA_DEAD}\n".encode())
    os._exit(CAMERA_DEAD)


class CameraWatch:
    """Watches one camera; shared between the threads of its process.

    Where a call of the camera takes longer than `limit_s`, `last_words` are called on another thread for a bounded
    time, and then `end` with what hangs. `limit_s` None: it may take any time.
    """

    def __init__(
        self,
        camera_id: str,
        judge: ConditionJudge,
        clock: Clock,
        limit_s: float | None,
        *,
        end: Callable[[str], None] = end_process,
    ) -> None:
        self._camera_id, self._judge, self._clock, self._limit_s = camera_id, judge, clock, limit_s
        self._end = end
        self.last_words: Callable[[], None] = lambda: None
        self.last_read_ms: int | None = None
        self._now: frozenset[CameraCondition] = frozenset()
        self._untold: frozenset[CameraCondition] = frozenset()
        self._lock = threading.Lock()
        self._watchdog = Watchdog(self._overrun, clock)

    @contextmanager
    def limited(self, what: str) -> Iterator[None]:
        """Let a call of the camera take at most the limit."""
        if self._limit_s is None:
            yield
            return
        with self._watchdog.guard(f"{what} of camera {self._camera_id}", self._limit_s):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A read of the camera, finished when it comes back, with a picture or without."""
        with self.limited("a read"):
            yield
        self.last_read_ms = self._clock.now_ms()
        LAST_READ_SECONDS.labels(camera=self._camera_id).set(self.last_read_ms / 1000)
        if self._judge.is_silent(self.last_read_ms):
            self._show(self._now | {CameraCondition.SLOW})

    def judged(self, shot: Shot, picture: EncodedPicture | None, loss: Loss | None) -> tuple[CameraCondition, ...]:
        """The conditions of a shot, counted and shown until the next one."""
        found = self._judge.judge(shot, picture, loss)
        for one in found:
            CONDITIONS.labels(camera=self._camera_id, condition=one.value).inc()
        self._show(frozenset(found))
        return found

    def lost(self) -> None:
        """Tell that the camera is dead, until its process ends."""
        self._show(self._now | {CameraCondition.LOST})

    def untold(self) -> tuple[CameraCondition, ...]:
        """What was wrong since this was asked last, and is wrong now."""
        with self._lock:
            told, self._untold = self._untold, self._now
        return tuple(one for one in CameraCondition if one in told)

    def close(self) -> None:
        """Watch no call of the camera any more."""
        self._watchdog.close()

    def _show(self, found: frozenset[CameraCondition]) -> None:
        with self._lock:
            before, self._now, self._untold = self._now, found, self._untold | found
        for one in before ^ found:
            CONDITION.labels(camera=self._camera_id, condition=one.value).set(one in found)
        if found != before:
            tell = _log.warning if found - before else _log.info
            names, ended = ([one.value for one in sorted(each)] for each in (found, before - found))
            tell("conditions of the camera", camera_id=self._camera_id, conditions=names, ended=ended)

    def _overrun(self, what: str) -> None:
        # On a thread that is given up: the disk may hang as the camera does.
        thread = threading.Thread(target=self.last_words, name="last-words", daemon=True)
        thread.start()
        thread.join(_LAST_WORDS_S)
        self._end(what)
