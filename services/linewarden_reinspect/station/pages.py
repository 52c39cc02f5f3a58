"""The pages of the operators: queue, review."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from linewarden_reinspect.station.context import CurrentSession, CurrentStation
from linewarden_reinspect.station.rendering import page

router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def queue_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page of what waits, by line; it fills itself from `/api/events`."""
    return page(request, station, session, "queue.html")


@router.get("/review", response_class=HTMLResponse)
def review_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page on which a visit is claimed, looked at and judged."""
    return page(request, station, session, "review.html")
