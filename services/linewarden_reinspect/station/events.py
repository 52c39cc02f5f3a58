"""Live updates: the queue as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from linewarden_reinspect.station import present
from linewarden_reinspect.station.access.permissions import Permission, allows
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.errors import NotSignedIn
from linewarden_reinspect.station.sessions import Session

router = APIRouter(prefix="/api")
STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/events")
async def events(request: Request, station: CurrentStation, session: CurrentSession) -> StreamingResponse:
    """A stream of `queue` events, each with everything the page shows; null while the queue is away."""
    return StreamingResponse(_stream(request, station, session), media_type="text/event-stream", headers=STREAM)


async def _stream(request: Request, station: StationContext, session: Session) -> AsyncIterator[str]:
    """Looks at the session now and then: a stream that was begun must not outlive it."""
    sent, quiet, looks = -1, 0, 0
    while not station.stop.is_set() and not await request.is_disconnected():
        turn, quiet, looks = station.watch.turn, quiet + 1, looks + 1
        if looks % 20 == 0 and not await run_in_threadpool(is_signed_in, request, station):
            return
        if turn != sent:
            sent, quiet = turn, 0
            seen = await run_in_threadpool(_seen, station, session)
            yield f"event: queue\ndata: {json.dumps(seen)}\n\n"
        elif quiet >= 40:
            quiet = 0
            yield ": still here\n\n"
        await asyncio.sleep(0.25)


def _seen(station: StationContext, session: Session) -> dict[str, Any] | None:
    """The queue as this person may take from it."""
    summary = station.watch.summary
    if summary is None:
        return None
    may_take = allows(session.role, Permission.REVIEW)
    claimant = station.desk.claimant(session, station.lines) if may_take else None
    offered = summary.offered_to(claimant)
    is_lead = may_take and session.is_lead
    return present.queue(offered, station.access.pseudonyms.name, lead=is_lead, may_take=may_take)


def is_signed_in(request: Request, station: StationContext) -> bool:
    """Whether the session of a request still stands; the look keeps nobody awake."""
    try:
        station.access.guard.session(request, awake=False)
    except NotSignedIn:
        return False
    return True
