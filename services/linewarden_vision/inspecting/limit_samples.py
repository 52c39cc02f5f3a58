"""Limit samples measured as inspections are: the same network, criteria and scale."""

from __future__ import annotations

from linewarden_domain.acceptance import MOST_DEFECTS, measuring_digest
from linewarden_domain.limit_samples import SampleFigures
from linewarden_schemas.ids import digest
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_vision.inspecting.judging import judged_view, thresholds_of
from linewarden_vision.inspecting.preparing import cropped, placed
from linewarden_vision.inspector import Inspector
from linewarden_vision.pictures.reading import PictureLimits, read_picture


def sample_figures(inspector: Inspector, recipe: Recipe, view: ViewSpec, payload: bytes, now_ms: int) -> SampleFigures:
    """The figures of one picture of a view; one of exactly its region's size is that region already.

    Raises PictureRefused and UnusablePicture for a picture that the line would not judge, ValueError where the recipe
    measures nothing in this view.
    """
    picture, placement = read_picture(payload, PictureLimits()), None
    region = view.region
    if region is None or picture.shape[:2] != (region.height, region.width):
        region, placement = placed(picture, view)
        picture = cropped(picture, region, placement)
    [score] = inspector.score([inspector.prepare(picture)])
    limits = thresholds_of(recipe, inspector.card, None)  # trust has no part in figures
    told = judged_view(score, recipe, view.view_id, region, limits, now_ms, placement)
    if told.defects is None:
        raise ValueError(f"recipe {recipe.ref().short} measures nothing in view {view.view_id}, or its scale has ended")
    return SampleFigures(
        sha256=digest(payload),
        view_id=view.view_id,
        bundle_digest=recipe.bundle_digest,
        measuring_digest=measuring_digest(recipe),
        verdict=told.verdict,
        accepted=told.accepted,
        defects=told.defects[:MOST_DEFECTS],
        count=sum(not one.is_ignored for one in told.defects),
        measured_ms=now_ms,
    )
