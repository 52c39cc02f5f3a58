"""From what a person gave to the decision that is written; nothing is believed that was not delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linewarden_reinspect.station.errors import BadInput, NotBlind, NotShown
from linewarden_reinspect.station.sessions import FirstAnswer, Hand, Session
from linewarden_schemas.decision import Decision, Mark, Shown
from linewarden_schemas.ids import decision_id
from linewarden_schemas.vocabulary import Judgement, Outcome, Skill


@dataclass(frozen=True, slots=True)
class Given:
    """A judgement with everything that a person may add to it."""

    judgement: Judgement
    shown: Sequence[Shown] = ()
    comment: str | None = None
    defect_class: str | None = None
    marks: tuple[Mark, ...] = ()
    outcome: Outcome | None = None
    concession: str | None = None
    unsure_because: str | None = None
    hand_to: Skill | None = None


def first_answer(hand: Hand, judgement: Judgement, shown: Sequence[Shown], at_ms: int) -> FirstAnswer:
    """The judgement of the plain pictures. Raises NotShown where a part is called OK that was not seen whole."""
    seen = tuple(Shown(frame_id=one.frame_id, sha256=hand.delivered[one.frame_id]) for one in _delivered(hand, shown))
    if judgement is Judgement.OK:
        require_all_shown(hand, {one.frame_id for one in seen})
    plain = tuple(one.model_copy(update={"layers": ("picture",)}) for one in seen)
    return FirstAnswer(judgement, plain, at_ms)


def judged(session: Session, hand: Hand, given: Given, now_ms: int) -> Decision:
    """The decision to be written.

    Raises:
        NotBlind: where there was no first answer.
        BadInput: where a part is handed on that is judged, or sent back that nobody handed on.
        NotShown: where a part is to be accepted of which a picture was not on the screen.
    """
    if not hand.is_told:
        raise NotBlind("problem.judge_plain_first")
    if given.judgement is not Judgement.UNSURE and (given.hand_to or given.unsure_because) is not None:
        raise BadInput("problem.hand_to_unsure")
    if given.hand_to is Skill.OPERATOR and (hand.slot.skill is not Skill.LEAD or hand.slot.handover is None):
        raise BadInput("problem.hand_to_nobody")
    seen = []
    for one in _delivered(hand, given.shown):
        maps = hand.layers.get(one.frame_id, {})
        digests = {layer: maps[layer] for layer in one.layers if layer in maps}
        sha256 = hand.delivered[one.frame_id]
        seen.append(Shown(frame_id=one.frame_id, sha256=sha256, layers=one.layers, layer_digests=digests))
    if given.judgement is Judgement.OK:
        require_all_shown(hand, {one.frame_id for one in seen})
    slot, first = hand.slot, hand.first
    return Decision(
        decision_id=decision_id(slot.slot_id, session.signs, hand.token),
        slot_id=slot.slot_id,
        visit_id=slot.visit_id,
        judgement=given.judgement,
        first_judgement=None if first is None else first.judgement,
        first_shown=() if first is None else first.shown,
        first_ms=None if first is None else first.at_ms,
        blind=not hand.knows_already,
        outcome=given.outcome,
        concession=given.concession,
        actor=session.signs,
        role=session.role,
        decided_ms=now_ms,
        covers=tuple(one.frame_id for one in seen),
        shown=tuple(seen),
        defect_class=given.defect_class,
        marks=given.marks,
        comment=given.comment or None,
        unsure_because=given.unsure_because,
        hand_to=given.hand_to,
    )


def require_all_shown(hand: Hand, shown: set[str]) -> None:
    """Refuse to accept a part of which a view is missing or was not on the screen.

    Raises:
        NotShown: with the views that are missing.
    """
    if hand.slot.missing_views:
        views = ", ".join(hand.slot.missing_views)
        raise NotShown("problem.views_missing", views=views)
    unseen = [frame.view_id for frame in hand.slot.frames if frame.frame_id not in shown]
    if unseen:
        raise NotShown("problem.views_unseen", views=", ".join(unseen))
    if not hand.slot.frames:
        raise NotShown("problem.nothing_seen")


def _delivered(hand: Hand, shown: Sequence[Shown]) -> list[Shown]:
    return [one for one in shown if one.frame_id in hand.delivered]
