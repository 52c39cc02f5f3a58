"""Work on a thread beside the main one; a failure asks the whole process to stop and is raised at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from .lifecycle import Stop


class Background:
    """Runs `work` once, from `start` or the begin of the with-block; leaving the block waits for it to return."""

    def __init__(self, name: str, work: Callable[[], None], stop: Stop) -> None:
        self._name, self._work, self._stop = name, work, stop
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for the end, at most `timeout_s`, and raise what it raised."""
        self._thread.join(timeout_s)
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as failure:  # noqa: BLE001 - raised again by result()
            self._failure = failure
            self._stop.set(f"{self._name} failed")
