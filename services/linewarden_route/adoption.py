"""Bringing a visit's state and what readers see of it together again, after a transaction was torn.

One transaction carries all, but the client speaks a protocol under which a broker may tear it (KAFKA-17754), and one
that falls between its markers may forget the rest; so of dispositions what readers can see binds.
"""

from __future__ import annotations

from collections.abc import Sequence

from linewarden_route import review, slots
from linewarden_route.events import Context, DropSlot, Effect, Publish, Step
from linewarden_route.policy import is_answered
from linewarden_route.routing import awaiting_gate, with_forget_time
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.route_state import SlotState, ViewState, VisitSnapshot
from linewarden_schemas.vocabulary import Cause, CloseReason, Judgement, Routing


def adopt(visit: VisitSnapshot | None, seen: Disposition, context: Context) -> Step:
    """Take over a visible revision that the state does not know, instead of deciding a second time.

    An adopted diversion is asked for again under the slot ids that it had at first, so readers see no second one.
    """
    # Known already, or older than what is known: of two of one number the first counts.
    if visit is not None and visit.revision >= seen.revision:
        return Step(visit)
    base = visit or VisitSnapshot(
        visit_id=seen.visit_id,
        line_id=seen.line_id,
        station_id=seen.station_id,
        recipe=seen.recipe,
        line_state=seen.line_state,
        part_id=seen.part_id,
        lot_id=seen.lot_id,
        product_id=seen.product_id,
        cavity=seen.cavity,
        first_captured_ms=seen.first_captured_ms,
        decide_by_ms=seen.decide_by_ms,
        is_simulated=seen.is_simulated,
    )
    changes = {
        "views": _views_with(base, seen),
        "revision": seen.revision,
        "routing": seen.routing,
        "causes": seen.causes,
        "reasons": seen.reasons,
        "reasons_coded": seen.reasons_coded,
        "outcome": seen.outcome,
        "final": seen.final,
        "undo_until_ms": None,
        "forget_at_ms": None,
        "known_bad": base.known_bad or Cause.KNOWN_BAD in seen.causes,
    }
    adopted = base.model_copy(update=changes)
    if seen.revision == 0:
        adopted = awaiting_gate(adopted, context)
    return Step(with_forget_time(adopted, context)) if seen.final else review.ask(adopted, context)


def reconcile(visit: VisitSnapshot | None, seen: Sequence[SlotOpen | SlotClose], context: Context) -> Step:
    """Let exactly those slots be open to readers that are open by the state; `seen` is the last word on each.

    What closed the others is told again where it cannot be seen, or something else is. A slot that the state does not
    know is withdrawn: the records that it came of are read again, and may open it anew.
    """
    offered = {slot.slot_id: slot for slot in seen if isinstance(slot, SlotOpen)}
    closed = {slot.slot_id: slot for slot in seen if isinstance(slot, SlotClose)}
    known = {} if visit is None else {slot.slot_id: slot for slot in visit.slots}
    effects: list[Effect] = [
        Publish(
            SlotClose(
                slot_id=name,
                visit_id=slot.visit_id,
                reason=CloseReason.WITHDRAWN,
                detail="what opened it did not come through",
                closed_ms=context.now_ms,
            )
        )
        for name, slot in offered.items()
        if name not in known
    ]
    # After its close, so that who follows takes it out of every hand before it is gone.
    effects += [DropSlot(slot.slot_id) for slot in seen if slot.slot_id not in known]
    if visit is None:
        return Step(None, tuple(effects))
    for slot in visit.slots:
        again = None if slot.open else _close_again(visit, slot, closed.get(slot.slot_id), context)
        if again is not None:
            effects.append(Publish(again))
    missing = [slot for slot in slots.open_slots(visit) if slot.slot_id not in offered]
    effects += [Publish(slots.open_record(visit, slot, context.recipe, context.rules)) for slot in missing]
    if visit.revision >= 0 and not visit.final and not slots.open_slots(visit) and visit.undo_until_ms is None:
        asked = review.ask(visit, context)
        return Step(asked.visit, (*effects, *asked.effects))
    return Step(visit, tuple(effects))


def _close_again(visit: VisitSnapshot, slot: SlotState, told: SlotClose | None, context: Context) -> SlotClose | None:
    """The close of a slot once more; None where readers see it, and where its answer counts, by which."""
    reason = _reason_of(slot)
    is_decided = reason is not CloseReason.WITHDRAWN  # by which act an answer was undone the state does not know
    if told is not None and (not is_decided or (told.reason, told.decision_id) == (reason, slot.decision_id)):
        return None
    return SlotClose(
        slot_id=slot.slot_id,
        visit_id=visit.visit_id,
        reason=reason,
        detail="told again: its close could not be seen",
        closed_ms=slot.closed_ms or context.now_ms,
        decision_id=slot.decision_id if is_decided else None,
        actor=slot.actor if is_decided else None,
    )


def _reason_of(slot: SlotState) -> CloseReason:
    if slot.refused:
        return CloseReason.REFUSED
    if slot.judgement is None:
        return CloseReason.WITHDRAWN
    return CloseReason.ESCALATED if slot.judgement is Judgement.UNSURE else CloseReason.DECIDED


def _views_with(visit: VisitSnapshot, seen: Disposition) -> tuple[ViewState, ...]:
    """What the state knows of each frame, and of frames that it does not know what the disposition tells.

    A pass vouches for its views: records that are delivered again are duplicates to it and raise no alarm. A diversion
    vouches for none: what spoke against the visit as a whole may be what the state does not know.
    """
    told = {
        view.frame_id: ViewState(
            view_id=view.view_id,
            frame_id=view.frame_id,
            decide_by_ms=seen.decide_by_ms,
            captured_ms=seen.first_captured_ms,
            captured=view.verdict is not None,
            doubtful=seen.routing is not Routing.TRUSTED_PASS,
            verdict=view.verdict,
            undecidable=view.undecidable,
            p_defect=view.p_defect,
            suspicion=view.suspicion,
        )
        for view in seen.views
        if view.frame_id is not None
    }
    merged = told | {view.frame_id: view for view in visit.views if view.frame_id not in told}
    for view in visit.views:
        if view.frame_id in told and is_answered(view):
            doubtful = view.doubtful or told[view.frame_id].doubtful
            merged[view.frame_id] = view.model_copy(update={"doubtful": doubtful})
    return tuple(sorted(merged.values(), key=lambda one: (one.view_id, one.frame_id)))
