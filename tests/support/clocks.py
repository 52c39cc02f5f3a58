"""A process's own wall clock, set while it runs (Debian's faketime); its monotonic clock stays the machine's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"
LATE_S = 1
"""A step is seen so late at most, and a second for rounding: the file is not read at each look at the clock."""
_SLEEP = Path(__file__).with_name("under_faketime")
_PROBE = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


class FakeClock:
    """Whoever is started with `env` reads its wall time from `file`: so many seconds beside the machine's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0.0)

    @staticmethod
    def library() -> Path | None:
        """Where libfaketime lies; None where it is not installed."""
        return next(iter(sorted(Path("/").glob(_LIBRARIES[1:]))), None)

    def set(self, seconds: float) -> None:
        """Step the clock: so many seconds ahead of the machine's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._file)

    def env(self) -> dict[str, str]:
        """What a process must be started with. Without DONT_FAKE_MONOTONIC its durations would jump too."""
        return {
            "LD_PRELOAD": str(self.library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": str(LATE_S),
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_SLEEP), os.environ.get("PYTHONPATH")))),
        }


class ClockProbe:
    """A process under a fake clock that tells both of its clocks."""

    def __init__(self, clock: FakeClock) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROBE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **clock.env()},
            text=True,
        )

    def ask(self) -> tuple[float, float]:
        """Its wall time and its monotonic time, seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        wall, monotonic = self._process.stdout.readline().split()
        return float(wall), float(monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
