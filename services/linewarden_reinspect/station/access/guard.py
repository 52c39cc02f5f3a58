"""Every request: from which page it comes, whose it is, whether the role may, and what of it the log of acts keeps."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from linewarden_reinspect.station.access.audit import AuditLog
from linewarden_reinspect.station.access.permissions import BEATS, LOGGED_READS, Permission, permission_of, require
from linewarden_reinspect.station.access.proxy import TrustedProxy
from linewarden_reinspect.station.access.sessions import Sessions
from linewarden_reinspect.station.errors import Forbidden, NotSignedIn
from linewarden_reinspect.station.sessions import Session

CSRF_HEADER = "x-linewarden-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def require_own_page(request: Request) -> None:
    """Refuse a changing request that a browser says comes from elsewhere, or of which it says nothing.

    Raises:
        Forbidden: where `Origin` is absent or not the host that was asked, or `Sec-Fetch-Site` is another site.
    """
    if request.method in SAFE_METHODS:
        return
    origin = urlsplit(request.headers.get("origin", ""))
    site = request.headers.get("sec-fetch-site", "same-origin")
    if not origin.netloc or origin.netloc != request.headers.get("host") or site != "same-origin":
        raise Forbidden("problem.foreign_page")


class Guard:
    """Finds sessions by cookie, and holds them to what their role may."""

    def __init__(self, sessions: Sessions, log: AuditLog, cookie: str, proxy: TrustedProxy | None = None) -> None:
        self._sessions, self._log, self._cookie, self._proxy = sessions, log, cookie, proxy

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds a session."""
        return self._cookie

    def admit(self, request: Request) -> None:
        """Let a request in, with its session in `request.state`.

        Raises:
            NotSignedIn: where the route asks for a session and there is none.
            Forbidden: where the role may not, or a changing request lacks the session's token.
        """
        name = route_of(request)
        permission = permission_of(*name.split(" ", 1))
        if permission is Permission.PUBLIC:
            return
        session = self.session(request, awake=name not in BEATS)
        request.state.session = session
        require(session.role, permission)
        token = request.headers.get(CSRF_HEADER, "")
        if request.method not in SAFE_METHODS and not secrets.compare_digest(token.encode(), session.csrf.encode()):
            raise Forbidden("problem.old_page")

    def session(self, request: Request, *, awake: bool) -> Session:
        """The session of a request. Raises NotSignedIn."""
        session = self._sessions.find(request.cookies.get(self._cookie), awake=awake)
        if session.how == "proxy" and (self._proxy is None or not self._proxy.still_names(request, session.actor)):
            self._sessions.end(session)
            raise NotSignedIn("problem.proxy_other")
        return session

    def write_down(self, request: Request, response: Response) -> None:
        """Put a finished request into the log of acts: what changes something, is refused, or is logged when read.

        Ways in write their own entries; beats of pages are no acts.
        """
        name, session = route_of(request), getattr(request.state, "session", None)
        if session is None or (name in BEATS and response.status_code != 403):
            return
        if request.method in SAFE_METHODS and name not in LOGGED_READS and response.status_code != 403:
            return
        done = response.status_code < 400
        self._log.write(
            session.actor,
            session.role.value,
            name,
            object=" ".join(str(value) for value in request.path_params.values()),
            outcome="done" if done else getattr(request.state, "refused", f"status {response.status_code}"),
            detail=getattr(request.state, "detail", ""),
            address=address_of(request),
        )


def route_of(request: Request) -> str:
    """Method and path of the route that answers, e.g. `POST /api/slots/{slot_id}/skip`; of no route, the method."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', '')}"


def address_of(request: Request) -> str:
    """Where the request came from, as the socket says."""
    return request.client.host if request.client else ""


def routes_of(routers: Iterable[APIRouter]) -> list[tuple[str, str]]:
    """Method and path of every route of routers."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route.path) for route in routes for method in sorted(route.methods or ())]


def session_of(request: Request) -> Session:
    """Who asks; the guard has let them in. Raises NotSignedIn on a route that asks for nobody."""
    session = getattr(request.state, "session", None)
    if session is None:
        raise NotSignedIn("problem.sign_in")
    return cast("Session", session)


CurrentSession = Annotated[Session, Depends(session_of)]
