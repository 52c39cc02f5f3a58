"""The lead's page: a shift's figures, what waits now, and the bin against the queue."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from linewarden_reinspect.station.access.permissions import Permission, allows
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, RequestBody, StationContext
from linewarden_reinspect.station.errors import BadInput, NothingHeld, QueueAway
from linewarden_reinspect.station.insight import judgements, shift
from linewarden_reinspect.station.rendering import page
from linewarden_schemas.base import Id

router = APIRouter()
_Ms = Annotated[int, Query(ge=0, le=2**53)]


class BinCount(RequestBody):
    """Parts counted in the bin of a line by hand."""

    line_id: Id
    counted: Annotated[int, Field(ge=0, le=1_000_000)]
    shift: Annotated[str, Field(max_length=64)] = ""


@router.get("/shift", response_class=HTMLResponse)
def shift_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page of a shift's figures; by person only where the station allows it and the role may see it."""
    people = station.access.rules.results_by_operator and allows(session.role, Permission.PEOPLE)
    return page(request, station, session, "shift.html", people=people)


@router.get("/api/shift")
def figures(
    station: CurrentStation, from_ms: _Ms, to_ms: _Ms, line_id: Annotated[str, Query(max_length=128)] = ""
) -> dict[str, Any]:
    """Figures between two times (epoch ms), of one line where one is named; and what waits now."""
    judged = judgements.counting(station.insight.index, *_span(from_ms, to_ms), line_id)
    return shift.figures(judged, from_ms, to_ms) | {"waiting": _waiting(station)}


@router.get("/api/shift/report")
def shift_report(
    station: CurrentStation,
    from_ms: _Ms,
    to_ms: _Ms,
    line_id: Annotated[str, Query(max_length=128)] = "",
    simulated: bool = False,
) -> dict[str, Any]:
    """What the line made between two times, as `linewarden report shift` tells it, of settled visits alone."""
    return station.insight.reports.of(*_span(from_ms, to_ms), line_id, simulated=simulated)


@router.get("/api/shift/operators")
def operators(station: CurrentStation, from_ms: _Ms, to_ms: _Ms) -> dict[str, Any]:
    """Results by operator under pseudonyms; every look is in the log of acts. Refused where the station has it off."""
    if not station.access.rules.results_by_operator:
        raise NothingHeld("problem.operators_off")
    judged = judgements.counting(station.insight.index, *_span(from_ms, to_ms))
    return {"operators": shift.by_operator(judged, station.insight.key)}


@router.get("/api/bin-counts")
def bin_counts(station: CurrentStation) -> dict[str, Any]:
    """The newest counts, each with what the queue held then."""
    rows = station.access.book.rows("SELECT * FROM bin_counts ORDER BY id DESC LIMIT 30")
    return {"counts": [{name: row[name] for name in row.keys()} for row in rows]}  # noqa: SIM118 - a Row is no dict


@router.post("/api/bin-counts", status_code=201)
def count_bin(count: BinCount, request: Request, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Write down how many parts lie in a line's bin, against what the queue says at this moment."""
    summary = station.watch.summary
    if summary is None:
        raise QueueAway("problem.bin_uncompared")
    line = summary.lines.get(count.line_id)
    queued = 0 if line is None else line.ready + line.leased + line.parked + line.dead
    request.state.detail = f"{count.line_id}: counted {count.counted}, queued {queued}"
    row = (station.clock.now_ms(), count.line_id, count.shift, count.counted, queued, session.actor)
    station.access.book.write(
        "INSERT INTO bin_counts (at_ms, line_id, shift, counted, queued, actor) VALUES (?,?,?,?,?,?)", *row
    )
    return {"counted": count.counted, "queued": queued, "difference": count.counted - queued}


def _span(from_ms: int, to_ms: int) -> tuple[int, int]:
    if not from_ms < to_ms <= from_ms + 31 * 86_400_000:
        raise BadInput("problem.span")
    return from_ms, to_ms


def _waiting(station: StationContext) -> list[dict[str, Any]] | None:
    summary = station.watch.summary
    if summary is None:
        return None
    return [
        {
            "line_id": line,
            "waiting": count.ready + count.dead,
            "in_hands": count.leased + count.parked,
            "for_a_lead": summary.for_a_lead(line),
            "oldest_s": (summary.now_ms - count.oldest_ms) / 1000 if count.oldest_ms else None,
        }
        for line, count in sorted(summary.lines.items())
    ]
