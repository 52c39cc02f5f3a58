"""Frame, recipe and score -> inspection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from scipy.special import expit

from linewarden_domain.acceptance import MOST_DEFECTS, judged
from linewarden_domain.words import sentences
from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import Inspection, MeasuredDefect, SourceRef
from linewarden_schemas.recipe import Recipe, Region, Thresholds, measures
from linewarden_schemas.vocabulary import Verdict, VerdictRule
from linewarden_vision.card import Card
from linewarden_vision.inspecting.locating import Placement
from linewarden_vision.inspecting.map_pictures import picture_maps
from linewarden_vision.inspecting.measuring import measured
from linewarden_vision.inspecting.preparing import Ready
from linewarden_vision.inspecting.reasons import by_weight, reasons_of, reasons_of_defects
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspector import ViewScore
from linewarden_vision.standing import OkDoubt


@cache
def code_version() -> str:
    """Version of the installed code, as every inspection names it."""
    return version("linewarden")


def decided(ready: Ready, score: ViewScore, now_ms: int) -> Inspection:
    """The inspection of a frame that the device scored; `now_ms` is epoch ms."""
    card = ready.scorer.card
    doubt = ready.scorer.standing.doubt(card, ready.recipe, ready.frame.meta.captured_ms, ready.live)
    thresholds = thresholds_of(ready.recipe, card, doubt)
    meta = ready.frame.meta
    said_of = judged_view(score, ready.recipe, meta.view_id, ready.region, thresholds, now_ms, ready.placement)
    verdict, defects = said_of.verdict, said_of.defects
    worst = by_weight(defects or ())
    reasons = (*reasons_of(verdict, score, thresholds, card, doubt), *reasons_of_defects(worst))
    return Inspection(
        frame_id=meta.frame_id,
        visit_id=meta.visit_id,
        view_id=meta.view_id,
        line_id=meta.line_id,
        camera_id=meta.camera_id,
        verdict=verdict,
        **sentences(reasons),
        p_defect=score.p_defect,
        margin=score.margin,
        suspicion=score.suspicion,
        ingredients=score.ingredients,
        thresholds=thresholds,
        defect_class=worst[0].defect_class if worst else None,
        defects=None if defects is None else defects[:MOST_DEFECTS],
        accepted=said_of.accepted,
        location=None if ready.placement is None else ready.placement.location,
        maps=picture_maps(score, ready.native, ready.region),
        recipe=meta.recipe if meta.recipe.digest else meta.recipe.sharper(ready.recipe.ref()),
        frame_sha256=meta.sha256,
        bundle_digest=ready.scorer.digest,
        code_version=code_version(),
        device=ready.scorer.device,
        precision=ready.scorer.precision,
        source=ready.source,
        captured_ms=meta.captured_ms,
        decide_by_ms=meta.decide_by_ms,
        inspected_ms=now_ms,
        clock_checked=meta.clock_checked,
        is_simulated=meta.is_simulated,
    )


@dataclass(frozen=True, slots=True)
class JudgedView:
    """The verdict on a view, its measured defects, None where nobody measures, and whether criteria accepted them."""

    verdict: Verdict
    defects: tuple[MeasuredDefect, ...] | None = None
    accepted: bool = False


def judged_view(
    score: ViewScore,
    recipe: Recipe,
    view_id: str,
    region: Region | None,
    thresholds: Thresholds,
    now_ms: int,
    placement: Placement | None = None,
) -> JudgedView:
    """What a recipe's verdict rule and criteria make of a score; `now_ms` (epoch ms) is held against the scale's end.

    An NG becomes OK where something is marked and all of it lies within what the criteria accept, or in ignored zones.
    Where the probability is above its threshold, the recipe must say `accepts_above_threshold`, and a criterion must
    accept a defect that was measured: marks in ignored zones alone never overrule the classifier, since they cannot
    tell what it saw.
    """
    verdict = verdict_of(recipe.verdict_rule, score, thresholds)
    view = next((one for one in recipe.views if one.view_id == view_id), None)
    found = None
    if view is not None and measures(recipe):
        found = measured(score.mask, recipe, view, region, now_ms, score.classes, placement)
    if found is None:
        return JudgedView(verdict)
    defects = judged(found, recipe.criteria)
    accepted = verdict is Verdict.NG and _is_acceptable(defects, recipe, score, thresholds)
    return JudgedView(Verdict.OK if accepted else verdict, defects, accepted)


def _is_acceptable(
    defects: tuple[MeasuredDefect, ...], recipe: Recipe, score: ViewScore, thresholds: Thresholds
) -> bool:
    if not defects or not all(one.is_within for one in defects):
        return False
    if score.p_defect <= thresholds.defect:
        return True
    # Not by the threshold's failing alone: a number that is none compares false with everything, and must not be OK.
    overrules = recipe.accepts_above_threshold and any(not one.is_ignored for one in defects)
    return overrules and score.p_defect <= 1.0


def not_decidable(frame: Frame, source: SourceRef, refused: PictureRefused, now_ms: int) -> Inspection:
    """The inspection of a frame that cannot be judged: its visit is diverted."""
    meta = frame.meta
    return Inspection(
        frame_id=meta.frame_id,
        visit_id=meta.visit_id,
        view_id=meta.view_id,
        line_id=meta.line_id,
        camera_id=meta.camera_id,
        verdict=Verdict.NOT_DECIDABLE,
        undecidable=refused.reason,
        **sentences((refused.said,)),
        recipe=meta.recipe,
        frame_sha256=meta.sha256,
        code_version=code_version(),
        source=source,
        captured_ms=meta.captured_ms,
        decide_by_ms=meta.decide_by_ms,
        inspected_ms=now_ms,
        clock_checked=meta.clock_checked,
        is_simulated=meta.is_simulated,
    )


def thresholds_of(recipe: Recipe, card: Card, doubt: OkDoubt | None) -> Thresholds:
    """The recipe's thresholds, or those of the bundle's card; of a bundle that is doubted none for trust."""
    return thresholds_of_card(card, doubt) if recipe.thresholds is None else _doubted(recipe.thresholds, doubt)


def thresholds_of_card(card: Card, doubt: OkDoubt | None) -> Thresholds:
    """The bundle's own thresholds, that of the margin as a probability; doubted like the recipe's."""
    defect, suspicion = (float(part.value) for part in (card.thresholds.defect, card.thresholds.suspicion))
    return _doubted(Thresholds(defect=float(expit(defect)), suspicion=suspicion), doubt)


def _doubted(thresholds: Thresholds, doubt: OkDoubt | None) -> Thresholds:
    """Doubt every OK where the bundle is, whatever anybody set: suspicion is never below 0."""
    return thresholds if doubt is None else thresholds.model_copy(update={"suspicion": 0.0})


def verdict_of(rule: VerdictRule, score: ViewScore, thresholds: Thresholds) -> Verdict:
    """NG above the threshold, or under `either` also where the mask shows anything; never OK by a missing number."""
    if not score.p_defect <= thresholds.defect:
        return Verdict.NG
    if rule is VerdictRule.EITHER and bool(score.mask.any()):
        return Verdict.NG
    return Verdict.OK
