"""What a gate did, beside what it was told: intended is not actual, and silence is no answer. Pure.

A gate acts by revision 0 alone. Whatever it did differently, and where it says nothing in time, the visit is revised
with an alarm: the part is not where route believes it to be.
"""

from __future__ import annotations

from linewarden_route.contradictions import noted
from linewarden_route.events import Context, Counted, Dead, Step, Tally
from linewarden_route.routing import reconsider
from linewarden_schemas.operations import Actuation
from linewarden_schemas.route_state import VisitSnapshot

TOLD_AND_DID = "what the gate was told and did"
"""The name of the contradiction."""


def reported(visit: VisitSnapshot, actuation: Actuation, context: Context) -> Step:
    """The gate reports what it did with a visit; the first report that agrees ends the wait, another one revises."""
    name, did = actuation.visit_id, actuation.actual
    if visit.revision < 0:
        # Nothing was told yet, so nothing may have been let through.
        return Step(_apart(visit, "nothing", did or "nothing"), (Counted(Tally.CONTRADICTION, "gate"),))
    if visit.gate_told is None:
        return Step(visit, (Dead("no-gate", f"a gate reports of {name}, whose line has none by its state"),))
    if visit.gate_due_ms is None and visit.gate_did == did:
        return Step(visit, (Counted(Tally.DUPLICATE, "actuation"),))
    heard = visit.model_copy(update={"gate_did": did, "gate_due_ms": None})
    if did is visit.gate_told and visit.gate_did is None:
        # Late where its silence was told of already: that alarm stands, and there is nothing new to tell.
        return Step(heard, () if visit.gate_due_ms is not None else (Counted(Tally.LATE, "actuation"),))
    return _revised(visit, _apart(heard, visit.gate_told, did or "nothing that it knows of"), context)


def silent(visit: VisitSnapshot, context: Context) -> Step:
    """The gate has not reported in time."""
    heard = visit.model_copy(update={"gate_due_ms": None})
    return _revised(visit, _apart(heard, visit.gate_told or "nothing", "no report"), context)


def _apart(visit: VisitSnapshot, told: str, did: str) -> VisitSnapshot:
    return noted(visit, [(TOLD_AND_DID, f"told {told}", f"did {did}")])


def _revised(before: VisitSnapshot, visit: VisitSnapshot, context: Context) -> Step:
    then = reconsider(before, visit, context)
    return Step(then.visit, (*then.effects, Counted(Tally.CONTRADICTION, "gate")))
