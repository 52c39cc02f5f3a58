"""What records and recipe of a visit say against each other. Pure; each finding names both values.

A fault of the visit as a whole comes from `of_visit`, one of a frame from `of_view`; together they are everything that
withholds a visit without any picture being doubted. They are told beside an NG too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linewarden_domain.words import Said, said
from linewarden_schemas.recipe import Recipe, measures, unjudged
from linewarden_schemas.route_state import Contradiction, ViewState, VisitSnapshot
from linewarden_schemas.vocabulary import Cause, LineMode, Routing, Verdict, VerdictRule


@dataclass(frozen=True, slots=True)
class RoutingFinding:
    """What speaks against a pass: a routing no better than which the visit can have, and why."""

    routing: Routing
    cause: Cause | None
    reason: Said


def contradictions(visit: VisitSnapshot, recipe: Recipe | None) -> frozenset[RoutingFinding]:
    """Whatever records and recipe say differently: of each one that is new after revision 0 people are told."""
    views = (found for view in visit.views for found in of_view(visit, view, recipe))
    return frozenset((*told_apart(visit), *_product(visit, recipe), *views))


def told_apart(visit: VisitSnapshot) -> Iterator[RoutingFinding]:
    """Contradictions between records, of the visit and of its frames, whatever the recipe says."""
    yield from (_told(found) for found in visit.contradictions)


def of_visit(visit: VisitSnapshot, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    """Faults of the visit as a whole."""
    yield from (_told(found) for found in visit.contradictions if found.frame_id is None)
    yield from _product(visit, recipe)
    if visit.line_state is None and any(view.captured for view in visit.views):
        yield _fault(said("line_state_untold"))
    if visit.line_state is not None and visit.line_state.mode is not LineMode.PRODUCTION:
        mode = visit.line_state.mode.value
        yield _fault(said("line_not_in_production", mode=mode, production=LineMode.PRODUCTION.value))
    if visit.line_state is not None and visit.line_state.locked:
        yield _fault(said("line_locked"))
    if visit.withheld is not None:
        coded = visit.withheld_coded
        yield _fault(said("line_now_unknown") if coded is None else Said(visit.withheld, coded))
    for asked in unjudged(recipe) if recipe else ():
        yield _fault(said("recipe_unjudged", asked=asked))


def of_view(visit: VisitSnapshot, view: ViewState, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    """What speaks against one frame whatever its verdict: contradictions first, then what recipe and views say."""
    name = view.view_id
    yield from (_told(found) for found in visit.contradictions if found.frame_id == view.frame_id)
    if view.fault is not None:
        told = said("view_fault", view=name, fault=view.fault)
        yield _fault(told if view.fault_coded is None else Said(told.sentence, view.fault_coded))
    for condition in view.conditions:
        yield _fault(said("view_condition", view=name, condition=condition.value))
    yield from _of_verdict(view, recipe)
    yield from _of_acceptance(view, recipe)
    # An OK and an NG of two frames of the same view.
    others = (one.verdict for one in visit.views if one.view_id == name)
    if view.verdict is Verdict.NG and Verdict.OK in others:
        yield _fault(said("view_apart", view=name))
    if recipe is None:
        return
    expected = next((spec.camera_id for spec in recipe.views if spec.view_id == name), None)
    if expected is None:
        yield _fault(said("view_unexpected", view=name))
    elif view.camera_id is not None and view.camera_id != expected:
        yield _fault(said("view_camera", view=name, camera=view.camera_id, expected=expected))
    if view.bundle_digest is not None and view.bundle_digest != recipe.bundle_digest:
        yield _fault(said("view_bundle", view=name, bundle=view.bundle_digest, expected=recipe.bundle_digest))
    yield from _of_thresholds(view, recipe)


def _product(visit: VisitSnapshot, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    if recipe is not None and visit.product_id is not None and visit.product_id != recipe.product_id:
        yield _fault(said("product_other", product=visit.product_id, expected=recipe.product_id))


def _of_thresholds(view: ViewState, recipe: Recipe) -> Iterator[RoutingFinding]:
    """Thresholds that are not the recipe's; a bundle that is not released is given a suspicion of 0, for every OK."""
    own, used = recipe.thresholds, view.thresholds
    if own is None or used is None:
        return
    if used.defect != own.defect or used.suspicion not in {own.suspicion, 0.0}:
        limits = {"defect": used.defect, "suspicion": used.suspicion}
        recipes = {"own_defect": own.defect, "own_suspicion": own.suspicion}
        yield _fault(said("view_thresholds", view=view.view_id, **limits, **recipes))


def _of_verdict(view: ViewState, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    """A verdict against the numbers that it was made from, and an OK that does not tell what made it."""
    limits = [one.defect for one in (recipe.thresholds if recipe else None, view.thresholds) if one is not None]
    name, p = view.view_id, view.p_defect
    may_overrule = recipe is not None and recipe.accepts_above_threshold and any(one.accept for one in recipe.criteria)
    if view.accepted and may_overrule:
        limits = []
    if view.verdict is Verdict.OK:
        if p is None:
            yield _fault(said("view_ok_without_p", view=name))
        for limit in limits:
            # Not `p > limit`: a number that is none compares false with everything, and must not pass.
            if p is not None and not p <= limit:
                yield _fault(said("view_ok_above", view=name, p=p, limit=limit))
        # Of an adopted routing there is no inspection yet; the disposition does not carry these.
        if view.inspection is not None and None in (view.camera_id, view.bundle_digest, view.thresholds):
            yield _fault(said("view_ok_unexplained", view=name))
    by_p = recipe is not None and recipe.verdict_rule is VerdictRule.CLASSIFIER
    if view.verdict is Verdict.NG and by_p and p is not None and limits and p <= min(limits):
        yield _fault(said("view_ng_below", view=name, p=p, limit=min(limits)))


def _of_acceptance(view: ViewState, recipe: Recipe | None) -> Iterator[RoutingFinding]:
    """An OK without the measurement or location that the recipe asks for, or by a criterion that it does not have."""
    if recipe is None or view.verdict is not Verdict.OK:
        return
    # Of an adopted routing there is no inspection yet; the disposition does not carry these.
    if measures(recipe) and not view.measured and view.inspection is not None:
        yield _fault(said("view_unmeasured", view=view.view_id))
    is_asked = any(spec.locate is not None for spec in recipe.views if spec.view_id == view.view_id)
    if is_asked and not view.located and view.inspection is not None:
        yield _fault(said("view_unlocated", view=view.view_id))
    if view.accepted and not any(one.accept for one in recipe.criteria) and not any(one.ignore for one in recipe.zones):
        yield _fault(said("view_accepts", view=view.view_id))


def _told(found: Contradiction) -> RoutingFinding:
    values = ", ".join(found.values)
    if found.frame_id is None:
        return _fault(said("records_apart", what=found.what, values=values))
    return _fault(said("frame_records_apart", frame=found.frame_id, what=found.what, values=values))


def _fault(reason: Said) -> RoutingFinding:
    return RoutingFinding(Routing.DIVERTED, Cause.FAULT, reason)
