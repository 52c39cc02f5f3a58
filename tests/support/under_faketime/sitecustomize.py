"""Loaded by Python at its start under a fake clock: libfaketime refuses the sleep that Python asks for (EINVAL).

`time.sleep` sleeps until a moment of the monotonic clock, by clock_nanosleep; waiting in select does the same.
"""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep  # type: ignore[assignment]
