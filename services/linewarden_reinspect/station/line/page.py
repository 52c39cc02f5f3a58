"""The page of the line, for everybody who is signed in, and the same on a wall, for everybody who walks by.

Nothing of it tells what is thought of a part that waits for a person, whoever looks: screens hang where all see them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from linewarden_reinspect.station.context import CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.errors import NothingHeld
from linewarden_reinspect.station.events import STREAM, is_signed_in
from linewarden_reinspect.station.line.feed import LineFeed
from linewarden_reinspect.station.line.pictures import PartPictures
from linewarden_reinspect.station.rendering import page, plain

router = APIRouter()
_KEPT = {"Cache-Control": "private, max-age=3600"}
"""A frame's picture never changes, and tells nothing that is not told beside it."""


def feed_of(request: Request) -> LineFeed:
    """What the page of this station's line shows."""
    return cast("LineFeed", request.app.state.feed)


def pictures_of(request: Request) -> PartPictures:
    """The pictures of this station's parts."""
    return cast("PartPictures", request.app.state.pictures)


CurrentFeed = Annotated[LineFeed, Depends(feed_of)]
CurrentPictures = Annotated[PartPictures, Depends(pictures_of)]


@router.get("/line", response_class=HTMLResponse)
def line_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The line as it runs; it fills itself from `/api/line/events`."""
    acts = "/line/acts" if "/line/acts" in request.app.state.pages else None
    return page(request, station, session, "line.html", feed="/api/line/events", frames="/api/line/frames/", acts=acts)


@router.get("/api/line")
def line(feed: CurrentFeed) -> dict[str, Any]:
    """Everything that the page shows, once."""
    return feed.document(parts=True)


@router.get("/api/line/events")
async def events(request: Request, station: CurrentStation, feed: CurrentFeed, _: CurrentSession) -> StreamingResponse:
    """A stream of `line` events, each with everything that the page shows."""
    stream = _stream(request, station, lambda: feed.text(parts=True), signed_in=True)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM)


@router.get("/api/line/frames/{frame_id}")
def frame(frame_id: str, station: CurrentStation, feed: CurrentFeed, pictures: CurrentPictures) -> Response:
    """The plain picture of a frame that the page shows. Raises NothingHeld for any other."""
    return _picture(frame_id, station, feed, pictures)


@router.get("/wall")
def wall(request: Request, station: CurrentStation) -> Response:
    """The line without sign-in, where the station has that on."""
    _require_wall(station)
    return plain(request, "wall.html", feed="/wall/events", frames="/wall/frames/", namespace=station.namespace)


@router.get("/wall/events")
async def wall_events(request: Request, station: CurrentStation, feed: CurrentFeed) -> StreamingResponse:
    """As `/api/line/events`; parts are among it where the station shows them on the wall."""
    _require_wall(station)
    stream = _stream(request, station, lambda: feed.text(parts=station.wall_parts), signed_in=False)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM)


@router.get("/wall/frames/{frame_id}")
def wall_frame(frame_id: str, station: CurrentStation, feed: CurrentFeed, pictures: CurrentPictures) -> Response:
    """The plain picture of a frame on the wall."""
    _require_wall(station)
    if not station.wall_parts:
        raise NothingHeld("problem.wall_off")
    return _picture(frame_id, station, feed, pictures)


def _require_wall(station: StationContext) -> None:
    if not station.wall:
        raise NothingHeld("problem.wall_off")


def _picture(frame_id: str, station: StationContext, feed: LineFeed, pictures: PartPictures) -> Response:
    if not feed.shows(frame_id):
        raise NothingHeld("problem.picture_gone")
    view = station.insight.line.view(frame_id)
    if view is None:
        raise NothingHeld("problem.picture_gone")
    picture, kind = pictures.picture(view)
    return Response(picture, media_type=kind, headers=_KEPT)


async def _stream(
    request: Request, station: StationContext, text: Callable[[], str], *, signed_in: bool
) -> AsyncIterator[str]:
    """Looks at the session now and then: a stream that was begun must not outlive it."""
    sent, looks = "", 0
    while not station.stop.is_set() and not await request.is_disconnected():
        looks += 1
        if signed_in and looks % 10 == 0 and not await run_in_threadpool(is_signed_in, request, station):
            return
        told = await run_in_threadpool(text)
        if told != sent:
            sent = told
            yield f"event: line\ndata: {told}\n\n"
        await asyncio.sleep(0.5)
