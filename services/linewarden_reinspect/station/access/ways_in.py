"""Sign-in, set-up and sign-out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from linewarden_reinspect.station.access.accounts import LONGEST
from linewarden_reinspect.station.access.guard import address_of
from linewarden_reinspect.station.access.permissions import allows, permission_of
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.errors import BadInput, NothingHeld, NotSignedIn, StationError
from linewarden_reinspect.station.rendering import plain
from linewarden_reinspect.station.sessions import Session
from linewarden_schemas.vocabulary import Role

router = APIRouter()
_TICKET = "linewarden-oidc"
_Name = Annotated[str, Form(max_length=64)]
_Secret = Annotated[str, Form(max_length=LONGEST)]
_Short = Annotated[str, Query(max_length=2000)]


@router.get("/sign-in")
def sign_in_page(request: Request, station: CurrentStation, why: _Short = "", to: _Short = "") -> Response:
    """The form; a link's secret stands behind `#`, which browsers do not send. Who comes through the proxy is in.

    Who was signed in and is no more (`why`) is told so, and comes back to the page that they were on (`to`).
    """
    proxy = station.access.rules.proxy
    identity = None if proxy is None else proxy.identity(request)
    if identity is None:
        was_in = why and station.access.rules.cookie in request.cookies
        return _form(request, station, NotSignedIn("problem.session_over") if was_in else None, to)
    try:
        return _in(station, station.access.entry.by_identity(*identity, "proxy", address_of(request)))
    except StationError as error:
        return _form(request, station, error)


@router.post("/sign-in")
def sign_in(
    request: Request,
    station: CurrentStation,
    name: _Name,
    link: _Secret = "",
    password: _Secret = "",
    role: Annotated[Role | None, Form()] = None,
    to: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Sign in by link, or by password, and go to the line or back to where one was; else the form, with the reason."""
    entry, address = station.access.entry, address_of(request)
    try:
        session = entry.by_link(link, name, role, address) if link else entry.by_password(name, password, address)
    except StationError as error:
        return _form(request, station, error, to)
    pages = [path for path in request.app.state.pages if allows(session.role, permission_of("GET", path))]
    return _in(station, session, to if to in pages and to != "/" else "/line")


@router.get("/set-up")
def set_up_page(request: Request) -> Response:
    """The form for the first administrator; the link's secret stands behind `#`."""
    return plain(request, "set_up.html", problem=None)


@router.post("/set-up")
def set_up(
    request: Request, station: CurrentStation, link: _Secret, name: _Name, password: _Secret, again: _Secret
) -> Response:
    """Make the first administrator and sign them in."""
    try:
        if password != again:
            raise BadInput("problem.passwords_differ")
        session = station.access.entry.set_up(link, name, password, address_of(request))
    except StationError as error:
        return plain(request, "set_up.html", status=error.status, problem=error)
    return _in(station, session, "/users")


@router.get("/oidc/start")
def start(station: CurrentStation) -> Response:
    """Send the browser to the sign-in service, with a ticket that it must bring back within ten minutes."""
    provider = station.access.rules.provider
    if provider is None:
        raise NothingHeld("problem.no_provider")
    url, ticket = provider.begin()
    response = RedirectResponse(url, status_code=303)
    secure = station.access.rules.secure_cookie
    # Lax: the browser comes back from another site, and must bring the ticket along.
    response.set_cookie(_TICKET, ticket, max_age=600, httponly=True, samesite="lax", secure=secure, path="/oidc")
    return response


@router.get("/oidc/back")
def back(request: Request, station: CurrentStation, state: _Short = "", code: _Short = "") -> Response:
    """From the sign-in service; ends on a page of our own: a strict cookie is not sent along from another site."""
    provider = station.access.rules.provider
    if provider is None:
        raise NothingHeld("problem.no_provider")
    try:
        identity = provider.finish(request.cookies.get(_TICKET, ""), state, code)
        session = station.access.entry.by_identity(*identity, "oidc", address_of(request))
    except StationError as error:
        station.access.log.write("", "", "sign-in", outcome=error.word, detail=str(error), address=address_of(request))
        return _form(request, station, error)
    response = plain(request, "signed_in.html")
    _give_cookie(response, station, session)
    response.delete_cookie(_TICKET, path="/oidc")
    return response


@router.post("/api/sign-out", status_code=204)
def sign_out(station: CurrentStation, session: CurrentSession) -> Response:
    """Give back what is in hand, and end the session."""
    try:
        station.desk.let_go(session)
    finally:
        station.access.sessions.end(session)
    response = Response(status_code=204)
    response.delete_cookie(station.access.rules.cookie)
    return response


def _in(station: StationContext, session: Session, to: str = "/line") -> Response:
    response = RedirectResponse(to, status_code=303)
    _give_cookie(response, station, session)
    return response


def _give_cookie(response: Response, station: StationContext, session: Session) -> None:
    response.set_cookie(
        station.access.rules.cookie,
        session.session_id,
        httponly=True,
        samesite="strict",
        secure=station.access.rules.secure_cookie,
        path="/",
    )


def _link_command(request: Request, station: StationContext) -> str:
    """What makes a new link, for who sits at the station's own computer; nobody else learns of its folders."""
    folder = station.access.rules.folder
    if folder is None or address_of(request) not in {"127.0.0.1", "::1"}:
        return ""
    return f"linewarden users link ROLE --data {folder} --url {str(request.base_url).rstrip('/')}"


def _form(request: Request, station: StationContext, error: StationError | None, to: str = "") -> Response:
    return plain(
        request,
        "sign_in.html",
        status=200 if error is None or error.word == "not_signed_in" else error.status,
        problem=error,
        to=to,
        link_is_spent=error is not None and error.key == "problem.link_spent",
        link_command=_link_command(request, station),
        provider=station.access.rules.provider is not None,
    )
