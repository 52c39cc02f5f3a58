"""Why a decision is refused. A refused judgement opens its slot anew; a refused undo changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linewarden_domain.authority import DISPOSING, MAY_TAKE, may_name
from linewarden_schemas.decision import Decision
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import SlotState, VisitSnapshot
from linewarden_schemas.vocabulary import Judgement, Outcome, Skill

from . import slots
from .events import Context
from .policy import frames_to_cover
from .settling import RELEASING, outcome_of

_FITTING = {
    Judgement.OK: frozenset({None, Outcome.ACCEPT}),
    Judgement.NG: frozenset({None, Outcome.REWORK, Outcome.SCRAP, Outcome.USE_AS_IS}),
    Judgement.UNSURE: frozenset({None}),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A short stable word for counting, and a sentence for the person."""

    kind: str
    detail: str


def judge_refusal(visit: VisitSnapshot, slot: SlotState, decision: Decision, recipe: Recipe | None) -> Refusal | None:
    """Why this judgement of an open slot is not valid; None if it is."""
    return next(_judge_refusals(visit, slot, decision, recipe), None)


def undo_refusal(visit: VisitSnapshot, decision: Decision, context: Context) -> Refusal | None:
    """Why this undo is not valid; None if it is."""
    return next(_undo_refusals(visit, decision, context), None)


def _judge_refusals(
    visit: VisitSnapshot, slot: SlotState, decision: Decision, recipe: Recipe | None
) -> Iterator[Refusal]:
    # Without one it fits no outcome, so it is refused if it names any.
    judgement = decision.judgement or Judgement.UNSURE
    if decision.role not in MAY_TAKE[slot.skill]:
        yield Refusal("role", f"a slot for the skill {slot.skill.value} is not for the role {decision.role.value}")
    if decision.actor in slots.excluded_actors(visit, slot.round):
        yield Refusal("same_actor", f"{decision.actor} judged another round of this visit")
    if decision.outcome not in _FITTING[judgement]:
        yield Refusal("outcome", f"{decision.outcome} does not go with the judgement {judgement.value}")
    if not may_name(decision.role, decision.outcome):
        roles = ", ".join(sorted(role.value for role in DISPOSING))
        yield Refusal("authority", f"{decision.outcome} is for the role {roles}")
    # An NG that keeps the part needs no cover, since one defect seen is enough; use_as_is lets it go.
    released = judgement is Judgement.OK or decision.outcome in RELEASING
    uncovered = _uncovered(visit, decision, recipe) if released else ()
    if uncovered:
        yield Refusal("uncovered", f"doubtful frames were not looked at: {', '.join(uncovered)}"[:2000])


def _uncovered(visit: VisitSnapshot, decision: Decision, recipe: Recipe | None) -> tuple[str, ...]:
    covered = frozenset(decision.covers) - _shown_apart(visit, decision)
    return tuple(sorted(frames_to_cover(visit, recipe) - covered))


def _shown_apart(visit: VisitSnapshot, decision: Decision) -> frozenset[str]:
    """Frames of which another picture was on the screen than was captured: nobody has looked at these."""
    taken = {view.frame_id: view.sha256 for view in visit.views if view.sha256 is not None}
    return frozenset(
        one.frame_id
        for one in decision.shown
        if one.sha256 is not None and taken.get(one.frame_id, one.sha256) != one.sha256
    )


def _undo_refusals(visit: VisitSnapshot, decision: Decision, context: Context) -> Iterator[Refusal]:
    slot = next((one for one in visit.slots if one.decision_id == decision.undoes), None)
    if slot is None or slot.judgement is None or slot.closed_ms is None:
        yield Refusal("undo_unknown", f"no counting decision {decision.undoes}")
        return
    if visit.final:
        yield Refusal("undo_final", "the visit is final")
    # `>=`: at its end the outcome is due, and both must not happen.
    if context.now_ms >= slot.closed_ms + context.rules.undo_window_ms:
        yield Refusal("undo_late", "the undo window is over")
    if decision.actor != slot.actor and decision.role not in MAY_TAKE[Skill.LEAD]:
        yield Refusal("undo_foreign", "only its author, a lead or quality may undo a decision")
    newest = slots.latest(visit, slot.round)
    later = [one for one in visit.slots if one.round == slot.round and one.generation > slot.generation]
    if any(one.judgement is not None for one in later) or (later and newest is not None and not newest.open):
        yield Refusal("undo_overtaken", "a lead answered meanwhile")
    required = context.rules.reviews_required
    if slot.round < required and outcome_of_tie_break(visit, required, context) is not None:
        yield Refusal("undo_overtaken", "the tie-break is decided; undo that first")


def outcome_of_tie_break(visit: VisitSnapshot, required: int, context: Context) -> Outcome | None:
    """The outcome of the tie-break round; None while there is none."""
    tie_break = slots.latest(visit, required)
    return None if tie_break is None else outcome_of(tie_break, context.rules)
