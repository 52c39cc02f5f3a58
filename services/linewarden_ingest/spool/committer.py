"""Group commit: while one fsync is on its way, records pile up for the next."""

from __future__ import annotations

import threading
from contextlib import suppress

from .faults import SpoolBroken
from .spool import Spool

_LOOK_S = 0.2


def commit(spool: Spool, until: threading.Event) -> None:
    """Sync the spool until asked to stop, or to the first fsync that fails: it then refuses every further record."""
    with suppress(SpoolBroken):  # no second try: what the first fsync lost is reported durable by the next
        while not until.is_set():
            if spool.wait_unsynced(_LOOK_S):
                spool.sync()
