"""Records handed over together: their outputs come back together, in their order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from linewarden_runtime.records import OutRecord


class Submission:
    """Collects the outputs of `count` records; `future` brings all of them, or the first failure."""

    def __init__(self, count: int) -> None:
        self.future: Future[Sequence[OutRecord]] = Future()
        self._outputs: list[list[OutRecord]] = [[] for _ in range(count)]
        self._left = count
        self._lock = threading.Lock()
        if count == 0:
            self.future.set_result([])

    def done(self, place: int, outputs: list[OutRecord]) -> None:
        """The outputs of the record at `place`."""
        with self._lock:
            self._outputs[place] = outputs
            self._left -= 1
            is_last = self._left == 0
        if is_last and self.future.set_running_or_notify_cancel():
            self.future.set_result([record for listed in self._outputs for record in listed])

    def watch(self, task: Future[None]) -> None:
        """Call with every task that works on it, once it ended: a failure is the whole submission's."""
        failure = CancelledError("the stage was closed") if task.cancelled() else task.exception()
        if failure is None:
            return
        with self._lock:
            if not self.future.done():
                self.future.set_exception(failure)
