"""What a spool refuses, and why."""

from __future__ import annotations

from linewarden_runtime.errors import Fatal


class SpoolFull(Exception):
    """A record does not fit below the capacity; nothing was written and its sequence is still to be given."""


class SpoolBroken(Fatal):
    """The disk refused to make records durable; what reached it is unknown, so the process must end."""

    exit_code = 74  # EX_IOERR


class SpoolInUse(Fatal):
    """Another process holds the spool, perhaps one that is about to end."""

    exit_code = 75  # EX_TEMPFAIL: a supervisor tries again
