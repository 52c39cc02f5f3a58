"""A marked region is told its class by the network's features under it, or is unknown; a bundle carries how."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from linewarden_vision.bundle import content_of, read_bundle, write_bundle
from linewarden_vision.errors import BundleError
from linewarden_vision.inspector import Inspector
from linewarden_vision.region_classes import ClassHead, ClassMap, ClassTable, cell_features, pool_cells, shape_of
from tests.unit.vision.helpers import golden_of, pictures, small_card, small_network
from tests.unit.vision.test_tiles import Local, card

TWO = ("pit", "scratch")


def head(features: int, **more: Any) -> ClassHead:
    """Tells scratch where the first feature is high, pit where it is low; the shape says nothing."""
    weights = [[-1.0, *[0.0] * (features - 1)], [1.0, *[0.0] * (features - 1)]]
    fields: dict[str, Any] = {"names": list(TWO), "cells": weights, "shape": [[0.0] * 3] * 2, "bias": [0.0, 0.0]}
    source = small_card().trust.provenance
    return ClassHead(**(fields | {"held_out": ClassTable(how="none", rows=[]), "provenance": source} | more))


def class_map(cells: list[list[float]]) -> ClassMap:
    """Logits of scratch by the cell, those of pit their opposite; each cell is 8 x 8 pixels."""
    scratch = np.asarray(cells, np.float32)
    size = (8 * scratch.shape[0], 8 * scratch.shape[1])
    return ClassMap(head(1), np.stack([-scratch, scratch]), size, size, size)


def region(height: int = 8, width: int = 8) -> np.ndarray:
    return np.ones((height, width), bool)


def test_a_region_is_told_by_the_cells_under_it() -> None:
    told = class_map([[3.0, -3.0]])
    assert told.of(region(), (0, 0)).defect_class == "scratch"
    assert told.of(region(), (0, 8)).defect_class == "pit"
    # Six columns over the first cell and two over the second: the mean weighs them by pixels.
    assert told.of(region(), (0, 2)).probability == pytest.approx(1 / (1 + math.exp(-2 * (6 * 3 - 2 * 3) / 8)))


def test_a_class_that_is_not_sure_is_unknown_and_may_be_any() -> None:
    told = class_map([[0.3]]).of(region(), (0, 0))
    assert (told.defect_class, told.known) == (None, TWO)
    assert told.probability == pytest.approx(1 / (1 + math.exp(-0.6)))
    broken = class_map([[math.nan]]).of(region(), (0, 0))
    assert (broken.defect_class, broken.probability) == (None, 0.0)


def test_pixels_find_their_cell_at_any_scale() -> None:
    cells = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    # A picture of 4 x 4 shown at four times its size: each quarter is one cell of 8 x 8.
    assert pool_cells(cells, region(2, 2), (2, 0), (16, 16), (4.0, 4.0)).tolist() == [2.0]


def test_the_shape_of_a_region_tells_a_line_from_a_square() -> None:
    line, square = (shape_of(one, (1.0, 1.0)) for one in (region(2, 32), region(8, 8)))
    assert line[0] == square[0] == pytest.approx(math.log(64))
    assert (line[1], square[1]) == (pytest.approx(math.log(16)), pytest.approx(0.0))
    assert line[2] == square[2] == pytest.approx(1.0)


@pytest.mark.parametrize("overlap", [0, 32])
def test_a_region_that_lies_in_two_tiles_is_told_as_in_one(overlap: int) -> None:
    shown = pictures(1, size=256)[0][:, :192]
    one, tiled = card(height=256, width=192), card(overlap=overlap)
    maps = []
    for each in (one, tiled):
        inspector = Inspector(each, Local().eval(), classes=head(3))  # the tap and strides 8 and 16
        [score] = inspector.score([inspector.prepare(shown)])
        assert score.classes is not None
        maps.append(score.classes.of(region(90, 90), (20, 20)).probability)
    assert maps[0] == pytest.approx(maps[1], abs=1e-6)
    assert maps[0] != 0.5


def test_a_bundle_carries_what_tells_its_classes_and_they_are_part_of_its_content(tmp_path: Path) -> None:
    network, plain = small_network(), small_card()
    wide = cell_features(network(torch.zeros(1, 1, 96, 96))).shape[1]
    told = head(wide)
    weights = dict(network.state_dict())
    golden = golden_of(plain, network)
    write_bundle(tmp_path / "old", plain, weights, golden)
    write_bundle(tmp_path / "new", plain, weights, golden, told.to_files())
    old, new = read_bundle(tmp_path / "old"), read_bundle(tmp_path / "new")
    assert (old.classes, new.classes) == (None, told)
    assert old.content == content_of(plain, weights) != new.content
    [score] = _scores(old)
    assert score.classes is None
    [score] = _scores(new)
    assert score.classes is not None
    write_bundle(tmp_path / "other", plain, weights, golden, head(wide - 1).to_files())
    with pytest.raises(BundleError, match=f"classes.json weighs {wide - 1} features, the network has {wide}"):
        _scores(read_bundle(tmp_path / "other"))


def _scores(bundle: Any) -> list[Any]:
    inspector = Inspector.from_bundle(bundle, "cpu")
    return inspector.score([inspector.prepare(pictures(1)[0])])


@pytest.mark.parametrize("change", [{"names": ["pit", "pit"]}, {"bias": [0.0]}, {"shape": [[0.0], [0.0]]}])
def test_a_file_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    content = head(2).model_dump(mode="json") | change
    with pytest.raises(BundleError, match=r"classes.json cannot be read"):
        ClassHead.from_file(json.dumps(content).encode())
