"""Pages out of templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates

from .access.permissions import GRANTS
from .context import Station
from .errors import StationError
from .sessions import Session
from .texts import for_page

PAGES = frozenset({"/", "/review", "/study", "/users", "/history", "/shift", "/thresholds", "/trust"})
"""Paths at which a browser shows a page, also of a refusal; others answer JSON."""

_templates = Jinja2Templates(Path(__file__).parent / "templates", context_processors=[for_page])


def page(request: Request, station: Station, session: Session, name: str, **more: Any) -> Response:  # noqa: ANN401
    """A page for a signed-in person; `may` holds the words of what their role is allowed."""
    context: dict[str, Any] = {
        "actor": session.actor,
        "role": session.role.value,
        "csrf": session.csrf,
        "namespace": station.namespace,
        "has_studies": station.studies.are_open,
        "may": {permission.value for permission, roles in GRANTS.items() if session.role in roles},
    }
    return plain(request, name, **context, **more)


def plain(request: Request, name: str, *, status: int = 200, **context: Any) -> Response:  # noqa: ANN401
    """A page that needs no session, in the reader's language and never cached."""
    response = _templates.TemplateResponse(request, name, context, status_code=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def refused_page(request: Request, error: StationError) -> Response:
    """Why this page is not for this person, with the way to pages that are."""
    station: Station = request.app.state.station
    session = getattr(request.state, "session", None)
    if session is None:
        return plain(request, "sign_in.html", status=error.status, problem=error, link_is_spent=False)
    response = page(request, station, session, "refused.html", problem=error)
    response.status_code = error.status
    return response
