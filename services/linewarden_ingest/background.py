"""Work on a thread beside the main one; a failure asks the whole process to stop and is raised at the end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from linewarden_runtime.lifecycle import Stop


class Background:
    """Runs `work` once, from the begin of the with-block; leaving the block waits for it to return."""

    def __init__(self, name: str, work: Callable[[], None], stop: Stop) -> None:
        self._name, self._work, self._stop = name, work, stop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._future: Future[None] = Future()

    def done(self) -> bool:
        """Whether it returned or failed."""
        return self._future.done()

    def result(self) -> None:
        """Wait for the end and raise what it raised."""
        self._future.result()

    def __enter__(self) -> Self:
        self._future = self._pool.submit(self._work)
        self._future.add_done_callback(self._ended)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def _ended(self, future: Future[None]) -> None:
        if future.exception() is not None:
            self._stop.set(f"{self._name} failed")
