"""The web application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import redis
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from linewarden_reinspect import metrics
from linewarden_runtime.errors import RuntimeFault

from . import api, events, pages, pictures
from .context import Station
from .errors import Forbidden, NotSignedIn, StationError
from .guards import HEADERS, require_own_page

_STATIC = Path(__file__).parent / "static"
_PAGES = frozenset({"/", "/review"})


def create_app(station: Station) -> FastAPI:
    """The station as an ASGI application; clients and threads are its maker's business."""
    app = FastAPI(title="linewarden station", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.station = station
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for router in (pages.router, api.router, pictures.router, events.router):
        app.include_router(router)
    app.add_api_route("/healthz", _alive, include_in_schema=False)
    app.middleware("http")(_guarded)
    app.add_exception_handler(StationError, _refused)
    app.add_exception_handler(redis.RedisError, _queue_away)
    app.add_exception_handler(RuntimeFault, _kafka_away)
    return app


def _alive() -> dict[str, bool]:
    return {"alive": True}


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        require_own_page(request)
    except Forbidden as error:
        response: Response = _told(error)
    else:
        response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, StationError):
        raise error
    if isinstance(error, NotSignedIn) and request.url.path in _PAGES:
        return pages.to_sign_in(error)
    if request.url.path.endswith("/decision"):
        metrics.DECISIONS_REFUSED.labels(error.word).inc()
    return _told(error)


def _told(error: StationError) -> JSONResponse:
    return JSONResponse({"error": error.word, "message": str(error)}, status_code=error.status)


def _queue_away(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    metrics.QUEUE_DOWN.labels("station").inc()
    body = {"error": "queue_away", "message": "The queue cannot be reached. Nothing is lost; it is tried again."}
    return JSONResponse(body, status_code=503)


def _kafka_away(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    body = {"error": "kafka_away", "message": "Kafka cannot be reached. Nothing is lost; it is tried again."}
    return JSONResponse(body, status_code=503)
