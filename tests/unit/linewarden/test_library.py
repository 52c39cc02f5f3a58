"""`import linewarden`: pictures are judged as the line's network judges them, and what cannot be judged is told."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import linewarden
from linewarden import library
from linewarden_history.index.store import StoryIndex
from linewarden_history.index.story import selected
from linewarden_history.selection import Selection
from linewarden_runtime.records import OutRecord
from linewarden_schemas.envelope import encode
from linewarden_schemas.vocabulary import Routing, Verdict
from linewarden_vision.inspecting.judging import thresholds_of_card
from linewarden_vision.synthetic.demo import demo_part
from tests.support.shift import AT, capture
from tests.unit.inspect.harness import NAMESPACE, memory_line

PARTS = 12


@pytest.fixture(scope="module")
def inspector() -> linewarden.Inspector:
    return linewarden.Inspector.load(linewarden.demo_bundle(), device="cpu")


def test_the_examples_run() -> None:
    found = doctest.testmod(library)
    assert found.attempted > 4
    assert found.failed == 0


def test_many_are_judged_as_one_by_one_and_by_the_bundles_own_thresholds(inspector: linewarden.Inspector) -> None:
    pictures = [demo_part(number, defect_rate=0.5).views[0].picture for number in range(PARTS)]
    together = list(inspector.inspect_all(iter(pictures)))
    limits = thresholds_of_card(inspector.inspector.card, None)
    for picture, one in zip(pictures, together, strict=True):
        alone = inspector.inspect(picture)
        assert (alone.verdict, alone.routing) == (one.verdict, one.routing)
        assert one.p_defect is not None
        assert one.suspicion is not None
        assert one.verdict is (Verdict.NG if one.p_defect > limits.defect else Verdict.OK)
        trusted = one.verdict is Verdict.OK and one.suspicion < limits.suspicion
        assert (one.routing is Routing.TRUSTED_PASS) == trusted == (one.reasons == ())
    assert {one.verdict for one in together} == {Verdict.OK, Verdict.NG}


def test_a_file_its_bytes_and_its_pixels_are_one_picture(inspector: linewarden.Inspector, tmp_path: Path) -> None:
    picture = demo_part(3).views[0].picture
    path = tmp_path / "part.png"
    cv2.imwrite(str(path), picture if picture.ndim == 2 else picture[..., ::-1])
    found = [inspector.inspect(source) for source in (path, str(path), path.read_bytes(), picture)]
    assert len({(one.verdict, one.p_defect, one.suspicion) for one in found}) == 1


@pytest.mark.parametrize("source", [b"no picture", "nowhere.png", np.zeros((3, 3), np.uint8)])
def test_what_cannot_be_judged_is_diverted_with_its_reason(
    inspector: linewarden.Inspector, source: library.Source
) -> None:
    found = inspector.inspect(source)
    assert (found.verdict, found.routing) == (Verdict.NOT_DECIDABLE, Routing.DIVERTED)
    assert (found.p_defect, found.suspicion, found.mask) == (None, None, None)
    assert found.reasons[0]


def test_a_notebook_shows_the_picture_in_a_frame_of_its_routings_colour(inspector: linewarden.Inspector) -> None:
    for number in range(PARTS):
        found = inspector.inspect(demo_part(number, defect_rate=0.5).views[0].picture)
        png = found._repr_png_()
        assert png is not None
        shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert shown is not None
        assert found.picture is not None
        assert shown.shape[0] > found.picture.shape[0]
        assert tuple(shown[0, 0].tolist()) == library._COLOURS[found.routing]
    assert inspector.inspect(b"no picture")._repr_png_() is None
    deep = inspector.inspect(demo_part(0).views[0].picture.astype(np.uint16) * 257)
    assert deep.drawn() is not None


@pytest.mark.parametrize(("words", "why"), [({"colour": "red"}, "colour"), ({"routing": "maybe"}, "maybe")])
def test_a_word_that_is_none_is_named(words: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        library.parts(follow=False, **words)


def test_the_table_of_no_visit_has_the_columns_of_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker, index = memory_line(), tmp_path / "index.sqlite"
    monkeypatch.setattr(library, "live", lambda: (broker, NAMESPACE))
    empty = library.parts(index)
    told = capture(1, part_id="P1")
    encoded = encode(told, id="x", source="/test", time_ms=AT)
    broker.append(OutRecord(NAMESPACE.topic("captures"), told.visit_id.encode(), encoded.value, encoded.headers, 0))
    one = library.parts(index)
    with StoryIndex(index, NAMESPACE.name) as opened:
        (facts,) = selected(opened, Selection(0, 1 << 52))
    assert empty.column_names == one.column_names == list(facts)
    assert (empty.num_rows, one.to_pylist()) == (0, [facts])
    assert empty.schema == one.schema


def test_importing_it_brings_no_network_library() -> None:
    script = "import sys, linewarden; assert 'torch' not in sys.modules; print(*linewarden.__all__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == linewarden.__all__
