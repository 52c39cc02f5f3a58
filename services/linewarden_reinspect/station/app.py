"""The web application."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import redis
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from linewarden_reinspect import metrics
from linewarden_reinspect.station import alarms, api, compare, description, events, line_acts, pages, pictures, study
from linewarden_reinspect.station.access import people, ways_in
from linewarden_reinspect.station.access.guard import HEADERS, require_own_page, routes_of
from linewarden_reinspect.station.access.permissions import require_all_entered
from linewarden_reinspect.station.context import StationContext
from linewarden_reinspect.station.errors import BookAway, Forbidden, KafkaAway, NotSignedIn, QueueAway, StationError
from linewarden_reinspect.station.insight import auditor, engineer, lead, trust
from linewarden_reinspect.station.line import page as line
from linewarden_reinspect.station.line import parts_page as parts
from linewarden_reinspect.station.line.feed import LineFeed
from linewarden_reinspect.station.line.pictures import PartPictures
from linewarden_reinspect.station.rendering import is_page, pages_of, refused_page
from linewarden_reinspect.station.texts import language_of, told
from linewarden_runtime.errors import RuntimeFault

_log = structlog.get_logger(__name__)
_STATIC = Path(__file__).parent / "static"
_health = APIRouter()
ROUTERS = (
    _health,
    ways_in.router,
    line.router,
    pages.router,
    parts.router,
    api.router,
    compare.router,
    pictures.router,
    study.router,
    events.router,
    alarms.router,
    line_acts.router,
    auditor.router,
    lead.router,
    engineer.router,
    trust.router,
    people.router,
    description.router,
)
"""Whatever is served; pages stand in the bar in this order."""


def create_app(station: StationContext) -> FastAPI:
    """The station as an ASGI application; clients and threads are its maker's business.

    Raises:
        ConfigurationError: where a route has no permission in the table; nothing is served by oversight.
    """
    require_all_entered(routes_of(ROUTERS))
    app = FastAPI(
        title="linewarden station", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(_admitted)]
    )
    app.state.station = station
    app.state.pages = pages_of(ROUTERS)
    app.state.described = [route for router in ROUTERS for route in router.routes]
    model, watch = station.insight.line, station.watch
    app.state.feed = LineFeed(
        model,
        lambda: watch.summary,
        station.evidence,
        station.recipe,
        station.references,
        station.clock,
        station.alarms.listed,
    )
    app.state.pictures = PartPictures(station.evidence, station.insight.records)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for router in ROUTERS:
        app.include_router(router)
    app.middleware("http")(_guarded)
    app.add_exception_handler(StationError, _refused)
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(redis.RedisError, _queue_away)
    app.add_exception_handler(RuntimeFault, _kafka_away)
    app.add_exception_handler(sqlite3.Error, _book_away)
    return app


@_health.get("/healthz")
async def alive() -> dict[str, bool]:
    """That the process answers; says nothing of Kafka or Redis."""
    return {"alive": True}


def _admitted(request: Request) -> None:
    station: StationContext = request.app.state.station
    station.access.guard.admit(request)


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        require_own_page(request)
    except Forbidden as error:
        response: Response = _told(request, error)
    else:
        response = await call_next(request)
        station: StationContext = request.app.state.station
        try:
            await run_in_threadpool(station.access.guard.write_down, request, response)
        except sqlite3.Error as error:
            response = _book_away(request, error)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, StationError):
        raise error
    request.state.refused = error.word
    if is_page(request.scope.get("route")):
        if isinstance(error, NotSignedIn):
            return RedirectResponse(f"/sign-in?why=over&to={request.url.path}", status_code=303)
        return refused_page(request, error)
    if request.url.path.endswith("/decision"):
        metrics.DECISIONS_REFUSED.labels(error.word).inc()
    return _told(request, error)


def _misshapen(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """What is wrong, without the input itself: it may hold what no JSON can say (a number that is none)."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return JSONResponse({"detail": wrong}, status_code=422)


def _told(request: Request, error: StationError) -> JSONResponse:
    body: dict[str, object] = {"error": error.word, "message": told(language_of(request), error.key, error.values)}
    if error.details:
        body["details"] = dict(error.details)
    return JSONResponse(body, status_code=error.status)


def _queue_away(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    metrics.QUEUE_DOWN.labels("station").inc()
    return _refused(request, QueueAway("problem.queue_unreachable"))


def _kafka_away(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    return _refused(request, KafkaAway("problem.kafka_away"))


def _book_away(request: Request, error: Exception) -> Response:
    metrics.BOOK_FAILURES.inc()
    _log.error("book not written", path=request.url.path, detail=str(error))
    return _refused(request, BookAway("problem.book_away"))
