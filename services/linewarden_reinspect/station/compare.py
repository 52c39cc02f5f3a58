"""What a part is compared with: golden pictures, limit samples, and the parts beside it on the line."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from linewarden_schemas.base import Id
from linewarden_vision.pictures.reading import as_shown

from . import present
from .api import Token
from .context import CurrentSession, CurrentStation, Station
from .errors import NothingHeld
from .hand import Hand
from .pictures import PICTURES, PRIVATE
from .references import Reference

router = APIRouter(prefix="/api/slots/{slot_id}")
_BESIDE = 2
Name = Annotated[str, Query(max_length=300)]


@router.get("/references")
def references(slot_id: str, token: Token, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Golden pictures and limit samples of the visit's recipe, and the classes that a defect may be given."""
    hand = station.desk.before(session, slot_id, token)
    recipe = station.recipe(hand.slot.recipe)
    today = dt.datetime.fromtimestamp(station.clock.now_ms() / 1000, dt.UTC).date()
    return {
        "references": [present.reference(one, today) for one in _references(station, hand)],
        "classes": [] if recipe is None else list(station.references.classes(recipe)),
    }


@router.get("/reference")
def reference(slot_id: str, token: Token, name: Name, station: CurrentStation, session: CurrentSession) -> Response:
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
    return {"frames": list(_beside(station, hand, view))}


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


def _references(station: Station, hand: Hand) -> tuple[Reference, ...]:
    recipe = station.recipe(hand.slot.recipe)
    return () if recipe is None else station.references.of(recipe)


def _beside(station: Station, hand: Hand, view: str) -> tuple[str, ...]:
    return station.evidence.beside(hand.slot.visit_id, view, _BESIDE) if hand.is_told else ()
