"""What the pages' modules call: claim, keep, give back, decide, undo."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from linewarden_schemas.base import Id
from linewarden_schemas.decision import Decision, Shown
from linewarden_schemas.vocabulary import Judgement

from . import present
from .context import CurrentSession, CurrentStation

router = APIRouter(prefix="/api")
Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Holding(BaseModel):
    """Proof of a lease."""

    model_config = ConfigDict(extra="forbid")

    token: Token


class ShownFrame(BaseModel):
    """A frame that was painted, with the layers over it."""

    model_config = ConfigDict(extra="forbid")

    frame_id: Id
    layers: Annotated[tuple[Id, ...], Field(max_length=8)] = ()


class Answer(Holding):
    """A person's judgement."""

    judgement: Judgement
    shown: Annotated[tuple[ShownFrame, ...], Field(max_length=64)] = ()
    comment: Annotated[str | None, Field(max_length=2000)] = None


@router.post("/claim")
def claim(station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """The next visit, or null."""
    hand = station.desk.claim(session, station.lines)
    return {"visit": None if hand is None else present.visit(hand, station.clock.now_ms())}


@router.post("/slots/{slot_id}/renew")
def renew(slot_id: str, holding: Holding, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Keep the visit; answers it as it is now."""
    hand = station.desk.renew(session, slot_id, holding.token)
    return {"visit": present.visit(hand, station.clock.now_ms())}


@router.post("/slots/{slot_id}/release")
def release(slot_id: str, holding: Holding, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Give it back."""
    station.desk.release(session, slot_id, holding.token)
    return {"done": "released"}


@router.post("/slots/{slot_id}/skip")
def skip(slot_id: str, holding: Holding, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Give it back, not to be offered to this person for a while."""
    station.desk.skip(session, slot_id, holding.token)
    return {"done": "skipped"}


@router.post("/slots/{slot_id}/decision")
def decide(slot_id: str, answer: Answer, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Record a judgement; 200 means that Kafka has confirmed it."""
    shown = [Shown(frame_id=one.frame_id, layers=one.layers) for one in answer.shown]
    decision = station.desk.decide(session, slot_id, answer.token, answer.judgement, shown, answer.comment)
    return {"decision": _told(decision)}


@router.post("/undo")
def undo(station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Take back this person's newest judgement."""
    return {"decision": _told(station.desk.undo(session))}


@router.get("/me")
def me(session: CurrentSession) -> dict[str, Any]:
    """Who is signed in, and whether there is something to undo."""
    return {"actor": session.actor, "role": session.role.value, "undoable": session.last_judgement() is not None}


@router.get("/slots/{slot_id}/evidence")
def evidence(slot_id: str, token: Token, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """What of the visit's pictures is there."""
    hand = station.desk.held(session, slot_id, token)
    kept = [(frame, station.evidence.get(frame.frame_id)) for frame in hand.slot.frames]
    return {"frames": [present.evidence(frame, found) for frame, found in kept]}


def _told(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "visit_id": decision.visit_id,
        "act": decision.act.value,
        "judgement": decision.judgement,
        "covers": decision.covers,
    }
