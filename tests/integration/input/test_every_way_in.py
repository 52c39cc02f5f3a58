"""The same files on the line (camera, inspect, route), offline and as a set to train on: one answer to each.

`pytest -s tests/integration/input` prints the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.pins import PinBoard
from linewarden_ingest.settings import IngestOptions, SpoolOptions
from linewarden_ingest.worker import Worker
from linewarden_inspect.offline.folder import Options, inspect_listing
from linewarden_inspect.offline.listing import list_pictures
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.provision import activation_record, line_state_record, provision_topics, recipe_record
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState, RecipeRef
from linewarden_schemas.recipe import Recipe, TimeBudget, ViewSpec
from linewarden_schemas.vocabulary import LineMode, Routing, Verdict
from linewarden_train.data.checks import inspect_set
from linewarden_train.data.reading_sets import read_set
from linewarden_vision.bundle import read_bundle
from linewarden_vision.inspector import Inspector
from tests.support import picture_files as files
from tests.support.bundles import digest_in, random_picture
from tests.support.route_line import RouteLine, turn_until
from tests.unit.ingest.lines import captures
from tests.unit.inspect.harness import CountingStop, inspections, worker

NAMESPACE = Namespace("line1")
PICTURE = random_picture(3)
JPEG = files.encoded(PICTURE, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)
PNG = files.encoded(PICTURE, ".png")
PROGRESSIVE = files.encoded(PICTURE, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
READ: Mapping[str, bytes] = {
    "plain.png": PNG,
    "plain.jpg": JPEG,
    "padded.jpg": JPEG + bytes(3),
    "padded.png": PNG + b"\xff" * 64,
    "turned.jpg": files.turned(JPEG, 6),
    "turned.tif": files.tiff(PICTURE, t274=8),
    "progressive.jpg": PROGRESSIVE,
    "plain.bmp": files.encoded(PICTURE, ".bmp"),
    "gamma.png": files.png_with(PNG, b"gAMA", b"\0\0\xb1\x8f"),
}
REFUSED: Mapping[str, tuple[bytes, str]] = {
    "lost.jpg": (files.cut_between_markers(JPEG, 0.6), "premature end"),
    "cut.jpg": (JPEG[:-40], "cut short"),
    "scans.jpg": (PROGRESSIVE[: files.scans(PROGRESSIVE)[2]] + b"\xff\xd9", "scans of the JPEG are missing"),
    "cut.png": (files.png_data(PNG, lambda data: data[: len(data) // 2]), "Not enough image data"),
    "checksum.png": (PNG.replace(b"IDAT", b"IDAU"), "chunk"),
    "stereo.jpg": (files.stereo(JPEG, JPEG), "2 pictures"),
    "double.png": (PNG + PNG, "2 pictures"),
    "animated.png": (files.png_with(PNG, b"acTL", b"\0\0\0\3\0\0\0\0"), "3 pictures"),
    "pages.tif": (cv2.imencodemulti(".tiff", [PICTURE] * 3)[1].tobytes(), "3 pictures"),
    "float.tif": (files.tiff(PICTURE.astype(np.float32)), "32 bit float"),
    "signed.tif": (files.tiff(np.dstack([PICTURE.astype(np.int16)] * 3)), "16 bit signed"),
    "negative.tif": (files.tiff(PICTURE, t262=0), "white is 0"),
    "alpha.png": (files.encoded(np.zeros((64, 64, 4), np.uint8), ".png"), "alpha"),
    "text.png": (b"hello", "not a picture"),
}
HIDDEN = ("._plain.png", ".DS_Store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files in one folder, beside what a share leaves there."""
    place = tmp_path / "pictures"
    place.mkdir()
    for name, data in {**READ, **{name: data for name, (data, _) in REFUSED.items()}}.items():
        (place / name).write_bytes(data)
    for name in HIDDEN:
        (place / name).write_bytes(b"Mac OS X")
    return place


def line_of(store: Path) -> MemoryBroker:
    """A line in production whose recipe gives a minute, on the clock of this machine."""
    broker = MemoryBroker(SystemClock())
    with broker.admin() as admin:
        provision_topics(admin, NAMESPACE, 2)
    recipe = Recipe(
        recipe_id="plate",
        version=1,
        product_id="plate",
        bundle_digest=digest_in(store, "a"),
        views=(ViewSpec(view_id="view0", camera_id="cam0"),),
        time=TimeBudget(decide_by_ms=60_000),
        created_ms=1,
        created_by="test",
    )
    state = LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=5, actor="test")
    activation = Activation(line_id="line1", recipe=RecipeRef(recipe_id="plate", version=1), from_ms=0, actor="test")
    for record in (
        recipe_record(NAMESPACE, recipe, "/test"),
        activation_record(NAMESPACE, activation, "/test"),
        line_state_record(NAMESPACE, state, "/test"),
    ):
        broker.append(record)
    return broker


def captured(broker: MemoryBroker, folder: Path, spool: Path) -> None:
    camera = FolderOptions(camera_id="cam0", view_id="view0", path=folder)
    options = IngestOptions(cameras=(camera,), spool=SpoolOptions(folder=spool), drain_s=10.0)
    board = PinBoard(LineBook(broker, NAMESPACE), RecipeBook(broker, NAMESPACE), "line1", SystemClock())
    Worker(options, camera, broker.producer, NAMESPACE, partitions=2, board=board, clock=SystemClock()).run(
        Stop(), SystemClock().now_ms()
    )


def test_on_the_line_what_cannot_be_read_diverts_and_its_neighbours_are_judged(
    folder: Path, bundle_store: Path, tmp_path: Path
) -> None:
    broker = line_of(bundle_store)
    captured(broker, folder, tmp_path / "spool")
    shots = dict(zip(sorted([*READ, *REFUSED]), captures(broker), strict=True))
    sent = [one for one in shots.values() if one.lost is None]
    worker(broker, bundle_store).run(CountingStop(lambda: len(inspections(broker)) == len(sent)))
    told = {one.frame_id: one for one in inspections(broker)}
    line = RouteLine(broker, "line1", 2, has_topics=True)
    try:
        router = line.router()
        turn_until(lambda: len(line.dispositions()) == len(shots), router)
        routed = {one.visit_id: one.routing for one in line.dispositions()}
    finally:
        line.close()
    for name, shot in shots.items():
        found = told.get(shot.frame_id)
        detail = "; ".join(found.reasons) if found else str(shot.lost)
        print(f"line      {name:16} {routed[shot.visit_id].value:12} {detail}")  # noqa: T201
        assert partition_of(shot.visit_id, 2) in {0, 1}
        if name in READ:
            assert found is not None, name
            assert found.verdict is not Verdict.NOT_DECIDABLE, (name, found.reasons)
        else:
            assert routed[shot.visit_id] is Routing.DIVERTED, name
            assert found is None or (found.verdict is Verdict.NOT_DECIDABLE and REFUSED[name][1] in detail), detail


def test_offline_every_file_is_answered_and_one_never_ends_the_run(folder: Path, bundle_store: Path) -> None:
    long = folder / f"{'p' * 240}.png"
    long.write_bytes(PNG)
    lines: list[str] = []
    scorer = Inspector.from_bundle(read_bundle(bundle_store / "a"), "cpu", "float32")
    options = Options(maps=folder.parent / "maps")
    summary = inspect_listing(list_pictures(folder), scorer, options, write=lines.append, clock=lambda: 0.0)
    told: dict[str, dict[str, Any]] = {one["image"]: one for one in map(json.loads, lines)}
    assert summary.pictures == len(READ) + len(REFUSED) + 1
    assert (options.maps or folder).joinpath(told[long.name]["mask"]).is_file()
    for name in READ:
        print(f"offline   {name:16} {told[name]['routing']}")  # noqa: T201
        assert told[name]["verdict"] != "NOT_DECIDABLE", told[name]["reasons"]
    for name, (_, words) in REFUSED.items():
        print(f"offline   {name:16} {told[name]['routing']:12} {told[name]['reasons'][0]}")  # noqa: T201
        assert told[name]["routing"] == "diverted"
        assert words in told[name]["reasons"][0]
    pixels = {name: told[name]["margin"] for name in ("plain.png", "padded.png", "turned.tif", "gamma.png")}
    assert len(set(pixels.values())) == 1
    assert told["plain.jpg"]["margin"] == told["turned.jpg"]["margin"] == told["padded.jpg"]["margin"]


def test_a_set_of_the_same_files_names_the_same_ones(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    folder.rename(tmp_path / "set" / "good")
    (tmp_path / "set" / "bad").mkdir()
    (tmp_path / "set" / "bad" / "b.png").write_bytes(PNG)
    with pytest.warns(UserWarning, match="no mask"):
        report = inspect_set(read_set(tmp_path / "set", "plain"))
    assert report.pictures == len(READ) + len(REFUSED) + 1
    for name, (_, words) in REFUSED.items():
        (found,) = [one for one in report.errors if f"/{name}:" in one]
        print(f"training  {name:16} {found.rpartition('/')[2]}")  # noqa: T201
        assert words in found
    assert len(report.errors) == len(REFUSED)
