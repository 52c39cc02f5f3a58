"""When a gate may open: pure."""

from __future__ import annotations

from linewarden_onward.interface import GatePermission
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import trigger_in
from linewarden_schemas.vocabulary import LineMode


def permission_of(
    disposition: Disposition,
    append_ms: int,
    now_ms: int | None,
    epoch: int,
    sequence: int,
    *,
    simulated_opens: bool = False,
) -> GatePermission | None:
    """The permission of a disposition; None for everything but a trusted pass of a real part in production, in time.

    `append_ms` is when its record was written and `now_ms` the broker's time now, None where it is not known; both must
    lie before decide-by. A visit whose id names no trigger is known to no gate. `simulated_opens` is for demos.
    """
    trigger = trigger_in(disposition.visit_id)
    state = disposition.line_state
    if (
        not disposition.is_pass
        or (disposition.is_simulated and not simulated_opens)
        or state is None
        or state.mode is not LineMode.PRODUCTION
        or trigger is None
        or now_ms is None
        or max(append_ms, now_ms) >= disposition.decide_by_ms
    ):
        return None
    trigger_ms, counter = trigger
    return GatePermission(
        visit_id=disposition.visit_id,
        counter=counter,
        sequence=sequence,
        epoch=epoch,
        expires_ms=disposition.decide_by_ms,
        window_ms=max(0, disposition.decide_by_ms - trigger_ms),
    )
