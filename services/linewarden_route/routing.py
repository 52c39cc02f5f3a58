"""Revision 0, the revisions that a worse view forces, the outcome at the end, and how they look as records."""

from __future__ import annotations

from linewarden_domain.routing import worst
from linewarden_domain.words import Said, said, sentences
from linewarden_route import faults, review, slots
from linewarden_route.bounds import until
from linewarden_route.events import Context, Counted, Effect, Publish, Step, Tally
from linewarden_route.policy import Ruling, findings, frames_to_cover, rule, rule_first, time_budget
from linewarden_route.positions import DRAWN, drawn_position
from linewarden_route.slots import RELEASING, counting_slots, outcome_of, settled
from linewarden_schemas.disposition import Disposition, ViewResult
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Cause, Routing


def first_routing(visit: VisitSnapshot, context: Context) -> Step:
    """Revision 0: the routing by what is known now. Only a diversion is not final and opens slots."""
    if context.withheld is not None:
        visit = _not_to_pass(visit, context.withheld)
    ruling = rule_first(visit, context.recipe, context.secret, context.now_ms)
    if ruling.routing is Routing.TRUSTED_PASS and not context.is_timed:
        ruling = Ruling(Routing.DIVERTED, (Cause.LATE,), (said("time_unknown"),))
    # A pass and a reject wait for nobody; the reject that was drawn for review is a diversion by now.
    final = ruling.routing is not Routing.DIVERTED
    is_drawn = DRAWN.intersection(ruling.causes[:1])  # by its first cause, whatever else speaks against it
    position = drawn_position(context.secret, visit.visit_id, context.positions) if is_drawn else None
    routed = _ruled(visit, ruling).model_copy(update={"revision": 0, "final": final, "position": position})
    routed = awaiting_gate(routed, context)
    if final:
        closed = with_forget_time(routed, context)
        return Step(closed, (Publish(disposition(closed, context)),))
    return _withheld(routed, context, None)


def reconsider(before: VisitSnapshot, visit: VisitSnapshot, context: Context) -> Step:
    """What a record that came after revision 0 changes: nothing, the open slots, or a revision with an alarm.

    Only what it brought and the present revision does not tell counts, so that nothing is raised a second time.
    """
    alarm = _alarm(before, visit, context)
    if alarm is not None:
        # The routing never becomes better again, nor its causes none.
        ruling = rule(visit, context.recipe, context.secret)
        routing = worst((visit.routing or ruling.routing, ruling.routing))
        worse = Ruling(routing, ruling.causes or visit.causes, ruling.reasons)
        return _revised(_ruled(visit, worse), context, alarm)
    if visit.final:
        return Step(visit)
    # Somebody has said OK of what was there; of a frame that must be covered and is new they have said nothing.
    joined = frames_to_cover(visit, context.recipe) - frames_to_cover(before, context.recipe)
    if joined and any(outcome_of(slot, context.rules) in RELEASING for slot in visit.slots):
        return review.ask(visit, context)
    return review.resend(visit, context) if slots.open_slots(visit) else Step(visit)


def _alarm(before: VisitSnapshot, visit: VisitSnapshot, context: Context) -> str | None:
    """What people have to be told of, and asked about again; None where nothing speaks against what stands."""
    recipe = context.recipe
    old = findings(before, recipe)
    news = {one for one in findings(visit, recipe) if one not in old and one.reason.sentence not in visit.reasons}
    ruling = rule(visit, recipe, context.secret)
    # Worse by something new alone: what the present revision tells has been raised with it.
    if news and (visit.routing is None or ruling.routing.severity > visit.routing.severity):
        return "a worse view came after revision 0"
    # Told whatever the routing: of two records that differ one is wrong, and people may have judged by it.
    if news & faults.contradictions(visit, recipe):
        return "records contradict each other after revision 0"
    if not _is_released(visit, context):
        return None
    # That something is late, or in doubt, people may have covered: it is no fault of what they released.
    if any(found.cause not in {Cause.LATE, Cause.LOW_TRUST} for found in news):
        return "a frame is known to be faulty after the release"
    if frames_to_cover(visit, recipe) - {view.frame_id for view in before.views}:
        return "a frame that nobody looked at came after the release"
    return None


def take_back(visit: VisitSnapshot, context: Context, withheld: Said | None = None) -> Step:
    """What a pass comes to that became visible too late, or was `withheld` by its line: a revision with an alarm, once.

    The second is known too late where a state was told before the decision and learnt after it.
    """
    # Revision 0 alone moves the gate; one that was revised has its alarm.
    if visit.revision != 0 or visit.routing is not Routing.TRUSTED_PASS:
        return Step(visit)
    if withheld is not None:
        marked = _not_to_pass(visit, withheld)
        ruled = _ruled(marked, rule(marked, context.recipe, context.secret))
        told = _revised(ruled, context, "its line let nothing pass when the part was decided, which was learnt later")
        return Step(told.visit, (*told.effects, Counted(Tally.LATE, "line-state")))
    late = said("pass_late")
    revised = _revised(_ruled(visit, Ruling(Routing.DIVERTED, (Cause.LATE,), (late,))), context, late.sentence)
    return Step(revised.visit, (*revised.effects, Counted(Tally.LATE, "pass")))


def finish(visit: VisitSnapshot, context: Context) -> Step:
    """The undo window is over: the outcome becomes a final revision."""
    slot = settled(visit, context.rules)
    outcome = None if slot is None else outcome_of(slot, context.rules)
    # Settled by rules that hold no more, as where the recipe is unknown by now: asked anew rather than left open.
    if slot is None or outcome is None:
        return review.ask(visit, context)
    changes = {"revision": visit.revision + 1, "outcome": outcome, "final": True, "undo_until_ms": None}
    done = with_forget_time(visit.model_copy(update=changes), context)
    return Step(done, (Publish(disposition(done, context, concession=slot.concession)),))


def restate(visit: VisitSnapshot, context: Context, first: int | None = None) -> Step:
    """The present revision once more, since no reader can see it; a pass is decided anew, for its time may be over.

    Revisions from `first` on that cannot be seen either are told by what is known now, which is no better than they.
    """
    if visit.revision == 0 and visit.routing is Routing.TRUSTED_PASS:
        # As if it had never been routed: nobody saw the pass, so nothing was let go by it.
        changes = {"revision": -1, "routing": None, "causes": (), "reasons": (), "final": False, "forget_at_ms": None}
        return first_routing(visit.model_copy(update={**changes, "reasons_coded": ()}), context)
    slot = settled(visit, context.rules) if visit.outcome is not None else None
    concession = None if slot is None else slot.concession
    again = "this revision is told again: what was said of it first could not be seen"
    told = []
    for number in range(visit.revision if first is None else first, visit.revision):
        final = number == 0 and visit.routing is not Routing.DIVERTED
        former = visit.model_copy(update={"revision": number, "outcome": None, "final": final})
        told.append(disposition(former, context, alarm=again if number > 0 else None))
    alarm = again if visit.revision > 0 and visit.outcome is None else None
    told.append(disposition(visit, context, alarm=alarm, concession=concession))
    return Step(visit, tuple(map(Publish, told)))


def with_forget_time(visit: VisitSnapshot, context: Context) -> VisitSnapshot:
    """The visit with the time after which no spool can bring a record of it any more."""
    horizon = time_budget(context.recipe).spool_horizon_ms
    return visit.model_copy(update={"forget_at_ms": until(max(visit.decide_by_ms, context.now_ms) + horizon)})


def awaiting_gate(visit: VisitSnapshot, context: Context) -> VisitSnapshot:
    """The visit with what its gate was told, and until when the gate has to report; as it is where there is no gate."""
    # A known-bad is a picture alone: no part of it comes to the gate.
    if visit.known_bad or visit.line_state is None or not visit.line_state.has_gate:
        return visit
    due_ms = until(max(visit.decide_by_ms, context.now_ms) + time_budget(context.recipe).gate_report_ms)
    return visit.model_copy(update={"gate_told": visit.routing, "gate_due_ms": due_ms})


def disposition(
    visit: VisitSnapshot, context: Context, *, alarm: str | None = None, concession: str | None = None
) -> Disposition:
    """The visit's present revision as a record."""
    counting = counting_slots(visit, context.rules) if visit.outcome is not None else ()
    return Disposition(
        visit_id=visit.visit_id,
        revision=max(visit.revision, 0),
        routing=visit.routing or Routing.DIVERTED,
        outcome=visit.outcome,
        final=visit.final,
        causes=visit.causes,
        reasons=visit.reasons,
        reasons_coded=visit.reasons_coded,
        views=tuple(
            ViewResult(
                view_id=view.view_id,
                frame_id=view.frame_id,
                verdict=view.verdict,
                undecidable=view.undecidable,
                p_defect=view.p_defect,
                suspicion=view.suspicion,
            )
            for view in visit.views
        ),
        line_id=visit.line_id,
        station_id=visit.station_id,
        part_id=visit.part_id,
        lot_id=visit.lot_id,
        product_id=visit.product_id,
        cavity=visit.cavity,
        recipe=visit.recipe,
        line_state=visit.line_state,
        returned_from=visit.returned.previous_visit_id if visit.returned else None,
        first_captured_ms=visit.first_captured_ms,
        decide_by_ms=visit.decide_by_ms,
        decided_ms=context.now_ms,
        actors=tuple(dict.fromkeys(slot.actor for slot in counting if slot.actor is not None)),
        decision_ids=tuple(slot.decision_id for slot in counting if slot.decision_id is not None),
        concession=concession,
        alarm=alarm,
        is_simulated=visit.is_simulated,
    )


def _not_to_pass(visit: VisitSnapshot, why: Said) -> VisitSnapshot:
    """Kept with the visit: whoever releases the part later must have looked at all of it."""
    return visit.model_copy(update={"withheld": why.sentence, "withheld_coded": why.reason})


def _ruled(visit: VisitSnapshot, ruling: Ruling) -> VisitSnapshot:
    """The visit with a ruling; the reasons that it has stand where the ruling gives none."""
    changes = {"routing": ruling.routing, "causes": ruling.causes}
    return visit.model_copy(update=changes | (sentences(ruling.reasons) if ruling.reasons else {}))


def _revised(visit: VisitSnapshot, context: Context, alarm: str) -> Step:
    changes = {
        "revision": visit.revision + 1,
        "final": False,
        "outcome": None,
        "forget_at_ms": None,
        # By its own risk from here on: it is a real doubt now, and no drawn visit.
        "position": None,
        "causes": visit.causes or (Cause.REJECT_REVIEW,),
    }
    return _withheld(visit.model_copy(update=changes), context, alarm)


def _withheld(visit: VisitSnapshot, context: Context, alarm: str | None) -> Step:
    asked = review.ask(visit, context)
    raised: tuple[Effect, ...] = (Counted(Tally.ALARM, "revision"),) if alarm else ()
    return Step(asked.visit, (Publish(disposition(visit, context, alarm=alarm)), *asked.effects, *raised))


def _is_released(visit: VisitSnapshot, context: Context) -> bool:
    if visit.final:
        return visit.outcome in RELEASING
    slot = settled(visit, context.rules)
    return slot is not None and outcome_of(slot, context.rules) in RELEASING
