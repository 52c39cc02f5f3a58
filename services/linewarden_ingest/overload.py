"""What happens when the broker cannot follow: marks of the spool, and the policy at the last one."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Overload(StrEnum):
    """The policy of a full spool."""

    BLOCK = "block"
    """The camera is not polled until there is room: the line holds, nothing is lost."""

    DROP_OLDEST = "drop-oldest"
    """The oldest pictures not yet sent go; their captures stay and say so, and their visits divert."""


class Level(IntEnum):
    """How full the spool is, as the line is told."""

    NORMAL = 0
    WARN = 1
    SLOW = 2
    HOLD = 3


_MARKS = ((1.0, Level.HOLD), (0.9, Level.SLOW), (0.7, Level.WARN))


def level_of(used_share: float) -> Level:
    """Warn at 70 %, ask the line to slow down at 90 %, hold it at 100 %."""
    return next((level for mark, level in _MARKS if used_share >= mark), Level.NORMAL)
