"""The state machine of one visit: `step(visit, event, context)` and `next_due_ms(visit)`. Pure.

(unknown) --capture, inspection--> gathering --all answered, or decide-by--> revision 0
revision 0: trusted_pass, rejected -> final            diverted -> reviewing
reviewing --judgements agree, or tie-break--> settled --undo--> reviewing
settled --undo window over--> final                    final --a worse view--> reviewing, with an alarm
final --spool's horizon over--> forgotten
On a line with a gate, from revision 0 on: a report of something else, or none in time --> reviewing, with an alarm
"""

from __future__ import annotations

from linewarden_route import gate, review
from linewarden_route.adoption import adopt, reconcile
from linewarden_route.bounds import MOST_FRAMES, crowded, is_full
from linewarden_route.events import (
    ActuationSeen,
    CaptureSeen,
    Context,
    Counted,
    Dead,
    DecisionSeen,
    DropSlot,
    Event,
    InspectionSeen,
    LineWithheld,
    PassLate,
    RoutingSeen,
    RoutingUnseen,
    SlotsSeen,
    Step,
    Tally,
    TimerDue,
)
from linewarden_route.joining import frame_of, in_budget, new_visit, with_capture, with_inspection
from linewarden_route.policy import is_complete, time_budget
from linewarden_route.routing import finish, first_routing, reconsider, restate, take_back
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.route_state import VisitSnapshot


def step(visit: VisitSnapshot | None, event: Event, context: Context) -> Step:
    """Give the visit after an event, and what follows from it.

    The very same visit object comes back where the event changes nothing.
    """
    match event:
        case CaptureSeen() | InspectionSeen() if visit is not None and is_full(visit, _frame_of(event)):
            return _crowded(visit, context)
        case CaptureSeen():
            return _on_capture(visit, event, context)
        case InspectionSeen():
            return _on_inspection(visit, event, context)
        case DecisionSeen() | ActuationSeen():
            return _on_answer(visit, event, context)
        case RoutingSeen() | RoutingUnseen() | SlotsSeen() | PassLate() | LineWithheld():
            return _mended(visit, event, context)
        case TimerDue():
            return Step(None) if visit is None else _on_timer(visit, context)


def next_due_ms(visit: VisitSnapshot) -> int | None:
    """When the visit has to be looked at without any record (epoch ms): decide-by, gate, undo window or horizon."""
    if visit.revision < 0:
        return visit.decide_by_ms
    due_ms = visit.forget_at_ms if visit.final else visit.undo_until_ms
    return due_ms if visit.gate_due_ms is None else min(visit.gate_due_ms, due_ms or visit.gate_due_ms)


def _mended(
    visit: VisitSnapshot | None,
    event: RoutingSeen | RoutingUnseen | SlotsSeen | PassLate | LineWithheld,
    context: Context,
) -> Step:
    match event:
        case RoutingSeen():
            return adopt(visit, event.disposition, context)
        case SlotsSeen():
            return reconcile(visit, event.slots, context)
        case RoutingUnseen():
            return Step(None) if visit is None else restate(visit, context, event.first)
        case PassLate():
            return Step(None) if visit is None else take_back(visit, context)
        case LineWithheld():
            return Step(None) if visit is None else take_back(visit, context, event.why)


def _on_answer(visit: VisitSnapshot | None, event: DecisionSeen | ActuationSeen, context: Context) -> Step:
    told = event.decision if isinstance(event, DecisionSeen) else event.actuation
    if visit is None:
        return Step(None, (Dead("unknown-visit", f"no open visit {told.visit_id}"),))
    return review.answer(visit, told, context) if isinstance(told, Decision) else gate.reported(visit, told, context)


def _frame_of(event: CaptureSeen | InspectionSeen) -> str:
    return event.capture.frame_id if isinstance(event, CaptureSeen) else event.inspection.frame_id


def _on_timer(visit: VisitSnapshot, context: Context) -> Step:
    due_ms = next_due_ms(visit)
    # A record of the same plan may have moved it since the timer ran out.
    if due_ms is None or context.now_ms < due_ms:
        return Step(visit)
    if visit.revision < 0:
        return first_routing(visit, context)
    if visit.gate_due_ms is not None and context.now_ms >= visit.gate_due_ms:
        return gate.silent(visit, context)
    if not visit.final:
        return finish(visit, context)
    # The spool's horizon is over: tombstones of the slots, and the visit is no more.
    return Step(None, tuple(DropSlot(slot.slot_id) for slot in visit.slots))


def _on_capture(visit: VisitSnapshot | None, event: CaptureSeen, context: Context) -> Step:
    capture = event.capture
    if visit is None and _is_forgotten(capture, event.append_ms, context):
        return _forgotten("late-capture", capture.visit_id)
    # The camera's clock, or route's view of the broker's, may be too far from the append time.
    apart_ms = max(abs(context.now_ms - event.append_ms), abs(capture.captured_ms - event.append_ms))
    before = visit or new_visit(capture)
    after = with_capture(before, capture, out_of_time=apart_ms > time_budget(context.recipe).max_skew_ms)
    if after is before:
        return Step(visit, (Counted(Tally.DUPLICATE, "capture"),))
    timed = in_budget(after, event.append_ms, time_budget(context.recipe).decide_by_ms)
    return _joined(before, timed, context, capture)


def _on_inspection(visit: VisitSnapshot | None, event: InspectionSeen, context: Context) -> Step:
    inspection = event.inspection
    append_ms = inspection.captured_ms if event.append_ms is None else event.append_ms
    if visit is None and _is_forgotten(inspection, append_ms, context):
        return _forgotten("late-inspection", inspection.visit_id)
    before = visit or new_visit(inspection)
    after = with_inspection(before, inspection, event.at)
    if after is before:
        return Step(visit, (Counted(Tally.DUPLICATE, "inspection"),))
    timed = in_budget(after, append_ms, time_budget(context.recipe).decide_by_ms)
    return _joined(before, timed, context, inspection)


def _joined(before: VisitSnapshot, after: VisitSnapshot, context: Context, record: Capture | Inspection) -> Step:
    known = frame_of(before, record.frame_id)
    if isinstance(record, Capture):
        kind, is_again = "capture", known is not None and known.captured
    else:
        kind, is_again = "inspection", known is not None and known.verdict is not None
    again = (Counted(Tally.DUPLICATE, kind),) if is_again else ()
    apart = (Counted(Tally.CONTRADICTION, kind),) if after.contradictions != before.contradictions else ()
    if after.revision < 0:
        # At decide-by at once, whatever is missing: what is late diverts, and waits for nothing.
        ready = is_complete(after, context.recipe) or context.now_ms >= after.decide_by_ms
        then = first_routing(after, context) if ready else Step(after)
        return Step(then.visit, (*then.effects, *(apart or again)))
    then = reconsider(before, after, context)
    counted = apart or again or (Counted(Tally.LATE, kind),)
    if then.effects or is_again or not after.final:
        return Step(then.visit, (*then.effects, *counted))
    dead = Dead(f"late-{kind}", f"{kind} of {record.frame_id} came after visit {after.visit_id} was closed")
    return Step(then.visit, (dead, *counted))


def _crowded(visit: VisitSnapshot, context: Context) -> Step:
    """No room for another frame: the record is given up, and the visit diverts, or is revised with an alarm."""
    why = f"visit {visit.visit_id} has {MOST_FRAMES} frames already; does a trigger counter stand still?"
    dead = Dead("too-many-frames", why)
    marked = crowded(visit)
    if marked is visit or visit.revision < 0:
        return Step(marked, (dead,))
    then = reconsider(visit, marked, context)
    return Step(then.visit, (*then.effects, dead))


def _is_forgotten(record: Capture | Inspection, append_ms: int, context: Context) -> bool:
    """Whether a visit of this age may have been closed and forgotten, so that none may be begun for it.

    Age is told by the broker; by the camera only where its clock had been compared with the broker's: then it's a
    spool that held the record for longer than its horizon. A wrong clock must not cost a trigger its visit, so of one
    that nobody compared the number tells: a visit of it, or of a later one, was begun, ended and forgotten. That a
    later number was seen is not enough: a record whose delivery failed comes after those that followed it.
    """
    budget = time_budget(context.recipe)
    until_ms = context.now_ms if context.routed_until_ms is None else context.routed_until_ms
    if append_ms + budget.spool_horizon_ms <= until_ms:
        return True
    if record.clock_checked:
        # By its own times, not by now: a backlog of route's makes no record older.
        return record.captured_ms + budget.spool_horizon_ms <= append_ms
    return context.was_forgotten and abs(append_ms - record.captured_ms) > budget.max_skew_ms


def _forgotten(cause: str, visit_id: str) -> Step:
    dead = Dead(cause, f"visit {visit_id} is older than the spool's horizon")
    return Step(None, (dead, Counted(Tally.LATE, cause.removeprefix("late-"))))
