"""The auditor's page: what was decided and what happened in the queue, and the log of acts. Nothing can be changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from linewarden_reinspect.station.access.permissions import Permission, allows
from linewarden_reinspect.station.context import CurrentSession, CurrentStation
from linewarden_reinspect.station.insight.index import HistoryFilter
from linewarden_reinspect.station.rendering import page

router = APIRouter()
_Word = Annotated[str, Query(max_length=128)]
_Ms = Annotated[int, Query(ge=0, le=2**53)]
_Limit = Annotated[int, Query(ge=1, le=200)]
_Before = Annotated[str, Query(pattern=r"^(\d{1,16}\.\d{1,16})?$")]


@router.get("/history", response_class=HTMLResponse)
def history_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page of histories, with every kind of event that the index knows to filter by."""
    return page(request, station, session, "history.html", kinds=station.insight.index.kinds())


@router.get("/api/history")
def events(
    station: CurrentStation,
    session: CurrentSession,
    part: _Word = "",
    slot: _Word = "",
    actor: _Word = "",
    kind: _Word = "",
    from_ms: _Ms = 0,
    to_ms: _Ms = 2**53,
    before: _Before = "",
    limit: _Limit = 50,
) -> dict[str, Any]:
    """The newest events that fit; `next` is the `before` of the following page, null at the end.

    Whoever may review reads nothing of a visit that waits for a review: their judgement must stay blind.
    """
    settled_only = allows(session.role, Permission.REVIEW)
    people = station.access.pseudonyms
    who = people.known(actor.strip())
    wanted = HistoryFilter(part.strip(), settled_only, slot.strip(), who, kind, from_ms, to_ms)
    place = None
    if before:
        at_ms, _, number = before.partition(".")
        place = (int(at_ms), int(number))
    found = station.insight.index.page(wanted, place, limit)
    last = f"{found[-1]['at_ms']}.{found[-1]['id']}" if len(found) == limit else None
    return {"events": [one | {"actor": people.name(one["actor"])} for one in found], "next": last}


@router.get("/api/log")
def log(
    station: CurrentStation,
    actor: _Word = "",
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: _Limit = 50,
) -> dict[str, Any]:
    """The newest acts at the station; `next` is the `before` of the following page, null at the end."""
    entries = station.access.log.page(before_id=before, actor=actor.strip(), limit=limit)
    return {"acts": [asdict(one) for one in entries], "next": entries[-1].id if len(entries) == limit else None}
