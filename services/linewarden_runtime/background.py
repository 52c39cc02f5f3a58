"""Work on a thread beside the main one; a failure asks the whole process to stop and is raised at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from linewarden_runtime.lifecycle import Stop


class Background:
    """Runs `work(until)` once, from `start` or the begin of the with-block, whose end sets `until` and waits.

    A failure asks the process to stop, and is raised by `result` and at the end of a block that raises nothing itself.
    """

    def __init__(self, name: str, work: Callable[[Stop], None], stop: Stop) -> None:
        self._name, self._work, self._stop, self.until = name, work, stop, Stop()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Begin the work on its thread; once."""
        self._thread.start()
        return self

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for the end, at most `timeout_s`, and raise what the work raised."""
        self._thread.join(timeout_s)
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.until.set("its owner ends")
        self._thread.join()
        if error is None:
            self.result()

    def _run(self) -> None:
        try:
            self._work(self.until)
        except BaseException as failure:  # noqa: BLE001 - raised again by result()
            self._failure = failure
            self._stop.set(f"{self._name} failed")
