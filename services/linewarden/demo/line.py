"""What the demo's line makes: its plan, cameras, recipe, and the records that set it up."""

from __future__ import annotations

import itertools
import json
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linewarden.commands.bundles import digest_of
from linewarden_domain.study_sheet import FILE, SheetRow, as_text, folder_of
from linewarden_ingest.cameras.interface import EncodedPicture
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_ingest.cameras.simulation import SEEDS_PER_PLAN, LinePlan, draw, draw_view, plan_visit
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
OPERATOR = "Demo"
"""Who signs in as this finds a study under *Study*."""
OPENING = (501_002_268, 501_002_328)
"""Seeds of parts with a scratch that anybody sees, which the demo's network calls good and trust diverts."""
_SOURCE = "/demo"
_LAST_PARTS = SEEDS_PER_PLAN - 1_000
"""From this number on a demo shows no part: it would run for days."""


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where the pictures come from: the cameras as ingest reads them, how many visits there will be, who judges.

    `reviewers` people judge each diverted part, blind to each other; where they differ a lead does.
    """

    cameras: tuple[dict[str, Any], ...]
    views: tuple[tuple[str, str], ...]
    visits: int | None
    plan: LinePlan | None
    decide_by_ms: int = DECIDE_BY_MS
    bundle: Path = BUNDLE
    reviewers: int = 1

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


def known_bad(plan: LinePlan) -> dict[str, EncodedPicture]:
    """The views of a defective part of the same line, whose number is beyond all that it shows."""
    planned = (plan_visit(plan, number) for number in itertools.count(_LAST_PARTS))
    shown = next(one for one in planned if one.defective and one.previous is None)
    return {view: encode(draw_view(plan, shown, place).picture, Encoding()) for place, view in enumerate(VIEWS)}


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
        "whole_before": plan.whole_before,
        "opens_with": plan.opens_with,
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
    """One camera that takes the folder's pictures in order, each a part that is called as its file."""
    found = pictures_in(pictures)
    wanted = visits or len(found)
    chosen = work / "pictures"
    chosen.mkdir()
    for path in found[:wanted]:
        (chosen / _part_name(path, chosen)).symlink_to(path.resolve())
    taken = min(wanted, len(found))
    camera = {
        "kind": "folder",
        "camera_id": "cam1",
        "view_id": "view1",
        "path": str(chosen),
        "pattern": "^(?P<part_id>.+)$",
        "rate_per_s": rate,
    }
    return PictureSource((camera,), (("view1", "cam1"),), taken, None)


def _part_name(path: Path, chosen: Path) -> str:
    """A file's name as a part may be called, of no other file in the folder."""
    stem, suffix = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem)[:80], path.suffix
    more = itertools.chain(("",), (f"-{number}" for number in itertools.count(2)))
    return next(name for one in more if not (chosen / (name := f"{stem}{one}{suffix}")).is_symlink())


def references(source: PictureSource, work: Path) -> Path | None:
    """A folder with a good part's picture of each view, as the station compares with; None where none is known."""
    if source.plan is None:
        return None
    import cv2  # noqa: PLC0415 - only what draws parts needs it

    plan = source.plan
    visit = next(one for number in itertools.count() if not (one := plan_visit(plan, number)).defective)
    golden = work / "references" / "demo-part" / "golden"
    golden.mkdir(parents=True)
    for view, drawn in zip(VIEWS, draw(plan, visit).views, strict=False):
        cv2.imwrite(str(golden / f"{view}.png"), drawn.picture)
    return work / "references"


def study(source: PictureSource, work: Path, parts: int = 6, rounds: int = 2, operator: str = OPERATOR) -> Path | None:
    """Sheets of a study of the measurement system for whoever signs in as `operator`; None where no truth is known."""
    if source.plan is None:
        return None
    import cv2  # noqa: PLC0415 - as above

    plan = source.plan
    visits = [plan_visit(plan, number) for number in range(parts)]
    for round_ in range(1, rounds + 1):
        sheet = work / "studies" / "demo" / folder_of(operator, round_)
        sheet.mkdir(parents=True)
        dice = random.Random(plan.seed * 1000 + round_)  # noqa: S311 - tokens and order, the same at every run
        rows = [SheetRow(f"{dice.getrandbits(32):08x}", "") for _ in visits]
        for row, visit in zip(rows, dice.sample(visits, len(visits)), strict=True):
            cv2.imwrite(str(sheet / f"{row.token}.png"), draw(plan, visit).views[0].picture)
        (sheet / FILE).write_text(as_text(SheetRow(row.token, f"{row.token}.png") for row in rows), encoding="utf-8")
    return work / "studies"


def recipe(source: PictureSource, at_ms: int) -> Recipe:
    """The demo's recipe: eight seconds to decide, one pass in fifty audited, one reject in ten reviewed."""
    return Recipe(
        recipe_id="demo-part",
        version=1,
        product_id="demo-part",
        bundle_digest=digest_of(source.bundle),
        views=tuple(ViewSpec(view_id=view, camera_id=camera) for view, camera in source.views),
        review=ReviewRules(
            reviews_required=source.reviewers,
            audit_share_of_passes=0.02,
            reject_review_share=0.1,
            undo_window_ms=5_000,
        ),
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
