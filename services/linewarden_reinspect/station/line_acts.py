"""The page of a lead's acts on the lines: locks, changeovers, checks with master parts, bypasses, production."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from linewarden_domain import changing_over, line_acts
from linewarden_domain.line_situation import LineSituation, Who, Work
from linewarden_domain.words import in_words, said
from linewarden_reinspect.station.context import (
    CurrentLanguage,
    CurrentSession,
    CurrentStation,
    RequestBody,
    StationContext,
)
from linewarden_reinspect.station.errors import BadInput
from linewarden_reinspect.station.rendering import page
from linewarden_runtime.acting import known_recipe
from linewarden_runtime.recipes import KnownRecipes
from linewarden_schemas.base import Id, Message
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import LineMode, LockCause

router = APIRouter()
_Text = Annotated[str, Field(max_length=500)]
_MINUTE_MS = 60_000


class WantedAct(RequestBody):
    """What a lead wants done with a line; the rest is what the act asks for."""

    act: Literal[
        "lock", "unlock", "change_over", "withdraw", "release", "check", "bypass", "end_bypass", "stop", "produce"
    ]
    reason: _Text = ""
    recipe: _Text = ""
    order: Annotated[str, Field(max_length=128)] = ""
    lot: Annotated[str, Field(max_length=128)] = ""
    purged: bool = False
    person: Annotated[str, Field(max_length=128)] = ""
    minutes: Annotated[int, Field(ge=1, le=1440)] = 60


@router.get("/line/acts", response_class=HTMLResponse)
def acts_page(request: Request, station: CurrentStation, session: CurrentSession) -> Response:
    """The page on which a lead acts on the lines."""
    return page(request, station, session, "line_acts.html")


@router.get("/api/line/acts")
def lines(station: CurrentStation, language: CurrentLanguage) -> dict[str, Any]:
    """Every line that this station is for, as it is now, and the recipes that one may be changed over to."""
    found, recipes = station.insight.acts.look()
    shown = [_as_seen(one, station, language) for one in found if one.line_id in (station.lines or (one.line_id,))]
    return {"lines": shown, "recipes": recipes}


@router.post("/api/line/acts/{line_id}")
def act(
    line_id: Id,
    wanted: WantedAct,
    request: Request,
    station: CurrentStation,
    session: CurrentSession,
    language: CurrentLanguage,
) -> dict[str, Any]:
    """Do it, or say why not; who did it stands in the records and in the log of acts."""
    request.state.detail = f"{line_id}: {wanted.act} {wanted.reason}".strip()
    station.insight.acts.act(line_id, _act(wanted, Who(session.signs, session.role)), language)
    return lines(station, language)


def _act(wanted: WantedAct, who: Who) -> Callable[[LineSituation, KnownRecipes], Sequence[Message]]:
    reason, work = wanted.reason or None, Work(wanted.order or None, wanted.lot or None)
    ref = _recipe_of(wanted) if wanted.act == "change_over" else None
    acts: dict[str, Callable[[LineSituation, KnownRecipes], Sequence[Message]]] = {
        "lock": lambda line, _: line_acts.lock(line, who, LockCause.PERSON, reason),
        "unlock": lambda line, _: line_acts.unlock(line, who, wanted.reason),
        "change_over": lambda line, known: (
            () if ref is None else changing_over.change_over(line, who, known_recipe(known, ref), work, reason)
        ),
        "withdraw": lambda line, _: changing_over.withdraw(line, who, reason),
        "release": lambda line, _: changing_over.release(line, who, is_purged=wanted.purged, reason=reason),
        "check": lambda line, _: changing_over.begin_check(line, who),
        "bypass": lambda line, _: line_acts.begin_bypass(
            line, who, wanted.person, line.now_ms + wanted.minutes * _MINUTE_MS, wanted.reason
        ),
        "end_bypass": lambda line, _: line_acts.end_bypass(line, who, reason),
        "stop": lambda line, _: _told(line, who, LineMode.STOPPED, reason),
        "produce": lambda line, _: _told(line, who, LineMode.PRODUCTION, reason),
    }
    return acts[wanted.act]


def _recipe_of(wanted: WantedAct) -> RecipeRef:
    try:
        return RecipeRef.parse(wanted.recipe)
    except ValueError as error:
        raise BadInput("problem.line_act", why=str(error)) from error


def _told(line: LineSituation, who: Who, mode: LineMode, reason: str | None) -> Sequence[Message]:
    """Another mode with the work and the gate as they are."""
    state = line.state
    work = Work() if state is None else Work(state.order_id, state.lot_id, state.product_id, state.shift)
    return line_acts.tell(line, who, mode, work, has_gate=state is not None and state.has_gate, reason=reason)


def _as_seen(line: LineSituation, station: StationContext, language: str) -> dict[str, Any]:
    state, change, check = line.state, line.changeover, line.check
    name_of = station.access.pseudonyms.name
    return {
        "line_id": line.line_id,
        "mode": line.mode.value,
        "passes": state is not None and state.passes(line.now_ms),
        "order": state and state.order_id,
        "until_ms": state and state.valid_until_ms,
        "key_holder": state and state.key_holder,
        "recipe": line.active and line.active.recipe.name,
        "has_check": line.recipe is not None and line.recipe.check is not None,
        "locks": [
            {
                "why": in_words(said("line_now_locked", cause=one.cause.value).reason, language),
                "since_ms": one.since_ms,
                "by": name_of(one.actor),
                "detail": one.detail,
            }
            for one in (state.locks if state else ())
        ],
        "changeover": change
        and {
            "recipe": change.recipe.name,
            "stage": change.stage.value,
            "is_open": line.open_changeover is not None,
            "by": name_of(change.requested_by),
            "waiting": [in_words(one, language) or one.code for one in change.waiting_coded],
        },
        "check": check
        and {
            "outcome": check.outcome and check.outcome.value,
            "began_ms": check.began_ms,
            "next_due_ms": check.next_due_ms,
            "answers": [one.model_dump(mode="json") for one in check.answers],
        },
    }
