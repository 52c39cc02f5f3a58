"""The routing of a visit from what is known of its views. Pure: no clock, no dice, no I/O.

The worst view wins: rejected > diverted > trusted_pass. Nothing here can turn an absence into a pass: a view
that is missing, lost, late, contradictory or doubtful diverts, and so does a line that is not in production, or a
recipe that asks for what nobody judges (`faults.py`). Both coins (audit of passes, review of rejects)
are a keyed function of `visit_id`, so they are fixed before anyone sees the part and equal on every replay.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from linewarden_domain.routing import worst
from linewarden_domain.words import Said, said
from linewarden_route import faults
from linewarden_route.contradictions import VERDICTS
from linewarden_route.faults import RoutingFinding
from linewarden_schemas.recipe import Recipe, ReviewRules, TimeBudget
from linewarden_schemas.route_state import ViewState, VisitSnapshot
from linewarden_schemas.vocabulary import Cause, Routing, Undecidable, Verdict


@dataclass(frozen=True, slots=True)
class Ruling:
    """A routing with its causes (of a diversion) and its reasons."""

    routing: Routing
    causes: tuple[Cause, ...] = ()
    reasons: tuple[Said, ...] = ()


def review_rules(recipe: Recipe | None) -> ReviewRules:
    """Review rules of a recipe; the defaults where it is unknown, since its visits are reviewed too."""
    return ReviewRules() if recipe is None else recipe.review


def time_budget(recipe: Recipe | None) -> TimeBudget:
    """Time budget of a recipe; the defaults where it is unknown.

    A visit is remembered for a while whatever the recipe says: without that each record would be too old for one.
    """
    if recipe is None:
        return TimeBudget()
    if recipe.time.spool_horizon_ms == recipe.time.remembered_ms:
        return recipe.time
    return recipe.time.model_copy(update={"spool_horizon_ms": recipe.time.remembered_ms})


def coin(secret: bytes, purpose: str, visit_id: str, share: float) -> bool:
    """Whether the coin of a visit shows heads, with probability `share` over visits.

    HMAC-SHA256 of purpose and visit under a secret: nobody without it can foretell or choose the audited
    parts, coins of different purposes are independent, and every process draws the same.
    """
    return drawn(secret, purpose, visit_id) < share * (1 << 64)


def drawn(secret: bytes, purpose: str, visit_id: str) -> int:
    """The number of 64 bits that a visit draws for a purpose."""
    return int.from_bytes(hmac.new(secret, f"{purpose}\x00{visit_id}".encode(), hashlib.sha256).digest()[:8], "big")


def is_complete(visit: VisitSnapshot, recipe: Recipe | None) -> bool:
    """Whether every expected view, and every frame that is known beyond them, is captured and answered."""
    if recipe is None:
        return False
    known = {view.view_id for view in visit.views}
    return known >= {spec.view_id for spec in recipe.views} and all(map(is_answered, visit.views))


def is_answered(view: ViewState) -> bool:
    """Whether nothing more is to come of a frame: captured, and inspected or known to be lost."""
    return view.captured and (view.lost is not None or view.verdict is not None)


def rule(visit: VisitSnapshot, recipe: Recipe | None, secret: bytes) -> Ruling:
    """The routing that the evidence allows, with the review of rejects but without clock and audit.

    A known-bad is withheld whatever the machine says of it: it measures people.
    """
    found = findings(visit, recipe)
    routing = worst((Routing.TRUSTED_PASS, *(one.routing for one in found)))
    causes = tuple(dict.fromkeys(one.cause for one in found if one.cause is not None))
    reasons = tuple(one.reason for one in found)
    share = review_rules(recipe).reject_review_share
    if routing is Routing.REJECTED and coin(secret, "reject-review", visit.visit_id, share):
        return Ruling(Routing.DIVERTED, (Cause.REJECT_REVIEW, *causes), (*reasons, said("reject_review")))
    return Ruling(routing, causes, reasons)


def rule_first(visit: VisitSnapshot, recipe: Recipe | None, secret: bytes, now_ms: int) -> Ruling:
    """The routing of revision 0: a pass must also be in time and not be drawn for audit."""
    ruling = rule(visit, recipe, secret)
    if ruling.routing is not Routing.TRUSTED_PASS:
        return ruling
    # `>=`, since a pass that is visible at its decide-by is late already.
    if now_ms + time_budget(recipe).commit_margin_ms >= visit.decide_by_ms:
        return Ruling(Routing.DIVERTED, (Cause.LATE,), (said("too_close"),))
    # Last, of what would pass: the share is one of passes, and so is the rate that it measures.
    if coin(secret, "audit", visit.visit_id, review_rules(recipe).audit_share_of_passes):
        return Ruling(Routing.DIVERTED, (Cause.AUDIT,), (said("audit"),))
    return ruling


def findings(visit: VisitSnapshot, recipe: Recipe | None) -> tuple[RoutingFinding, ...]:
    """Everything that speaks against a pass, in a fixed order; of a known-bad only what no picture can explain."""
    if visit.known_bad:
        return (RoutingFinding(Routing.DIVERTED, Cause.KNOWN_BAD, said("known_bad")), *faults.told_apart(visit))
    return tuple(_findings(visit, recipe))


def _findings(visit: VisitSnapshot, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    if recipe is None:
        name = f"{visit.recipe.recipe_id}@{visit.recipe.version}"
        yield RoutingFinding(Routing.DIVERTED, Cause.FAULT, said("recipe_unknown", recipe=name))
    yield from faults.of_visit(visit, recipe)
    if visit.returned is not None and visit.returned.authority is None:
        before = visit.returned.previous_visit_id
        yield RoutingFinding(Routing.DIVERTED, Cause.FAULT, said("came_back", visit=before))
    for view_id in missing_views(visit, recipe):
        yield RoutingFinding(Routing.DIVERTED, Cause.LATE, said("view_missing", view=view_id))
    for view in visit.views:
        yield from _view_findings(visit, view, recipe)


def missing_views(visit: VisitSnapshot, recipe: Recipe | None) -> tuple[str, ...]:
    """Views that the recipe expects and of which nothing at all is known."""
    known = {view.view_id for view in visit.views}
    return tuple(spec.view_id for spec in (recipe.views if recipe else ()) if spec.view_id not in known)


def _view_findings(visit: VisitSnapshot, view: ViewState, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    name = view.view_id
    yield from faults.of_view(visit, view, recipe)
    if view.lost is not None:
        yield RoutingFinding(Routing.DIVERTED, Cause.FAULT, said("view_lost", view=name, why=view.lost.value))
    if view.out_of_time:
        yield RoutingFinding(Routing.DIVERTED, Cause.LATE, said("view_out_of_time", view=name))
    if not view.captured:
        yield RoutingFinding(Routing.DIVERTED, Cause.LATE, said("view_no_capture", view=name))
    yield from _verdict_findings(visit, view, recipe)


def _verdict_findings(visit: VisitSnapshot, view: ViewState, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    name = view.view_id
    # Of two inspections that give two verdicts none is believed.
    is_apart = any((one.what, one.frame_id) == (VERDICTS, view.frame_id) for one in visit.contradictions)
    if view.verdict is Verdict.NG and not is_apart:
        yield RoutingFinding(Routing.REJECTED, None, said("view_defect", view=name, p=_score(view.p_defect)))
    elif view.verdict is Verdict.NOT_DECIDABLE:
        why = view.undecidable or Undecidable.BAD_METADATA
        cause = Cause.LATE if why is Undecidable.LATE else Cause.NOT_DECIDABLE
        yield RoutingFinding(Routing.DIVERTED, cause, said("view_undecidable", view=name, why=why.value))
    elif view.verdict is Verdict.OK and is_low_trust(view, recipe):
        told = said("view_suspicion", view=name, suspicion=_score(view.suspicion))
        yield RoutingFinding(Routing.DIVERTED, Cause.LOW_TRUST, told)
    elif view.verdict is None and view.lost is None:
        yield RoutingFinding(Routing.DIVERTED, Cause.LATE, said("view_no_inspection", view=name))


def is_low_trust(view: ViewState, recipe: Recipe | None) -> bool:
    """Whether an OK is not to be believed: by the threshold in force at its inspection or by the recipe's."""
    if view.doubtful or view.suspicion is None:
        return True
    limits = recipe.thresholds if recipe is not None else None
    return limits is not None and view.suspicion >= limits.suspicion


def frames_to_cover(visit: VisitSnapshot, recipe: Recipe | None) -> frozenset[str]:
    """Frames that a release has to name: there is a picture, and the machine does not vouch for it.

    Where the visit as a whole is at fault, or its recipe is unknown, it vouches for none.
    """
    told = recipe is None or any(faults.of_visit(visit, recipe))
    return frozenset(
        view.frame_id
        for view in visit.views
        if (view.lost is None or view.frame is not None) and (told or not _is_vouched(visit, view, recipe))
    )


def _is_vouched(visit: VisitSnapshot, view: ViewState, recipe: Recipe | None) -> bool:
    is_trusted = view.verdict is Verdict.OK and not is_low_trust(view, recipe)
    return is_trusted and not any(faults.of_view(visit, view, recipe))


def _score(value: float | None) -> str | float:
    return "unknown" if value is None else value
