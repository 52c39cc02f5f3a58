"""The engineer's page of trust: what it is worth on this line, defects among its passes, and whether anything moved."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from linewarden_reinspect.station.context import CurrentSession, CurrentStation, StationContext
from linewarden_reinspect.station.insight import charts, judgements
from linewarden_reinspect.station.insight.curves import LEAST_IN_BIN, LEAST_MISSES, curves, reliability
from linewarden_reinspect.station.insight.live import WINDOW, Moved, by_day, catches_of, drift_of
from linewarden_reinspect.station.insight.passes import causes_of, passes_of
from linewarden_reinspect.station.insight.recent import SeenFrame
from linewarden_reinspect.station.rendering import page

router = APIRouter()
_Name = Annotated[str, Query(max_length=257)]


@router.get("/trust", response_class=HTMLResponse)
def trust_page(request: Request, station: CurrentStation, session: CurrentSession, running: _Name = "") -> Response:
    """Curves, estimate and drift of one recipe on one line; `running` is line/recipe, the first where it is empty."""
    lines = [(line, ref.recipe_id) for line, ref in station.insight.recent.recipes()]
    names = {f"{line}/{recipe}": (line, recipe) for line, recipe in lines}
    chosen = running if running in names else next(iter(names), "")
    shown = _shown(station, *names[chosen]) if chosen else {}
    return page(request, station, session, "trust.html", choices=list(names), chosen=chosen, **shown)


def _shown(station: StationContext, line_id: str, recipe_id: str) -> dict[str, Any]:
    insight = station.insight
    visits = insight.recent.of_line(line_id, recipe_id)
    frames = sorted((one for visit in visits.values() for one in visit), key=attrgetter("captured_ms"))
    judged = judgements.counting(insight.index, frames[0].captured_ms, 2**53, line_id)
    causes = causes_of(insight.index, line_id)
    passes = passes_of(visits, judgements.truth(judged), causes, station.recipe)
    bins, found = reliability(passes), curves(passes)
    catches = catches_of(insight.index, judged, line_id, frames[0].captured_ms)
    return {
        "chart": charts,
        "curves": found,
        "bins": bins,
        "bars": charts.bars(bins),
        "least_misses": LEAST_MISSES,
        "least_in_bin": LEAST_IN_BIN,
        "visits": len(visits),
        "days": by_day(passes, catches, station.clock.now_ms()),
        "day_of": _day,
        "drift": _drift(station, frames),
        "window": WINDOW,
    }


def _drift(station: StationContext, frames: list[SeenFrame]) -> Moved:
    """Drift under the bundle that inspected last; frames of an earlier one are no part of it."""
    digest = next((one.bundle_digest for one in reversed(frames) if one.bundle_digest is not None), None)
    good = {} if digest is None else station.references.good_values(digest)
    ours = [one for one in frames if one.bundle_digest == digest]
    return drift_of(ours, {name: np.asarray(values, np.float64) for name, values in good.items()})


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
