"""The pages: sign-in, queue, review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates

from .context import CurrentSession, CurrentStation, Station
from .errors import NotSignedIn, StationError
from .sessions import Session

router = APIRouter()
_templates = Jinja2Templates(Path(__file__).parent / "templates")
_NAME = r"^[^\W_][\w .'-]{0,63}$"


@router.get("/")
def queue_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """What waits, by line."""
    return _page(request, station, session, "queue.html")


@router.get("/review")
def review_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The visit in hand."""
    return _page(request, station, session, "review.html")


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The form; the link's secret stands behind `#`, which browsers do not send."""
    return _templates.TemplateResponse(request, "sign_in.html", {"problem": None})


@router.post("/sign-in")
def sign_in(
    request: Request,
    station: CurrentStation,
    link: Annotated[str, Form(max_length=256)],
    name: Annotated[str, Form(pattern=_NAME)],
) -> Response:
    """Sign in and go to the queue; a wrong link gets the form again, with the reason."""
    try:
        session = station.sessions.sign_in(link, " ".join(name.split()))
    except StationError as error:
        answer = _templates.TemplateResponse(request, "sign_in.html", {"problem": str(error)})
        answer.status_code = error.status
        return answer
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        station.cookie, session.session_id, httponly=True, samesite="strict", secure=station.secure_cookie, path="/"
    )
    return response


@router.post("/api/sign-out", status_code=204)
def sign_out(station: CurrentStation, session: CurrentSession) -> Response:
    """Give back what is in hand, and end the session."""
    hand = session.hand
    if hand is not None:
        station.desk.release(session, hand.slot.slot_id, hand.token)
    station.sessions.end(session)
    response = Response(status_code=204)
    response.delete_cookie(station.cookie)
    return response


def to_sign_in(error: NotSignedIn) -> Response:
    """Where a page is asked for without a session."""
    return RedirectResponse(f"/sign-in?why={error.word}", status_code=303)


def _page(request: Request, station: Station, session: Session, name: str) -> Response:
    context = {"actor": session.actor, "role": session.role.value, "csrf": session.csrf, "namespace": station.namespace}
    response = _templates.TemplateResponse(request, name, context)
    response.headers["Cache-Control"] = "no-store"
    return response
