"""One thread for one device: gathers prepared pictures into batches and scores them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from linewarden_inspect import metrics
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import Fatal
from linewarden_vision.inspecting.preparing import Ready
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import score_batch
from linewarden_vision.inspector import ViewScore

Answer = ViewScore | PictureRefused
Guard = Callable[[], AbstractContextManager[None]]


class DeviceLost(Fatal):
    """Too many frames in a row failed on the device, each of them alone: a new process may find it well again."""

    exit_code = 75


@dataclass(slots=True)
class _Waiting:
    ready: Ready
    future: Future[Answer] = field(default_factory=Future)


class DeviceLane:
    """Batches of at most `max_batch` pictures of one bundle, in order of arrival.

    A batch that is not full waits at most `wait_s`, and only while `announce` said that more is on its way.
    `guard` surrounds every pass; a device that hangs is its business. Without a thread of
    its own, `turn` makes the passes.
    """

    def __init__(
        self,
        *,
        max_batch: int,
        wait_s: float,
        max_faults_in_a_row: int,
        clock: Clock,
        guard: Guard = nullcontext,
        is_threaded: bool = True,
    ) -> None:
        self._max_batch, self._wait_s, self._clock, self._guard = max_batch, wait_s, clock, guard
        self._max_faults, self._faults = max_faults_in_a_row, 0
        self._waiting: deque[_Waiting] = deque()
        self._coming = 0
        self._changed = threading.Condition()
        self._stopped = False
        # No Background: a failure belongs to its batch, whose futures carry it to the loop.
        self._thread = threading.Thread(target=self._run, name="device", daemon=True) if is_threaded else None
        if self._thread is not None:
            self._thread.start()

    def announce(self, pictures: int) -> None:
        """Say that as many pictures are being prepared."""
        with self._changed:
            self._coming += pictures

    def score(self, ready: Ready) -> Future[Answer]:
        """Queue an announced picture; the future brings its score, or why the device gave none."""
        waiting = _Waiting(ready)
        with self._changed:
            self._coming -= 1
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.future

    def withdraw(self) -> None:
        """Say that an announced picture will not come after all."""
        with self._changed:
            self._coming -= 1
            self._changed.notify()

    def close(self) -> None:
        """Finish the pass in progress; what waits is cancelled."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        for waiting in self._waiting:
            waiting.future.cancel()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def turn(self) -> bool:
        """Make one pass with what waits now; whether anything did."""
        if not self._waiting:
            return False
        self._answer(self._take())
        return True

    def _answer(self, batch: list[_Waiting]) -> None:
        try:
            answers = self._pass(batch)
        except BaseException as failure:  # noqa: BLE001 - the futures carry it to the loop, which ends the process
            for waiting in batch:
                waiting.future.set_exception(failure)
        else:
            for waiting, answer in zip(batch, answers, strict=True):
                waiting.future.set_result(answer)

    def _next_batch(self) -> list[_Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or bool(self._waiting))
            self._changed.wait_for(self._is_full_enough, self._wait_s)
            return [] if self._stopped else self._take()

    def _is_full_enough(self) -> bool:
        return self._stopped or self._coming <= 0 or len(self._waiting) >= self._max_batch

    def _take(self) -> list[_Waiting]:
        scorer = self._waiting[0].ready.scorer
        batch = [waiting for waiting in self._waiting if waiting.ready.scorer is scorer][: self._max_batch]
        taken = {id(waiting) for waiting in batch}
        self._waiting = deque(waiting for waiting in self._waiting if id(waiting) not in taken)
        return batch

    def _pass(self, batch: list[_Waiting]) -> tuple[Answer, ...]:
        begun = self._clock.monotonic()
        with self._guard():
            answers = score_batch(batch[0].ready.scorer, [waiting.ready.prepared for waiting in batch])
        metrics.DEVICE_SECONDS.observe(self._clock.monotonic() - begun)
        metrics.BATCH_PICTURES.observe(len(batch))
        faults = [str(answer) for answer in answers if isinstance(answer, PictureRefused)]
        metrics.DEVICE_FAULTS.inc(len(faults))
        self._faults = self._faults + len(faults) if len(faults) == len(batch) else 0
        if self._faults >= self._max_faults:
            raise DeviceLost(f"{self._faults} pictures in a row failed on the device; the last: {faults[0]}")
        return answers
