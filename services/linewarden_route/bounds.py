"""How large a visit may become. A record that is one too many is given up and counted, and its visit never passes.

State, slots and dispositions carry every frame of a visit, and are written anew with each: without a bound a trigger
counter that stands still costs the square of its triggers, and ends with a record that no topic takes.
"""

from __future__ import annotations

from linewarden_domain.words import said
from linewarden_schemas.base import MOST_MS
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.reason import Reason
from linewarden_schemas.route_state import SlotState, VisitSnapshot

MOST_FRAMES = 64
"""Frames of a visit. With reasons of the bounds below its state stays under a quarter of its topic's largest record."""

MOST_REASONS, MOST_REASON = 8, 200
"""Reasons of an inspection that a visit remembers, and characters of each."""

MOST_PARAMETERS = 300
"""Characters of what a reason names as data: a trust score brings its words in each language, some 240 in all."""

MOST_GENERATIONS = 32
"""Slots of a round that a visit remembers; older ones that count for nothing are forgotten, and tombstoned."""


def is_full(visit: VisitSnapshot, frame_id: str) -> bool:
    """Whether the visit has no room for a frame that it does not know."""
    return len(visit.views) >= MOST_FRAMES and all(view.frame_id != frame_id for view in visit.views)


def crowded(visit: VisitSnapshot) -> VisitSnapshot:
    """The visit with the fault that it is named too often; the very same where it has a fault already."""
    *others, last = visit.views
    if last.fault is not None:
        return visit
    marked = last.model_copy(update=fault(last.view_id, "crowded", most=MOST_FRAMES))
    return visit.model_copy(update={"views": (*others, marked)})


def halved(visit: VisitSnapshot) -> VisitSnapshot:
    """The visit with half of its frames, one at least, and the fault that it is named too often."""
    return crowded(visit.model_copy(update={"views": visit.views[: max(1, len(visit.views) // 2)]}))


def fault(view_id: str, name: str, **parameters: str | float) -> dict[str, object]:
    """A fault of a frame as its state holds it: in words, and as the reason that it becomes."""
    told = said("view_fault", view=view_id, fault=name, **parameters)
    return {"fault": said(f"fault.{name}", **parameters).sentence, "fault_coded": told.reason}


def short_reasons(inspection: Inspection) -> dict[str, object]:
    """Reasons of an inspection as a visit remembers them; none as data where one names too much."""
    coded = inspection.reasons_coded[:MOST_REASONS]
    is_long = any(sum(len(str(value)) for value in one.parameters.values()) > MOST_PARAMETERS for one in coded)
    return {
        "reasons": tuple(reason[:MOST_REASON] for reason in inspection.reasons[:MOST_REASONS]),
        "reasons_coded": () if is_long else tuple(Reason(code=one.code, parameters=one.parameters) for one in coded),
    }


def superfluous(slots: tuple[SlotState, ...], review_round: int) -> tuple[SlotState, ...]:
    """Slots of a round that can be forgotten: the oldest beyond the bound that are closed and count for nothing."""
    # By round, since each opens slots by itself; those whose judgement counts stay, however old.
    of_round = [slot for slot in slots if slot.round == review_round]
    return tuple(slot for slot in of_round[:-MOST_GENERATIONS] if not slot.open and slot.judgement is None)


def until(at_ms: int) -> int:
    """A time that a message can carry; what a recipe puts beyond it never comes."""
    return min(at_ms, MOST_MS)
