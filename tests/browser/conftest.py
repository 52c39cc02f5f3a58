"""A station with everything that people see, over a real broker and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import redis
from playwright.sync_api import Browser

from linewarden_domain.acceptance import measuring_digest
from linewarden_domain.limit_samples import SampleFigures
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.station.references import References
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace, digest
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Criterion, Recipe, ViewSpec
from linewarden_schemas.vocabulary import Verdict
from linewarden_vision.synthetic.part import make_part
from tests.browser.chromium import chromium
from tests.unit.reinspect.rig import VIEWS, Rig, operator_link, rig, route, serving
from tests.unit.reinspect.slots import AT
from tests.unit.reinspect.sockets import sockets_of_the_client_library

__all__ = ["sockets_of_the_client_library"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def made(tansu_broker: KafkaBroker, valkey: str, namespace: str, tmp_path: Path) -> Iterator[Rig]:
    with redis.Redis.from_url(valkey) as client:
        queue = RedisQueue(client, Namespace(namespace).redis_prefix())
        with rig(tansu_broker, queue, SystemClock(), namespace) as one:
            one.station = replace(one.station, recipe=lambda _: RECIPE, references=References(references(tmp_path)))
            yield one


RECIPE = Recipe(
    recipe_id="bracket",
    version=3,
    product_id="bracket",
    bundle_digest="a" * 64,
    views=tuple(ViewSpec(view_id=view, camera_id=view) for view in VIEWS),
    criteria=(Criterion(defect_class="scratch"), Criterion(defect_class="dent")),
    created_ms=AT,
    created_by="eng-1",
)


def references(root: Path) -> Path:
    """A golden picture of each view, and the limit samples of scratches."""
    golden, limits = root / "bracket" / "golden", root / "bracket" / "limits" / "scratch"
    for folder in (golden, limits):
        folder.mkdir(parents=True)
    good = make_part(seed=900, views=3, size=256, defect_rate=0.0)
    for view, shown in zip(VIEWS, good.views, strict=True):
        cv2.imwrite(str(golden / f"{view}.png"), shown.picture)
    for number, side in enumerate(("acceptable", "unacceptable")):
        part = make_part(seed=901 + number, views=3, size=256, defect_rate=1.0)
        cv2.imwrite(str(limits / f"{side}.png"), part.views[0].picture)
    figures = SampleFigures(
        sha256=digest((limits / "acceptable.png").read_bytes()),
        view_id=VIEWS[0],
        bundle_digest=RECIPE.bundle_digest,
        measuring_digest=measuring_digest(RECIPE),
        verdict=Verdict.OK,
        accepted=True,
        defects=(
            MeasuredDefect(
                x=1,
                y=1,
                width=4,
                height=4,
                length_mm=0.8,
                length_error_mm=0.1,
                area_mm2=0.3,
                area_error_mm2=0.05,
                defect_class="scratch",
                is_within=True,
            ),
        ),
        count=1,
        measured_ms=AT,
    )
    (limits / "acceptable.figures.json").write_text(figures.model_dump_json(), encoding="utf-8")
    (limits / "acceptable.json").write_text('{"approved_by": "Q. Lead", "expires": "2099-01-31"}', encoding="utf-8")
    return root


@pytest.fixture
def link(made: Rig) -> Iterator[str]:
    """Where people sign in, with everything running."""
    with serving(made, route(made)) as base:
        yield operator_link(base)
