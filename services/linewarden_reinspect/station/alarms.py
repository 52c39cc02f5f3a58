"""The page of alarms: what stands, what was put aside, what people do with it, and what happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from linewarden_domain.alarms import RULES, current_alarms, demanded, is_kept, put_aside
from linewarden_reinspect.station.context import (
    CurrentLanguage,
    CurrentSession,
    CurrentStation,
    RequestBody,
    StationContext,
)
from linewarden_reinspect.station.errors import AlarmRefused, AlarmUnanswered, BadInput, NoSuchAlarm
from linewarden_reinspect.station.events import STREAM, is_signed_in
from linewarden_reinspect.station.rendering import page
from linewarden_reinspect.station.texts import language_of, reason_in_words
from linewarden_schemas.alarm import Alarm, AlarmEvent, LineWord
from linewarden_schemas.alarm_vocabulary import AlarmDoing, AlarmStep

router = APIRouter()
_MOST_EVENTS = 500
_Hours = Annotated[float, Query(gt=0, le=168)]
_Comment = Annotated[str, Field(max_length=500)]


class SeenAlarm(RequestBody):
    """The life of an alarm that the person saw, so that nobody acknowledges what came afterwards."""

    occurrence: Annotated[int, Field(ge=0)]
    comment: _Comment = ""


class AlarmWish(SeenAlarm):
    """What a lead wants done with an alarm; a shelf ends after `minutes`."""

    doing: AlarmDoing
    minutes: Annotated[int, Field(ge=1, le=480)] | None = None


@router.get("/alarms", response_class=HTMLResponse)
def alarms_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page; what it shows comes with the stream."""
    return page(request, station, session, "alarms.html")


@router.get("/api/alarms")
def alarms(station: CurrentStation, language: CurrentLanguage) -> dict[str, Any]:
    """The list as it stands, and whether somebody keeps it."""
    return _seen(station, language)


@router.get("/api/alarms/events")
async def alarm_stream(request: Request, station: CurrentStation, _: CurrentSession) -> StreamingResponse:
    """A stream of `alarms` events, each with everything that the page shows but the history."""
    return StreamingResponse(_stream(request, station), media_type="text/event-stream", headers=STREAM)


@router.get("/api/alarms/history")
def history(station: CurrentStation, language: CurrentLanguage, hours: _Hours = 8.0) -> dict[str, Any]:
    """Every step of so many hours, the newest first, at most 500; `left_out` says how many more there are."""
    since_ms = station.clock.now_ms() - round(hours * 3_600_000)
    told = [one for one in station.alarms.events if one.at_ms >= since_ms and _is_of(station, one.alarm)]
    told.reverse()
    steps = [_step(one, station, language) for one in told[:_MOST_EVENTS]]
    return {"steps": steps, "left_out": max(0, len(told) - _MOST_EVENTS)}


@router.post("/api/alarms/{alarm_id}/acknowledge")
def acknowledge(
    alarm_id: str, seen: SeenAlarm, request: Request, station: CurrentStation, session: CurrentSession
) -> dict[str, Any]:
    """Say to know of an alarm."""
    return _ask(station, request, session.signs, alarm_id, AlarmDoing.ACKNOWLEDGE, seen)


@router.post("/api/alarms/{alarm_id}/wish")
def wish(
    alarm_id: str, wanted: AlarmWish, request: Request, station: CurrentStation, session: CurrentSession
) -> dict[str, Any]:
    """Put an alarm aside, take it back, or end it."""
    if wanted.doing is AlarmDoing.COUNT or (wanted.doing is AlarmDoing.SHELVE) != (wanted.minutes is not None):
        raise BadInput("problem.alarm_wish")
    return _ask(station, request, session.signs, alarm_id, wanted.doing, wanted, minutes=wanted.minutes)


def _ask(
    station: StationContext,
    request: Request,
    actor: str,
    alarm_id: str,
    doing: AlarmDoing,
    seen: SeenAlarm,
    minutes: int | None = None,
) -> dict[str, Any]:
    known = next((one for one in station.alarms.alarms if one.alarm_id == alarm_id and _is_of(station, one)), None)
    if known is None:
        raise NoSuchAlarm("problem.no_such_alarm")
    request.state.detail = f"{alarm_id}: {doing.value}"
    until_ms = None if minutes is None else station.clock.now_ms() + minutes * 60_000
    answer = station.alarms.ask(
        known, doing, actor, occurrence=seen.occurrence, until_ms=until_ms, comment=seen.comment or None
    )
    if answer is None:
        raise AlarmUnanswered("problem.alarm_unanswered", line=known.line_id)
    if answer.step is AlarmStep.REFUSED:
        raise AlarmRefused("problem.alarm_refused", why=answer.comment or "")
    return {"step": answer.step.value}


async def _stream(request: Request, station: StationContext) -> AsyncIterator[str]:
    """Looks at the session now and then, and says everything again every ten seconds, since ages go on."""
    sent, language, looks = -1, language_of(request), 0
    while not station.stop.is_set() and not await request.is_disconnected():
        turn, looks = station.alarms.turn, looks + 1
        if looks % 20 == 0 and not await run_in_threadpool(is_signed_in, request, station):
            return
        if turn != sent or looks % 40 == 0:
            sent = turn
            yield f"event: alarms\ndata: {json.dumps(_seen(station, language))}\n\n"
        await asyncio.sleep(0.25)


def _seen(station: StationContext, language: str) -> dict[str, Any]:
    now_ms = station.clock.now_ms()
    mine = [one for one in station.alarms.alarms if _is_of(station, one)]
    lines = {name: word for name, word in station.alarms.words.items() if not station.lines or name in station.lines}
    asked = demanded(mine)
    return {
        "now_ms": now_ms,
        "rows": [
            _alarm(row.alarm, station, language)
            | {"is_new": row.is_new, "follows": [_alarm(one, station, language) for one in row.follows]}
            for row in current_alarms(mine, now_ms)
        ],
        "aside": [_alarm(one, station, language) for one in put_aside(mine, now_ms)],
        "demand": None if asked is None else asked.value,
        "lines": [
            {"line_id": name, "is_kept": is_kept(word, now_ms), "said_ms": word.at_ms, "is_flood": _is_flood(word)}
            for name, word in sorted(lines.items())
        ],
    }


def _is_of(station: StationContext, alarm: Alarm) -> bool:
    return not station.lines or alarm.line_id in station.lines


def _is_flood(word: LineWord) -> bool:
    return word.load is not None and word.load.is_flood


def _alarm(alarm: Alarm, station: StationContext, language: str) -> dict[str, Any]:
    known = None if alarm.reason is None else reason_in_words(alarm.reason, language)
    name = station.access.pseudonyms.name
    return {
        "alarm_id": alarm.alarm_id,
        "line_id": alarm.line_id,
        "kind": alarm.kind.value,
        "subject": alarm.subject,
        "priority": alarm.priority.value,
        "stage": alarm.stage.value,
        "occurrence": alarm.occurrence,
        "repeats": alarm.repeats,
        "demand": None if alarm.demand is None else alarm.demand.value,
        "detail": known or alarm.detail or "",
        "began_ms": alarm.began_ms,
        "is_active": alarm.raised_ms is not None and alarm.ended_ms is None,
        "is_latched": RULES[alarm.kind].is_latched,
        "is_chattering": alarm.is_chattering,
        "is_simulated": alarm.is_simulated,
        "acknowledged_by": _named(alarm.acknowledged_by, name),
        "aside_by": _named(alarm.shelved_by or alarm.removed_by, name),
        "until_ms": alarm.shelved_until_ms,
    }


def _step(event: AlarmEvent, station: StationContext, language: str) -> dict[str, Any]:
    return {
        "at_ms": event.at_ms,
        "step": event.step.value,
        "actor": _named(event.actor, station.access.pseudonyms.name),
        "comment": event.comment or "",
        "alarm": _alarm(event.alarm, station, language),
    }


def _named(actor: str | None, name: Callable[[str], str]) -> str | None:
    return None if actor is None else name(actor)
