"""The slots of a visit: rounds, generations, who may take them, how they look as records, what judgements come to.

A round is one person's judgement; rounds are blind to each other. A round that has to be asked again gets the
next generation. The round after the required ones is the tie-break.
"""

from __future__ import annotations

from linewarden_route.bounds import until
from linewarden_route.policy import frames_to_cover, missing_views
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import SlotClose, SlotFrame, SlotOpen
from linewarden_schemas.recipe import Recipe, ReviewRules
from linewarden_schemas.route_state import SlotState, VisitSnapshot
from linewarden_schemas.vocabulary import Cause, CloseReason, Judgement, Outcome

RELEASING = frozenset({Outcome.ACCEPT, Outcome.USE_AS_IS})
"""Outcomes that let a part go on; they need every doubtful frame covered."""


def latest(visit: VisitSnapshot, review_round: int) -> SlotState | None:
    """The newest generation of a round; None if the round was never opened."""
    slots = [slot for slot in visit.slots if slot.round == review_round]
    return max(slots, key=lambda slot: slot.generation, default=None)


def open_slots(visit: VisitSnapshot) -> tuple[SlotState, ...]:
    """Slots that wait for a person, by round."""
    return tuple(sorted((slot for slot in visit.slots if slot.open), key=lambda slot: slot.round))


def excluded_actors(visit: VisitSnapshot, review_round: int) -> tuple[str, ...]:
    """People whose judgement counts in another round; they may not take this one."""
    seen = {slot.actor for slot in visit.slots if slot.round != review_round and slot.judgement is not None}
    return tuple(sorted(actor for actor in seen if actor is not None))


def with_slot(visit: VisitSnapshot, slot: SlotState) -> VisitSnapshot:
    """The visit with this slot added, or put in the place of the one of the same id."""
    others = tuple(one for one in visit.slots if one.slot_id != slot.slot_id)
    ordered = tuple(sorted((*others, slot), key=lambda one: (one.round, one.generation)))
    return visit.model_copy(update={"slots": ordered})


def close_record(
    visit: VisitSnapshot,
    slot: SlotState,
    reason: CloseReason,
    now_ms: int,
    decision: Decision | None = None,
    detail: str | None = None,
) -> SlotClose:
    """The record that ends a slot."""
    return SlotClose(
        slot_id=slot.slot_id,
        visit_id=visit.visit_id,
        reason=reason,
        detail=detail,
        closed_ms=now_ms,
        decision_id=decision.decision_id if decision else None,
        actor=decision.actor if decision else None,
    )


def open_record(visit: VisitSnapshot, slot: SlotState, recipe: Recipe | None, rules: ReviewRules) -> SlotOpen:
    """The record that asks for a judgement: every frame of the visit, with its sources, doubtful or not.

    Due earlier the higher the risk: `slack_low_risk_ms` after opening at no risk, at once at risk 1. So what waits
    ages: nothing that comes later than its due time can be due before it, and nothing starves.
    """
    # A drawn visit shows a risk that was drawn for it, or its place in the queue would give it away.
    risk = risk_of_visit(visit, recipe) if visit.position is None else visit.position
    opened_ms = slot.opened_ms or 0
    slack_ms = round((1.0 - risk) * rules.slack_low_risk_ms)
    doubtful = frames_to_cover(visit, recipe)
    lost = tuple(view.view_id for view in visit.views if view.lost is not None)
    return SlotOpen(
        slot_id=slot.slot_id,
        visit_id=visit.visit_id,
        round=slot.round,
        generation=slot.generation,
        causes=visit.causes or (Cause.REJECT_REVIEW,),
        reasons=visit.reasons,
        reasons_coded=visit.reasons_coded,
        risk=risk,
        opened_ms=opened_ms,
        due_ms=until(opened_ms + slack_ms),
        line_id=visit.line_id,
        part_id=visit.part_id,
        product_id=visit.product_id,
        recipe=visit.recipe,
        bin_slot=visit.bin_slot,
        skill=slot.skill,
        needs=rules.needs,
        capacity_per_hour=rules.capacity_per_hour,
        max_age_ms=rules.max_age_ms,
        excluded_actors=excluded_actors(visit, slot.round),
        handover=slot.handover,
        missing_views=tuple(dict.fromkeys((*missing_views(visit, recipe), *lost))),
        frames=tuple(
            SlotFrame(
                frame_id=view.frame_id,
                view_id=view.view_id,
                doubtful=view.frame_id in doubtful,
                sha256=view.sha256,
                frame=view.frame,
                inspection=view.inspection,
                verdict=view.verdict,
                p_defect=view.p_defect,
                suspicion=view.suspicion,
                reasons=view.reasons,
                reasons_coded=view.reasons_coded,
            )
            for view in visit.views
        ),
        is_simulated=visit.is_simulated,
    )


def risk_of_visit(visit: VisitSnapshot, recipe: Recipe | None) -> float:
    """The highest risk of its views; 1 where a view is missing or was not judged."""
    if not visit.views or missing_views(visit, recipe):
        return 1.0
    return max(1.0 if view.risk is None else view.risk for view in visit.views)


def outcome_of(slot: SlotState, rules: ReviewRules) -> Outcome | None:
    """The outcome that a slot's judgement stands for; None while it has none or is unsure.

    A plain NG takes the recipe's `ng_outcome`; one that would release the part is read as scrap.
    """
    if slot.open or slot.judgement is None or slot.judgement is Judgement.UNSURE:
        return None
    if slot.outcome is not None:
        return slot.outcome
    if slot.judgement is Judgement.OK:
        return Outcome.ACCEPT
    usual = rules.ng_outcome
    return Outcome.SCRAP if usual in RELEASING else usual


def required_slots(visit: VisitSnapshot, rules: ReviewRules) -> list[SlotState | None]:
    """The newest slot of each required round."""
    return [latest(visit, number) for number in range(rules.reviews_required)]


def counting_slots(visit: VisitSnapshot, rules: ReviewRules) -> tuple[SlotState, ...]:
    """The slots whose judgements made the outcome: the required ones and, if it came to it, the tie-break."""
    tie_break = latest(visit, rules.reviews_required)
    candidates = [*required_slots(visit, rules), tie_break]
    return tuple(slot for slot in candidates if slot is not None and outcome_of(slot, rules) is not None)


def disagrees(visit: VisitSnapshot, rules: ReviewRules) -> bool:
    """Whether all required rounds are answered, and not all alike."""
    answers = [_answer(slot, rules) for slot in required_slots(visit, rules)]
    return None not in answers and len(set(answers)) > 1


def settled(visit: VisitSnapshot, rules: ReviewRules) -> SlotState | None:
    """The slot that carries the outcome; None while a round or a tie-break is unanswered."""
    required = required_slots(visit, rules)
    answers = [_answer(slot, rules) for slot in required]
    if None in answers:
        return None
    if len(set(answers)) == 1:
        return required[0]
    tie_break = latest(visit, len(required))
    return tie_break if _answer(tie_break, rules) is not None else None


def _answer(slot: SlotState | None, rules: ReviewRules) -> tuple[Outcome, str | None] | None:
    outcome = None if slot is None else outcome_of(slot, rules)
    return None if slot is None or outcome is None else (outcome, slot.concession)
