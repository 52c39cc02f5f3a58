"""Group commit: while one fsync is on its way, records pile up for the next."""

from __future__ import annotations

import threading
from typing import Self

from .faults import SpoolBroken
from .spool import Spool

_LOOK_S = 0.2


class Committer:
    """Syncs the spool on a thread of its own as long as it is open.

    After a failed fsync it ends, and `failure` holds it; the spool then refuses every further record.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-commit", daemon=True)
        self.failure: SpoolBroken | None = None

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._spool.wait_unsynced(_LOOK_S):
                try:
                    self._spool.sync()
                except SpoolBroken as broken:
                    # No second try: what the first fsync lost is reported durable by the next.
                    self.failure = broken
                    return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
