"""Work on a thread of its own that ends with the service, and ends it where it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable

from linewarden_runtime.lifecycle import Stop


class Beside:
    """Runs `work` until `join`; a failure asks the service to stop and is raised by `raise_failure`."""

    def __init__(self, name: str, work: Callable[[Stop], None], service: Stop) -> None:
        self._work, self._service = work, service
        self._own = Stop()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin the work in its thread; what it raises comes out of `raise_failure`."""
        self._thread.start()

    def join(self) -> None:
        """Ask the work to stop, and wait for it."""
        self._own.set("the service ends")
        self._thread.join()

    def raise_failure(self) -> None:
        """Raise what the work raised, if it did."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._work(self._own)
        except BaseException as failure:  # noqa: BLE001 - raised again on the service's thread
            self._failure = failure
            self._service.set("a part of it failed")
