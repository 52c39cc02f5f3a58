"""What the judgements of a visit's rounds come to: still waiting, a tie-break, or a settled outcome."""

from __future__ import annotations

from linewarden_schemas.recipe import ReviewRules
from linewarden_schemas.route_state import SlotState, VisitSnapshot
from linewarden_schemas.vocabulary import Judgement, Outcome

from . import slots

RELEASING = frozenset({Outcome.ACCEPT, Outcome.USE_AS_IS})
"""Outcomes that let a part go on; they need every doubtful frame covered."""


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
    return [slots.latest(visit, number) for number in range(rules.reviews_required)]


def counting_slots(visit: VisitSnapshot, rules: ReviewRules) -> tuple[SlotState, ...]:
    """The slots whose judgements made the outcome: the required ones and, if it came to it, the tie-break."""
    tie_break = slots.latest(visit, rules.reviews_required)
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
    tie_break = slots.latest(visit, len(required))
    return tie_break if _answer(tie_break, rules) is not None else None


def _answer(slot: SlotState | None, rules: ReviewRules) -> tuple[Outcome, str | None] | None:
    outcome = None if slot is None else outcome_of(slot, rules)
    return None if slot is None or outcome is None else (outcome, slot.concession)
