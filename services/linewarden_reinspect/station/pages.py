"""The pages of the operators: queue, review."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .context import CurrentSession, CurrentStation
from .rendering import page

router = APIRouter()


@router.get("/")
def queue_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """What waits, by line."""
    return page(request, station, session, "queue.html")


@router.get("/review")
def review_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The visit in hand."""
    return page(request, station, session, "review.html")
