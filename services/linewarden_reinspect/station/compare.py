"""What a part is compared with: golden pictures, limit samples, and the parts beside it on the line."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from linewarden_reinspect.station import present
from linewarden_reinspect.station.api import Token
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.errors import NothingHeld
from linewarden_reinspect.station.pictures import PICTURES, PRIVATE
from linewarden_reinspect.station.references import ReferencePicture
from linewarden_reinspect.station.sessions import Hand
from linewarden_schemas.base import Id
from linewarden_vision.pictures.reading import as_shown

router = APIRouter(prefix="/api/slots/{slot_id}")
_PART = "SELECT part_id FROM slots WHERE visit_id = ? LIMIT 1"


@router.get("/references")
def references(slot_id: str, token: Token, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Golden pictures and limit samples of the visit's recipe, and the classes that a defect may be given."""
    hand = station.desk.before(session, slot_id, token)
    recipe = station.recipe(hand.slot.recipe)
    today = dt.datetime.fromtimestamp(station.clock.now_ms() / 1000, dt.UTC).date()
    return {
        "references": [present.reference(one, today, recipe) for one in _references(station, hand)],
        "classes": [] if recipe is None else list(station.references.classes(recipe)),
    }


@router.get("/reference")
def reference(
    slot_id: str,
    token: Token,
    name: Annotated[str, Query(max_length=300)],
    station: CurrentStation,
    session: CurrentSession,
) -> Response:
    """One of them, as a picture. Raises NothingHeld for a name that is not among them."""
    hand = station.desk.before(session, slot_id, token)
    found = next((one for one in _references(station, hand) if one.name == name), None)
    if found is None:
        raise NothingHeld("problem.no_reference")
    return Response(as_shown(found.picture), media_type=found.content_type, headers=PRIVATE)


@router.get("/beside")
def beside(slot_id: str, token: Token, view: Id, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Frames of the same view of the visits next to this one; none before the first answer."""
    hand = station.desk.before(session, slot_id, token)
    frames = _beside(station, hand, view)
    return {"frames": list(frames), "parts": {frame: _part_of(station, frame, view) for frame in frames}}


@router.get("/beside/picture")
def beside_picture(
    slot_id: str, token: Token, view: Id, frame_id: Id, station: CurrentStation, session: CurrentSession
) -> Response:
    """The picture of a neighbour. Raises NothingHeld for a frame that is not among them."""
    hand = station.desk.before(session, slot_id, token)
    kept = station.evidence.get(frame_id) if frame_id in _beside(station, hand, view) else None
    if kept is None or kept.picture is None or kept.content_type not in PICTURES:
        raise NothingHeld("problem.no_neighbour")
    return Response(as_shown(kept.picture), media_type=kept.content_type, headers=PRIVATE)


def _part_of(station: StationContext, frame_id: str, view: str) -> str:
    visit = frame_id.rsplit(f".{view}.", 1)[0]
    return next((str(row["part_id"]) for row in station.insight.index.rows(_PART, visit)), "")


def _references(station: StationContext, hand: Hand) -> tuple[ReferencePicture, ...]:
    recipe = station.recipe(hand.slot.recipe)
    return () if recipe is None else station.references.of(recipe)


def _beside(station: StationContext, hand: Hand, view: str) -> tuple[str, ...]:
    return station.evidence.beside(hand.slot.visit_id, view, 2) if hand.is_told else ()
