"""What the pages' modules call: claim, keep, give back, decide, undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Base64Bytes, Field

from linewarden_reinspect.station import present
from linewarden_reinspect.station.access.permissions import require_outcome
from linewarden_reinspect.station.context import (
    CurrentLanguage,
    CurrentSession,
    CurrentStation,
    RequestBody,
    StationContext,
)
from linewarden_reinspect.station.errors import BadMark
from linewarden_reinspect.station.judging import Given
from linewarden_reinspect.station.marks import clean_mask
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_schemas.base import Id
from linewarden_schemas.decision import MOST_MARKS_BYTES, MOST_MASK_BYTES, Decision, Mark, Shown
from linewarden_schemas.recipe import ReviewRules
from linewarden_schemas.vocabulary import Judgement, Outcome, Skill

router = APIRouter(prefix="/api")
Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class LeaseProof(RequestBody):
    """The token of a lease, which proves that the slot is in this session's hands."""

    token: Token


class ShownFrame(RequestBody):
    """A frame that was painted, with the layers over it."""

    frame_id: Id
    layers: Annotated[tuple[Id, ...], Field(max_length=8)] = ()


class FirstJudgement(LeaseProof):
    """A person's judgement of the plain pictures."""

    judgement: Judgement
    shown: Annotated[tuple[ShownFrame, ...], Field(max_length=64)] = ()


class DrawnMask(RequestBody):
    """What a person drew on a frame, a PNG in base64."""

    frame_id: Id
    mask_png: Annotated[Base64Bytes, Field(max_length=2 * MOST_MASK_BYTES)]


class FinalJudgement(FirstJudgement):
    """A person's judgement, with all that was told before it."""

    comment: Annotated[str | None, Field(max_length=2000)] = None
    defect_class: Id | None = None
    marks: Annotated[tuple[DrawnMask, ...], Field(max_length=16)] = ()
    outcome: Outcome | None = None
    concession: Id | None = None
    unsure_because: Id | None = None
    hand_to: Skill | None = None


class ClaimRequest(RequestBody):
    """What a scanner read, a part's id or a bin place; or the slot that somebody chose from their list."""

    code: Id | None = None


@router.post("/claim")
def claim(
    station: CurrentStation, session: CurrentSession, language: CurrentLanguage, scan: ClaimRequest | None = None
) -> dict[str, Any]:
    """The next visit, or null; with a scanned code that part's visit, or 409 with the reason."""
    hand = station.desk.claim(session, station.lines, (scan and scan.code) or "")
    return {"visit": None if hand is None else _visit(station, hand, language)}


@router.post("/ahead")
def ahead(station: CurrentStation, session: CurrentSession, language: CurrentLanguage) -> dict[str, Any]:
    """The visit after the one in hand, taken ahead where enough waits for everybody; or null."""
    wanted = session.ahead is not None or _enough_waits(station)
    hand = station.desk.ahead(session, station.lines) if wanted else None
    return {"visit": None if hand is None else _visit(station, hand, language)}


@router.post("/slots/{slot_id}/renew")
def renew(
    slot_id: str, holding: LeaseProof, station: CurrentStation, session: CurrentSession, language: CurrentLanguage
) -> dict[str, Any]:
    """Keep the visit; answers it as it is now."""
    hand = station.desk.renew(session, slot_id, holding.token)
    coming = session.ahead
    return {"visit": _visit(station, hand, language), "ahead": None if coming is None else coming.slot.slot_id}


@router.post("/slots/{slot_id}/release")
def release(slot_id: str, holding: LeaseProof, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Give the slot back undecided; answers 409 where the lease is lost."""
    station.desk.release(session, slot_id, holding.token)
    return {"done": "released"}


@router.post("/slots/{slot_id}/skip")
def skip(slot_id: str, holding: LeaseProof, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Give it back, not to be offered to this person for a while."""
    station.desk.skip(session, slot_id, holding.token)
    return {"done": "skipped"}


@router.post("/slots/{slot_id}/first")
def first(
    slot_id: str, look: FirstJudgement, station: CurrentStation, session: CurrentSession, language: CurrentLanguage
) -> dict[str, Any]:
    """Take the judgement of the plain pictures, and answer the visit with reasons, verdicts and maps."""
    hand = station.desk.first(session, slot_id, look.token, look.judgement, _shown(look))
    return {"visit": _visit(station, hand, language)}


@router.post("/slots/{slot_id}/decision")
def decide(slot_id: str, answer: FinalJudgement, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Record a judgement; 200 means that Kafka has confirmed it."""
    require_outcome(session.role, answer.judgement, answer.outcome, answer.concession)
    given = Given(
        judgement=answer.judgement,
        shown=_shown(answer),
        comment=answer.comment,
        defect_class=answer.defect_class,
        marks=_marks(answer.marks, station, session),
        outcome=answer.outcome,
        concession=answer.concession,
        unsure_because=answer.unsure_because,
        hand_to=answer.hand_to,
    )
    return {"decision": _told(station.desk.decide(session, slot_id, answer.token, given))}


@router.post("/undo")
def undo(station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Take back this person's newest judgement."""
    return {"decision": _told(station.desk.undo(session))}


@router.post("/undo/visit")
def bring_back(station: CurrentStation, session: CurrentSession, language: CurrentLanguage) -> dict[str, Any]:
    """The visit whose judgement was taken back, in the same hands again; null while it is not open again."""
    hand = station.desk.bring_back(session)
    return {"visit": None if hand is None else _visit(station, hand, language)}


@router.get("/last")
def last(station: CurrentStation, session: CurrentSession, language: CurrentLanguage) -> dict[str, Any]:
    """What this person judged last; with what the machine thought of it once that is final, null where nothing."""
    hand, judged = session.last, session.last_judgement()
    if hand is None or judged is None or judged.judgement is None or judged.slot_id != hand.slot.slot_id:
        return {"last": None}
    recipe = station.recipe(hand.slot.recipe)
    window_ms = (ReviewRules() if recipe is None else recipe.review).undo_window_ms
    is_over = station.clock.now_ms() >= judged.decided_ms + window_ms
    final = is_over and station.insight.index.is_settled(judged.visit_id, judged.slot_id)
    return {"last": present.last(hand, judged.judgement, language, final=final)}


@router.get("/me")
def me(station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Who is signed in, the decision that may be undone or null, and after how long on task a break is offered."""
    last = session.last_judgement()
    return {
        "actor": session.actor,
        "role": session.role.value,
        "undoable": None if last is None else last.decision_id,
        "break_after_s": station.break_after_s,
    }


@router.get("/slots/{slot_id}/evidence")
def evidence(slot_id: str, token: Token, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """What of the visit's pictures is there."""
    hand = station.desk.before(session, slot_id, token)
    kept = [(frame, station.evidence.get(frame.frame_id)) for frame in hand.slot.frames]
    return {"frames": [present.evidence(frame, found, told=hand.is_told) for frame, found in kept]}


def _visit(station: StationContext, hand: Hand, language: str) -> dict[str, Any]:
    recipe, name_of = station.recipe(hand.slot.recipe), station.access.pseudonyms.name
    return present.visit(hand, station.clock.now_ms(), recipe, language, name_of)


def _shown(look: FirstJudgement) -> list[Shown]:
    return [Shown(frame_id=one.frame_id, layers=one.layers) for one in look.shown]


def _marks(drawn: Sequence[DrawnMask], station: StationContext, session: Session) -> tuple[Mark, ...]:
    marks = []
    for one in drawn:
        hand = session.hand
        kept = station.evidence.get(one.frame_id) if hand is not None and hand.has_frame(one.frame_id) else None
        if kept is not None and kept.picture is not None:
            marks.append(Mark(frame_id=one.frame_id, mask_png=clean_mask(one.mask_png, kept.picture)))
    if sum(len(mark.mask_png) for mark in marks) > MOST_MARKS_BYTES:
        raise BadMark("problem.marks_large", most=MOST_MARKS_BYTES // 1024)
    return tuple(marks)


def _enough_waits(station: StationContext) -> bool:
    """Whether a visit can be taken ahead without leaving somebody else idle."""
    summary = station.watch.summary
    if summary is None:
        return False
    counts = [count for line, count in summary.lines.items() if not station.lines or line in station.lines]
    return sum(count.ready for count in counts) > sum(count.leased for count in counts)


def _told(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "visit_id": decision.visit_id,
        "act": decision.act.value,
        "judgement": decision.judgement,
        "decided_ms": decision.decided_ms,
        "covers": decision.covers,
    }
