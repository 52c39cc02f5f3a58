"""Dispositions as an output is told them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from linewarden_onward.interface import GatePermission, Notice, OutputRun
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.samples import SAMPLES
from linewarden_schemas.vocabulary import Routing

NOW_MS = 1_764_000_000_000
WINDOW_MS = 2_000


def diverted(number: int) -> Notice:
    """Visit `number`, diverted."""
    sample = next(one for one in SAMPLES if isinstance(one, Disposition) and one.revision == 0)
    return Notice(sample.model_copy(update={"visit_id": f"v{number}"}))


def passed(number: int, *, expires_ms: int = NOW_MS + WINDOW_MS, epoch: int = 1) -> Notice:
    """Visit `number`, passed, with a permission under its number."""
    told = diverted(number)
    changes = {"routing": Routing.TRUSTED_PASS, "causes": (), "reasons": (), "reasons_coded": ()}
    permission = GatePermission(
        visit_id=told.disposition.visit_id,
        counter=number,
        sequence=number,
        epoch=epoch,
        expires_ms=expires_ms,
        window_ms=WINDOW_MS,
    )
    return replace(told, disposition=told.disposition.model_copy(update=changes), permission=permission)


def output_run(
    *, epoch: int = 1, now_ms: Callable[[], int | None] = lambda: NOW_MS, clock: Clock | None = None
) -> OutputRun:
    """A run of `line1`, at a time that stands still."""
    return OutputRun("line1", epoch, clock or SystemClock(), threading.Event(), now_ms)
