"""From a bundle and pictures to the page."""

import json
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from linewarden_train.data.samples import Label, Sample
from linewarden_train.evaluation.of_bundle import inspect_samples
from linewarden_train.evaluation.page import draw, page
from linewarden_train.evaluation.results import Curve, Evaluation, EvaluationPlan
from linewarden_train.evaluation.run import Task, evaluate_bundle, every_ingredient
from linewarden_train.evaluation.tables import show
from linewarden_train.evaluation.words import endpoint_verdict
from linewarden_train.rivals.scoring import score_with
from linewarden_train.training.scoring import score_samples
from linewarden_vision.assembly import network_of
from linewarden_vision.bundle import Bundle
from linewarden_vision.inspector import Inspector
from tests.unit.train.proving import Pictures, bundle_of, pictures

_TASK = Task("noise", "test", "2026-01-31", plan=EvaluationPlan(bootstraps=20), worst=3)


class _Dark(Pictures):
    """The third picture is black: nobody can judge it."""

    def __getitem__(self, index: int) -> Sample:
        sample = super().__getitem__(index)
        if index != 2:
            return sample
        return Sample(np.zeros((64, 64), np.uint8), sample.mask, sample.label)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(tmp_path_factory.mktemp("bundles"), ("part-1",))


@pytest.fixture(scope="module")
def inspector(bundle: Bundle) -> Inspector:
    return Inspector.from_bundle(bundle, "cpu")


def test_a_picture_that_cannot_be_judged_is_counted_and_has_no_numbers(inspector: Inspector) -> None:
    rows = inspect_samples(inspector, _Dark(pictures(6).labels))
    assert rows.decided == [0, 1, 3, 4, 5]
    assert rows.undecidable.total() == 1
    assert np.isnan(rows.suspicion[2])
    assert rows.pixels[2] == (-1, -1, -1, -1)
    assert rows.pixels[1][2:] == (144, 4096)


def test_the_worst_misses_are_those_that_trust_believes_in(inspector: Inspector) -> None:
    rows = inspect_samples(inspector, pictures(40), worst=3)
    passed = [index for index in rows.decided if not inspector.card.thresholds.is_defect(rows.margin[index])]
    lowest = sorted(rows.suspicion[passed])[:3]
    assert [shown.score.suspicion for shown in rows.worst] == pytest.approx(lowest)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_a_bundle_is_evaluated_into_one_page_that_fetches_nothing(
    bundle: Bundle, inspector: Inspector, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    found, worst = evaluate_bundle(
        bundle, inspector, pictures(30, good=40), _TASK, on_progress=lambda *step: told.append(step)
    )
    assert told[-1] == ("every ingredient", 70, 70)
    assert found.source is not None
    assert found.source.content_digest == bundle.content
    assert {row.name for row in found.findings.scores} >= {"trust", "margin", "either", "mask_evidence"}
    assert any("1 groups of this set also made the bundle" in note for note in found.notes)
    assert Evaluation.model_validate_json(found.model_dump_json()) == found
    assert json.loads(found.model_dump_json())["kind"] == "evaluation"
    text = page(found, worst)
    parsed = _Page()
    parsed.feed(text)
    assert "script" not in parsed.tags
    assert parsed.tags.count("svg") == 2
    assert parsed.links
    assert all(link.startswith("data:image/png;base64,") for link in parsed.links)
    assert text.index("Primary endpoint") < text.index("Exploratory")
    assert escape(endpoint_verdict(found.findings.endpoint)) in text


def test_every_ingredient_beside_the_rivals_is_what_calibration_scores(bundle: Bundle) -> None:
    network, spec, samples = network_of(bundle), bundle.card.picture, pictures(3, good=2)
    found = score_with([every_ingredient(0.15)], network, samples, spec, batch=2)
    expected = score_samples(network, samples, spec, epsilon=0.15).ingredients
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-3, atol=2e-4, err_msg=name)


def test_all_steps_are_announced_before_the_first_and_every_one_ends(bundle: Bundle, inspector: Inspector) -> None:
    told: list[tuple[str, int, int]] = []
    task = replace(_TASK, reference=pictures(1, good=3, name="other"))
    found, _ = evaluate_bundle(
        bundle, inspector, pictures(3, good=3), task, on_progress=lambda *step: told.append(step)
    )
    steps = [("inspecting", 6), ("fitting rivals", 4), ("every ingredient and rival", 6)]
    assert told[:3] == [(name, 0, total) for name, total in steps]
    assert {(name, total, total) for name, total in steps} <= set(told)
    assert {"odin", "tta", "knn", "margin_turned"} <= {row.name for row in found.findings.scores}


def test_the_terminal_shows_the_primary_endpoint_before_anything_exploratory(
    bundle: Bundle, inspector: Inspector
) -> None:
    found, _ = evaluate_bundle(bundle, inspector, pictures(20, good=20), _TASK, on_progress=lambda *_: None)
    console = Console(record=True, width=160, file=StringIO())
    show(found, console)
    text = console.export_text()
    assert text.index("Primary endpoint") < text.index("exact paired test") < text.index("Exploratory")


def test_nothing_is_claimed_from_fewer_than_six_discordant_groups(bundle: Bundle, inspector: Inspector) -> None:
    found, _ = evaluate_bundle(bundle, inspector, pictures(4, good=10), _TASK, on_progress=lambda *_: None)
    told = endpoint_verdict(found.findings.endpoint)
    assert "established" in told or "nothing is shown" in told


def test_a_set_that_nobody_can_judge_is_an_error(bundle: Bundle, inspector: Inspector) -> None:
    class Black(Pictures):
        def __getitem__(self, index: int) -> Sample:
            return Sample(np.zeros((64, 64), np.uint8), None, self.labels[index])

    with pytest.raises(ValueError, match="not one of 2 pictures can be judged"):
        evaluate_bundle(bundle, inspector, Black([Label("a", "a"), Label("a", "b")]), _TASK, on_progress=print)


def test_curves_are_steps_and_stay_inside_the_drawing() -> None:
    curve = Curve(name="trust", diverted=[0.0, 0.1, 0.4], trusted_pass_rate_of_defects=[0.2, 0.1, 0.0])
    chart = draw("all", [curve], ["trust"], most=0.25, budget=0.05)
    pairs = [point.split(",") for point in chart.lines[-1]["points"].split()]
    points = [(float(x), float(y)) for x, y in pairs]
    assert chart.lines[-1]["style"] == "c0"
    assert points[0] == (float(chart.left), float(chart.top))
    assert points[-1][0] == chart.right
    assert all(chart.left <= x <= chart.right and chart.top <= y <= chart.bottom for x, y in points)
