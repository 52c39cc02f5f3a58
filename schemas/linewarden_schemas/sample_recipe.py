"""The recipe of the samples, and the time that all of them are told by."""

from __future__ import annotations

from linewarden_schemas.ids import digest
from linewarden_schemas.recipe import Criterion, Provenance, Recipe, Region, ReviewRules, Thresholds, ViewSpec, Zone

AT = 1_764_000_000_000
SHA = digest(b"picture")
RECIPE = Recipe(
    recipe_id="bracket",
    version=3,
    product_id="bracket",
    bundle_digest=SHA,
    views=(
        ViewSpec(
            view_id="top",
            camera_id="cam1",
            pose="flat",
            light="dome",
            region=Region(x=0, y=0, width=640, height=480),
            mm_per_pixel=0.05,
        ),
        ViewSpec(view_id="side", camera_id="cam2"),
    ),
    thresholds=Thresholds(
        defect=0.5,
        suspicion=0.62,
        provenance=Provenance(
            data_digest=SHA, n_defects=299, n_good=2000, rule="1 % overkill; u of 5 % of good parts", dated_ms=AT
        ),
    ),
    zones=(Zone(zone_id="seal", polygon=((0.0, 0.0), (10.0, 0.0), (10.0, 5.0))),),
    criteria=(Criterion(defect_class="scratch", zone_id="seal", max_length_mm=0.5, max_count=0),),
    review=ReviewRules(audit_share_of_passes=0.01, reject_review_share=0.05),
    created_ms=AT - 86_400_000,
    created_by="eng-1",
)
