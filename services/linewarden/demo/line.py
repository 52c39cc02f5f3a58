"""What the demo's line makes: its plan, cameras, recipe, and the records that set it up."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linewarden.commands.bundles import digest_of
from linewarden_ingest.cameras.simulation import SEEDS_PER_PLAN, LinePlan
from linewarden_runtime.provision import activation_record, line_state_record, recipe_record
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.recipe import Recipe, ReviewRules, TimeBudget, ViewSpec
from linewarden_schemas.vocabulary import LineMode
from linewarden_vision.pictures.folders import pictures_in
from linewarden_vision.synthetic.demo import DEMO_DIFFICULTY, DEMO_SIZE, DEMO_VIEWS, FIRST_DEMO_SEED

LINE = "line1"
STATION = "st1"
NAMESPACE = Namespace("demo")
PARTITIONS = 4
BUNDLE = Path(__file__).parent.parent / "assets" / "demo-bundle"
VIEWS = ("top", "left", "right")
DECIDE_BY_MS = 8_000
_SOURCE = "/demo"


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where the pictures come from: the cameras as ingest reads them, how many visits there will be, who judges."""

    cameras: tuple[dict[str, Any], ...]
    views: tuple[tuple[str, str], ...]
    visits: int | None
    plan: LinePlan | None
    decide_by_ms: int = DECIDE_BY_MS
    bundle: Path = BUNDLE

    def cameras_json(self) -> str:
        """The cameras as JSON, as LINEWARDEN_INGEST__CAMERAS takes them."""
        return json.dumps(self.cameras)


def demo_plan(seed: int, pool: int | None = None) -> LinePlan:
    """The line that the demo's bundle was taught for, with parts that the bundle has never seen."""
    return LinePlan(
        seed=1 + FIRST_DEMO_SEED // SEEDS_PER_PLAN + seed,
        views=DEMO_VIEWS,
        size=DEMO_SIZE,
        difficulty=DEMO_DIFFICULTY,
        defect_rate=0.15,
        missing_share=0.01,
        pool=pool,
    )


def simulated(
    plan: LinePlan,
    visits: int | None,
    rate: float,
    decide_by_ms: int = DECIDE_BY_MS,
    gallery: Path | None = None,
) -> PictureSource:
    """Three cameras around one station of the simulated line; with a gallery, pictures of a pool are drawn before."""
    shared = {
        "kind": "line",
        "visits": visits or 10_000_000,
        "rate_per_s": rate,
        "seed": plan.seed,
        "views": plan.views,
        "size": plan.size,
        "defect_rate": plan.defect_rate,
        "difficulty": plan.difficulty,
        "missing_share": plan.missing_share,
        "return_after": plan.return_after,
        "pool": plan.pool,
        "gallery": None if gallery is None else str(gallery),
    }
    cameras = tuple(
        shared | {"camera_id": f"cam-{view}", "view_id": view, "view": number} for number, view in enumerate(VIEWS)
    )
    return PictureSource(cameras, tuple((view, f"cam-{view}") for view in VIEWS), visits, plan, decide_by_ms)


def by_gige(source: PictureSource, addresses: list[str]) -> PictureSource:
    """The same views taken by a camera of GigE Vision each, whose block ids name the visits."""
    shared = {
        "kind": "genicam",
        "pixel_format": "Mono8",
        "width": DEMO_SIZE,
        "height": DEMO_SIZE,
        "trigger": "Line0",
        "trigger_counter": "frame_id",
        "arm_s": 120.0,  # the first trigger waits for all cameras, and this machine may be slow
        "shots": source.visits,
    }
    cameras = tuple(
        shared | {"camera_id": camera, "view_id": view, "device": address}
        for (view, camera), address in zip(source.views, addresses, strict=True)
    )
    return replace(source, cameras=cameras)


def folder(pictures: Path, visits: int | None, rate: float, work: Path) -> PictureSource:
    """One camera that takes the folder's pictures in order, each a visit; again from the start where too few."""
    found = pictures_in(pictures)
    wanted = visits or len(found)
    chosen = work / "pictures"
    chosen.mkdir()
    for path in found[:wanted]:
        (chosen / path.name).symlink_to(path.resolve())
    taken = min(wanted, len(found))
    camera = {
        "kind": "folder",
        "camera_id": "cam1",
        "view_id": "view1",
        "path": str(chosen),
        "rate_per_s": rate,
    }
    return PictureSource((camera,), (("view1", "cam1"),), taken, None)


def recipe(source: PictureSource, at_ms: int) -> Recipe:
    """The demo's recipe: eight seconds to decide, one pass in fifty audited, one reject in ten reviewed."""
    return Recipe(
        recipe_id="demo-part",
        version=1,
        product_id="demo-part",
        bundle_digest=digest_of(source.bundle),
        views=tuple(ViewSpec(view_id=view, camera_id=camera) for view, camera in source.views),
        review=ReviewRules(audit_share_of_passes=0.02, reject_review_share=0.1, undo_window_ms=5_000),
        time=TimeBudget(
            decide_by_ms=source.decide_by_ms, commit_margin_ms=300, max_skew_ms=5_000, spool_horizon_ms=3_600_000
        ),
        created_ms=at_ms,
        created_by="demo",
    )


def set_up(source: PictureSource, at_ms: int, *, has_gate: bool = False) -> list[OutRecord]:
    """Recipe, activation and production, as an engineer and a lead would tell them."""
    made = recipe(source, at_ms)
    activation = Activation(
        line_id=LINE, recipe=made.ref(), bundle_digest=made.bundle_digest, from_ms=at_ms, actor=made.created_by
    )
    state = LineState(
        line_id=LINE,
        mode=LineMode.PRODUCTION,
        since_ms=at_ms,
        actor=made.created_by,
        order_id="demo-order",
        lot_id="demo-lot",
        product_id=made.product_id,
        shift="demo",
        has_gate=has_gate,
    )
    return [
        recipe_record(NAMESPACE, made, _SOURCE),
        activation_record(NAMESPACE, activation, _SOURCE),
        line_state_record(NAMESPACE, state, _SOURCE),
    ]
