"""Pages out of templates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from fastapi.templating import Jinja2Templates

from linewarden_reinspect.station.access.permissions import GRANTS, allows, permission_of
from linewarden_reinspect.station.context import StationContext
from linewarden_reinspect.station.errors import StationError
from linewarden_reinspect.station.sessions import Session
from linewarden_reinspect.station.texts import for_page

_templates = Jinja2Templates(Path(__file__).parent / "templates", context_processors=[for_page])


def is_page(route: object) -> TypeGuard[APIRoute]:
    """Whether a browser shows what a route answers, also where it refuses; others answer JSON."""
    return isinstance(route, APIRoute) and route.response_class is HTMLResponse


def pages_of(routers: Iterable[APIRouter]) -> tuple[str, ...]:
    """Paths of the pages of routers, in their order: that of the bar. A page of one thing is led to from others."""
    return tuple(
        route.path for router in routers for route in router.routes if is_page(route) and "{" not in route.path
    )


def page(request: Request, station: StationContext, session: Session, name: str, **more: Any) -> Response:  # noqa: ANN401
    """A page for a signed-in person; `may` holds the words of what their role is allowed, `pages` the bar's paths."""
    context: dict[str, Any] = {
        "actor": session.actor,
        "role": session.role.value,
        "csrf": session.csrf,
        "namespace": station.namespace,
        "pages": _in_bar(request, station, session),
        "may": {permission.value for permission, roles in GRANTS.items() if session.role in roles},
    }
    return plain(request, name, **context, **more)


def _in_bar(request: Request, station: StationContext, session: Session) -> list[str]:
    """Pages that a person may see; that of studies where there are some."""
    allowed = [path for path in request.app.state.pages if allows(session.role, permission_of("GET", path))]
    return [path for path in allowed if path != "/study" or station.studies.are_open]


def plain(request: Request, name: str, *, status: int = 200, **context: Any) -> Response:  # noqa: ANN401
    """A page that needs no session, in the reader's language and never cached."""
    response = _templates.TemplateResponse(request, name, context, status_code=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def refused_page(request: Request, error: StationError) -> Response:
    """Why this page is not for this person, with the way to pages that are."""
    station: StationContext = request.app.state.station
    session = getattr(request.state, "session", None)
    if session is None:
        return plain(request, "sign_in.html", status=error.status, problem=error, link_is_spent=False, to="")
    response = page(request, station, session, "refused.html", problem=error)
    response.status_code = error.status
    return response
