"""Why a decision is refused: a short stable word for counting, and a sentence for the person.

A refused judgement opens its slot anew; a refused undo changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from linewarden_domain.authority import DISPOSING, MAY_TAKE, may_name
from linewarden_route import slots
from linewarden_route.events import Context
from linewarden_route.policy import frames_to_cover, review_rules
from linewarden_route.slots import RELEASING, outcome_of
from linewarden_schemas.decision import Decision
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import SlotState, VisitSnapshot
from linewarden_schemas.vocabulary import Judgement, Outcome, Skill

_FITTING = {
    Judgement.OK: frozenset({None, Outcome.ACCEPT}),
    Judgement.NG: frozenset({None, Outcome.REWORK, Outcome.SCRAP, Outcome.USE_AS_IS}),
    Judgement.UNSURE: frozenset({None}),
}


def judge_refusals(
    visit: VisitSnapshot, slot: SlotState, decision: Decision, recipe: Recipe | None
) -> Iterator[tuple[str, str]]:
    """Why this judgement of an open slot is not valid; nothing if it is."""
    # Without one it fits no outcome, so it is refused if it names any.
    judgement = decision.judgement or Judgement.UNSURE
    if decision.role not in MAY_TAKE[slot.skill]:
        yield "role", f"a slot for the skill {slot.skill.value} is not for the role {decision.role.value}"
    if decision.actor in slots.excluded_actors(visit, slot.round):
        yield "same_actor", f"{decision.actor} judged another round of this visit"
    if decision.outcome not in _FITTING[judgement]:
        yield "outcome", f"{decision.outcome} does not go with the judgement {judgement.value}"
    if not may_name(decision.role, decision.outcome):
        roles = ", ".join(sorted(role.value for role in DISPOSING))
        yield "authority", f"{decision.outcome} is for the role {roles}"
    if decision.hand_to is Skill.OPERATOR:
        if slot.skill is not Skill.LEAD:
            yield "hand_to", "only what came to a lead is sent back to operators"
        if slot.round >= review_rules(recipe).reviews_required:
            yield "hand_to", "a tie-break is a lead's"
    # An NG that keeps the part needs no cover, since one defect seen is enough; use_as_is lets it go.
    released = judgement is Judgement.OK or decision.outcome in RELEASING
    # A frame of which another picture was on the screen than was captured nobody has looked at.
    taken = {view.frame_id: view.sha256 for view in visit.views if view.sha256 is not None}
    unseen = {
        one.frame_id
        for one in decision.shown
        if one.sha256 is not None and taken.get(one.frame_id, one.sha256) != one.sha256
    }
    uncovered = sorted(frames_to_cover(visit, recipe) - (frozenset(decision.covers) - unseen))
    if released and uncovered:
        yield "uncovered", f"doubtful frames were not looked at: {', '.join(uncovered)}"[:2000]


def undo_refusals(visit: VisitSnapshot, decision: Decision, context: Context) -> Iterator[tuple[str, str]]:
    """Why this undo is not valid; nothing if it is."""
    slot = next((one for one in visit.slots if one.decision_id == decision.undoes), None)
    if slot is None or slot.judgement is None or slot.closed_ms is None:
        yield "undo_unknown", f"no counting decision {decision.undoes}"
        return
    if visit.final:
        yield "undo_final", "the visit is final"
    # `>=`: at its end the outcome is due, and both must not happen.
    if context.now_ms >= slot.closed_ms + context.rules.undo_window_ms:
        yield "undo_late", "the undo window is over"
    if decision.actor != slot.actor and decision.role not in MAY_TAKE[Skill.LEAD]:
        yield "undo_foreign", "only its author, a lead or quality may undo a decision"
    newest = slots.latest(visit, slot.round)
    later = [one for one in visit.slots if one.round == slot.round and one.generation > slot.generation]
    if any(one.judgement is not None for one in later) or (later and newest is not None and not newest.open):
        yield "undo_overtaken", "a lead answered meanwhile"
    required = context.rules.reviews_required
    tie_break = slots.latest(visit, required) if slot.round < required else None
    if tie_break is not None and outcome_of(tie_break, context.rules) is not None:
        yield "undo_overtaken", "the tie-break is decided; undo that first"
