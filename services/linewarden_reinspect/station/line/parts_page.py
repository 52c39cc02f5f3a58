"""Parts as pictures: a grid to filter and search, and the whole story of one.

Whoever may review is told nothing of a part that waits for people, or may come to; others are told everything.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from linewarden_reinspect.station import present
from linewarden_reinspect.station.access.permissions import Permission, allows
from linewarden_reinspect.station.context import CurrentLanguage, CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.errors import NothingHeld
from linewarden_reinspect.station.insight.index import HistoryFilter
from linewarden_reinspect.station.line import choosing, story
from linewarden_reinspect.station.line.choosing import PartFilter, Told
from linewarden_reinspect.station.line.page import CurrentPictures
from linewarden_reinspect.station.line.parts import PartStanding, SeenPart
from linewarden_reinspect.station.pictures import PRIVATE
from linewarden_reinspect.station.rendering import page
from linewarden_reinspect.station.sessions import Session

router = APIRouter()
_Word = Annotated[str, Query(max_length=128)]
_Ms = Annotated[int, Query(ge=0, le=2**53)]
STANDINGS = ("", PartStanding.NG.value, "diverted", PartStanding.WITHHELD.value, PartStanding.OK.value)


@router.get("/pictures", response_class=HTMLResponse)
def pictures_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The grid; what its filters offer is of parts that may be told."""
    model = station.insight.line
    with model.lock:
        offered = choosing.choices(model.parts.newest(), _told(station, session))
    return page(request, station, session, "pictures.html", offered=offered, standings=STANDINGS)


@router.get("/api/pictures")
def pictures(
    station: CurrentStation,
    session: CurrentSession,
    standing: _Word = "",
    line: _Word = "",
    camera: _Word = "",
    defect_class: _Word = "",
    zone: _Word = "",
    cause: _Word = "",
    serial: _Word = "",
    shift: _Word = "",
    from_ms: _Ms = 0,
    to_ms: _Ms = 2**53,
    before: _Word = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 40,
) -> dict[str, Any]:
    """The newest parts that fit; `next` is the `before` of the following ones, null at the end.

    `older` are visits of a serial that people reviewed and that are too old to be shown.
    """
    wanted = PartFilter(standing, line, camera, defect_class, zone, cause, serial.strip(), shift, from_ms, to_ms)
    told, model = _told(station, session), station.insight.line
    with model.lock:
        found = choosing.chosen(model.parts.newest(), wanted, told, before, limit)
        cards = [choosing.as_card(part, told) for part in found]
        known = {part.visit_id for part in model.parts.newest()}
    older = [visit for visit in _older(station, session, wanted.serial) if visit not in known]
    return {"parts": cards, "older": older, "next": found[-1].visit_id if len(found) == limit else None}


@router.get("/parts/{visit_id}", response_class=HTMLResponse)
def part_page(
    visit_id: str, request: Request, station: CurrentStation, session: CurrentSession, language: CurrentLanguage
) -> Response:
    """The whole story of a visit, in words and pictures. Raises NothingHeld where nothing is known of it."""
    part, may = _found(station, session, visit_id)

    def worded(sentence: str, reason: Any) -> str:  # noqa: ANN401 - a reason or none
        return present.worded(sentence, reason, language)

    # What people did, and who, is for those who may read histories.
    has_people = allows(session.role, Permission.HISTORY)
    name_of = station.access.pseudonyms.name if has_people else _nobody
    events = station.insight.index.page(HistoryFilter(part=visit_id), None, 200) if may and has_people else []
    with station.insight.line.lock:
        views = story.views_of(part, worded, told=may)
        steps = story.steps_of(part, events, worded, name_of, told=may)
        capture = part.capture
        shown = {
            "visit": part.visit_id,
            "serial": part.part_id,
            "standing": choosing.standing(part, _told(station, session)),
            "line": part.line_id,
            "shift": part.shift,
            "lot": None if capture is None else capture.lot_id,
            "order": None if capture is None else capture.line_state.order_id,
            "recipe": None if capture is None else capture.recipe.name,
            "is_simulated": part.is_simulated,
        }
    return page(request, station, session, "part.html", told=may, views=views, steps=steps, **shown)


@router.get("/api/parts/{visit_id}/frames/{frame_id}/{layer}")
def layer(
    visit_id: str, frame_id: str, layer: str, station: CurrentStation, session: CurrentSession, shelf: CurrentPictures
) -> Response:
    """A picture (`picture`) or a map of a part; no map of a part of which the person may not be told."""
    part, may = _found(station, session, visit_id)
    view = part.views.get(frame_id)
    if view is None or (layer != "picture" and not may):
        raise NothingHeld("problem.no_map")
    if layer == "picture":
        picture, kind = shelf.picture(view)
        return Response(picture, media_type=kind, headers=PRIVATE)
    return Response(shelf.layer(view, layer), media_type="image/png", headers=PRIVATE)


def _nobody(_: str) -> str:
    return ""


def _told(station: StationContext, session: Session) -> Told:
    if not allows(session.role, Permission.REVIEW):
        return lambda _: True
    index = station.insight.index
    return lambda part: part.is_told and not index.is_open(part.visit_id)


def _found(station: StationContext, session: Session, visit_id: str) -> tuple[SeenPart, bool]:
    with station.insight.line.lock:
        part = station.insight.line.parts.find(visit_id)
    if part is None:
        raise NothingHeld("problem.part_unknown")
    return part, _told(station, session)(part)


def _older(station: StationContext, session: Session, serial: str) -> list[str]:
    """Visits of a serial whose history is kept, newest first; of those that may be told."""
    if not serial:
        return []
    only_settled = allows(session.role, Permission.REVIEW)
    events = station.insight.index.page(HistoryFilter(part=serial, settled_only=only_settled), None, 200)
    return list(dict.fromkeys(event["visit_id"] for event in events))
