"""The engineer's page: another threshold over the newest visits, drafts of it, approval, and the way back."""

from __future__ import annotations

from dataclasses import asdict
from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from linewarden_reinspect.station.access.permissions import Permission, allows
from linewarden_reinspect.station.context import CurrentSession, CurrentStation, RequestBody, StationContext
from linewarden_reinspect.station.errors import BadInput, NothingHeld
from linewarden_reinspect.station.insight import drafts as states
from linewarden_reinspect.station.insight import judgements
from linewarden_reinspect.station.insight.drafts import Draft
from linewarden_reinspect.station.insight.thresholds import simulate
from linewarden_reinspect.station.pictures import PICTURES, PRIVATE
from linewarden_reinspect.station.rendering import page
from linewarden_schemas.base import Id
from linewarden_schemas.ids import digest
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Provenance, Thresholds
from linewarden_vision.pictures.reading import as_shown

router = APIRouter()
_Level = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Reason = Annotated[str, Field(min_length=8, max_length=500)]


class WantedThreshold(RequestBody):
    """A threshold on suspicion for what a line runs now."""

    line_id: Id
    recipe_id: Id
    suspicion: _Level


class DraftVerdict(RequestBody):
    """What somebody else says of a draft, and why."""

    approve: bool
    reason: _Reason


class WayBack(RequestBody):
    """Why a line goes back to what it ran before."""

    reason: _Reason


@router.get("/thresholds", response_class=HTMLResponse)
def thresholds_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page on which thresholds are tried on recent visits and drafted."""
    return page(request, station, session, "thresholds.html")


@router.get("/api/thresholds")
def overview(station: CurrentStation) -> dict[str, Any]:
    """What runs, with the thresholds in force, and the newest drafts."""
    found = [_in_force(station, line, ref) | _before(station, line) for line, ref in station.insight.recent.recipes()]
    return {"running": found, "drafts": [asdict(draft) for draft in station.insight.drafts.newest()]}


@router.get("/api/thresholds/preview")
def preview(
    station: CurrentStation,
    session: CurrentSession,
    line_id: Annotated[str, Query(max_length=128)],
    recipe_id: Annotated[str, Query(max_length=128)],
    suspicion: _Level,
) -> dict[str, Any]:
    """What a threshold would have done to the newest visits, against the one in force."""
    # Who may judge a visit must not see what the machine thinks of it, not even by counts that move.
    return _simulated(station, line_id, recipe_id, suspicion, told_only=allows(session.role, Permission.REVIEW))


@router.get("/api/thresholds/frames/{frame_id}")
def picture(frame_id: str, station: CurrentStation) -> Response:
    """The picture of a frame that changes side, where the keeper has it."""
    kept = station.evidence.get(frame_id)
    if kept is None or kept.picture is None or kept.content_type not in PICTURES:
        raise NothingHeld("problem.picture_not_kept")
    return Response(as_shown(kept.picture), media_type=kept.content_type, headers=PRIVATE)


@router.post("/api/thresholds/drafts", status_code=201)
def save(wanted: WantedThreshold, request: Request, station: CurrentStation, session: CurrentSession) -> dict[str, Any]:
    """Save a draft for somebody else to judge; a threshold looser than the bundle's is refused."""
    figures = _simulated(station, wanted.line_id, wanted.recipe_id, wanted.suspicion)
    running = _running(station, wanted.line_id, wanted.recipe_id)
    if running["bundle_suspicion"] is None or wanted.suspicion > running["bundle_suspicion"]:
        raise BadInput("problem.looser")
    request.state.detail = f"suspicion {wanted.suspicion:g} for {wanted.recipe_id} on {wanted.line_id}"
    kept = {name: figures[name] for name in ("visits", "hours", "now", "wanted", "changing_count")}
    ref = RecipeRef.model_validate(running["recipe"])
    draft = station.insight.drafts.save(wanted.line_id, ref, wanted.suspicion, kept, session.actor)
    return {"draft": asdict(draft)}


@router.post("/api/thresholds/drafts/{number}/verdict")
def judge(
    number: Annotated[int, Field(ge=1, le=2**53)],
    verdict: DraftVerdict,
    request: Request,
    station: CurrentStation,
    session: CurrentSession,
) -> dict[str, Any]:
    """Approve somebody else's draft, which runs from now on and voids the qualification; or refuse it."""
    request.state.detail = f"{'approved' if verdict.approve else 'refused'}: {verdict.reason}"
    insight = station.insight
    draft = insight.drafts.judgeable(number, session.actor)
    if not verdict.approve:
        return {"draft": asdict(insight.drafts.judge(number, session.actor, states.REFUSED, verdict.reason))}
    recipe = insight.releases.release(draft, _thresholds(station, draft), session.actor, verdict.reason)
    judged = insight.drafts.judge(number, session.actor, states.APPROVED, verdict.reason, recipe.version)
    return {"draft": asdict(judged), "qualification": "void"} | _runs(recipe.ref())


@router.post("/api/lines/{line_id}/roll-back")
def roll_back(
    line_id: Id, why: WayBack, request: Request, station: CurrentStation, session: CurrentSession
) -> dict[str, Any]:
    """Run again what the line ran before."""
    request.state.detail = why.reason
    activation = station.insight.releases.roll_back(line_id, session.actor, why.reason)
    return _runs(activation.recipe)


def _runs(ref: RecipeRef) -> dict[str, Any]:
    return {"runs": ref.name, "digest": ref.digest}


def _simulated(
    station: StationContext, line_id: str, recipe_id: str, suspicion: float, *, told_only: bool = False
) -> dict[str, Any]:
    running = _running(station, line_id, recipe_id)
    visits = station.insight.recent.of_line(line_id, recipe_id)
    if told_only:
        visits = {visit: frames for visit, frames in visits.items() if station.insight.is_told(visit)}
    oldest = min((one.captured_ms for visit in visits.values() for one in visit), default=0)
    known = judgements.truth(judgements.counting(station.insight.index, oldest, 2**53, line_id))
    now = running["suspicion"]
    found = simulate(visits, known, suspicion if now is None else now, suspicion)
    for change in found["changing"]:
        change["has_picture"] = station.evidence.get(change["frame_id"]) is not None
    return found | {"running": running}


def _running(station: StationContext, line_id: str, recipe_id: str) -> dict[str, Any]:
    for line, ref in station.insight.recent.recipes():
        if (line, ref.recipe_id) == (line_id, recipe_id):
            return _in_force(station, line, ref)
    raise BadInput("problem.no_visit", recipe=recipe_id, line=line_id)


def _in_force(station: StationContext, line_id: str, ref: RecipeRef) -> dict[str, Any]:
    limits, recipe = _limits(station, line_id, ref), station.recipe(ref)
    own = None if recipe is None else recipe.thresholds
    both = [one.suspicion for one in (limits, own) if one is not None]
    return {
        "line_id": line_id,
        "recipe": ref.model_dump(exclude_none=True),
        "suspicion": min(both, default=None),
        "bundle_suspicion": None if limits is None else limits.suspicion,
        "qualification": "void" if own else "bundle",
    }


def _before(station: StationContext, line_id: str) -> dict[str, Any]:
    before = station.insight.releases.before(line_id)
    return {"before": None if before is None else before.recipe.short}


def _limits(station: StationContext, line_id: str, ref: RecipeRef) -> Thresholds | None:
    """The bundle's thresholds, as its newest inspection of this line carries them."""
    frames = [one for visit in station.insight.recent.of_line(line_id, ref.recipe_id).values() for one in visit]
    newest = max((one for one in frames if one.limits is not None), key=attrgetter("captured_ms"), default=None)
    return None if newest is None else newest.limits


def _thresholds(station: StationContext, draft: Draft) -> Thresholds:
    limits = _limits(station, draft.line_id, draft.recipe)
    if limits is None or draft.suspicion > limits.suspicion:
        raise BadInput("problem.bundle_lower")
    visits = station.insight.recent.of_line(draft.line_id, draft.recipe.recipe_id)
    provenance = Provenance(
        data_digest=digest("\n".join(sorted(visits)).encode()),
        n_defects=draft.figures["wanted"]["known_misses"],
        n_good=draft.figures["wanted"]["good"],
        rule=f"set by hand over the newest recorded visits; draft {draft.id}",
        dated_ms=draft.made_ms,
    )
    return Thresholds(defect=limits.defect, suspicion=draft.suspicion, provenance=provenance)
