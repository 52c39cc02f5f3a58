"""The page of a study: one plain picture after the other, blind; its answers touch neither queue nor topics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from linewarden_reinspect.station.context import CurrentSession, CurrentStation, RequestBody, StationContext
from linewarden_reinspect.station.pictures import PRIVATE
from linewarden_reinspect.station.rendering import page
from linewarden_reinspect.station.sessions import Session
from linewarden_reinspect.station.studies import StudyPlace
from linewarden_schemas.vocabulary import Judgement
from linewarden_vision.pictures.reading import as_shown

router = APIRouter()
_Word = Annotated[str, Field(max_length=128)]
_Round = Annotated[int, Field(ge=1, le=9999)]


class StudyAnswer(RequestBody):
    """What a person says of the presentation that comes next."""

    study: _Word
    round: _Round
    token: _Word
    answer: Judgement


@router.get("/study", response_class=HTMLResponse)
def study_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The study of whoever is signed in."""
    return page(request, station, session, "study.html")


@router.get("/api/study")
def progress(station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """How many sheets the person has, and the presentation that comes next: token and progress, nothing else of it."""
    return _told(station, session)


@router.get("/api/study/picture")
def picture(
    station: CurrentStation,
    session: CurrentSession,
    study: _Word,
    round: _Round,  # noqa: A002 - the word of the trade
    token: _Word,
) -> Response:
    """The picture of the presentation that comes next, and of no other."""
    content, kind = station.studies.picture(_names(session), StudyPlace(study, round, token))
    return Response(as_shown(content), media_type=kind, headers=PRIVATE)


@router.post("/api/study/answers")
def answer(given: StudyAnswer, request: Request, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Write an answer on the sheet; what stands, the first answer where there was one, and what comes next."""
    place = StudyPlace(given.study, given.round, given.token)
    request.state.detail = f"{given.study}, round {given.round}, {given.token}: {given.answer.value}"
    stands = station.studies.answer(_names(session), place, given.answer)
    return {"stands": stands.value, **_told(station, session)}


def _names(session: Session) -> frozenset[str]:
    return frozenset({session.actor, session.signs})


def _told(station: StationContext, session: Session) -> dict[str, Any]:
    sheets, coming = station.studies.progress(_names(session))
    if coming is None:
        return {"sheets": sheets, "next": None}
    place = {"study": coming.place.study, "round": coming.place.round, "token": coming.place.token}
    return {"sheets": sheets, "next": {**place, "done": coming.done, "of": coming.of, "rounds": coming.rounds}}
