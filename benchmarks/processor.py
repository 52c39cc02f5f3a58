"""User and system time of processes and their children, also of those that end meanwhile."""

from __future__ import annotations

import contextlib
import os
import time

import psutil

_EVERY_S = 0.5
"""Looking costs time itself, on the cores that are measured."""


class ProcessorTime:
    """Seconds of each named process so far; what has ended keeps what it had at the last look."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._latest = dict.fromkeys(pids, 0.0)
        self._looked_at = 0.0

    def look(self) -> None:
        """Look, unless that was done a moment ago."""
        if time.monotonic() - self._looked_at >= _EVERY_S:
            self.now()

    def now(self) -> dict[str, float]:
        """Look and tell."""
        self._looked_at = time.monotonic()
        for who, pid in self._pids.items():
            self._latest[who] = max(_spent(pid), self._latest[who])
        return dict(self._latest)


def _spent(pid: int) -> float:
    seconds = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [process] if pid == os.getpid() else [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # a camera that ends meanwhile
                seconds += sum(one.cpu_times()[:2])
    return seconds
