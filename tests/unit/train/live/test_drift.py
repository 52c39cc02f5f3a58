"""Drift: large and not chance, over many looks."""

import json
from pathlib import Path

import numpy as np
import pytest

from linewarden_train.live.drift import advice, read_results, row_of
from linewarden_vision.watch.drift import find_drift, holm, stability_index


def _normal(seed: int, count: int, shift: float = 0.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).standard_normal(count) + shift


def test_parts_like_the_reference_are_steady_over_many_looks() -> None:
    names = [f"i{number}" for number in range(4)]
    reference = {name: _normal(number, 400) for number, name in enumerate(names)}
    seen = {name: _normal(100 + number, 5000) for number, name in enumerate(names)}
    found = find_drift(reference, seen, window=250)
    assert len(found.shifts) == 80
    assert found.alarms == ()
    assert advice(found, qualified=True) == []


def test_a_large_shift_alarms_in_its_window_and_says_what_to_do() -> None:
    seen = {"margin": np.r_[_normal(1, 500), _normal(2, 500, 1.0), _normal(3, 20)]}
    found = find_drift({"margin": _normal(0, 400)}, seen, window=500)
    assert [(shift.window, shift.level) for shift in found.shifts] == [(0, "steady"), (1, "alarm")]
    assert found.left_over == 20
    told = " ".join(advice(found, qualified=True))
    assert "margin no longer look like the good parts" in told
    assert "qualify again" in told
    assert row_of(found.alarms[0])["window"] == "2"


def test_a_small_shift_of_many_parts_is_watched_not_alarmed() -> None:
    found = find_drift({"a": _normal(0, 5000)}, {"a": _normal(1, 5000, 0.4)}, window=5000)
    assert [shift.level for shift in found.shifts] == ["watch"]
    assert advice(found, qualified=False) == ["watch a: a small shift that is not chance"]


def test_the_stability_index_by_hand() -> None:
    reference = np.arange(100.0)
    assert stability_index(reference, reference) == 0.0
    half = np.arange(50.0)
    # five tenths double their share, five keep half a value each
    filled = np.r_[np.full(5, 10.0), np.full(5, 0.5)] / 52.5
    assert stability_index(reference, half) == pytest.approx(float(((filled - 0.1) * np.log(filled / 0.1)).sum()))


def test_holm_corrects_in_order_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_windows_that_say_nothing_and_strange_ingredients_are_refused() -> None:
    with pytest.raises(ValueError, match="says nothing"):
        find_drift({"a": _normal(0, 100)}, {"a": _normal(1, 100)}, window=10)
    with pytest.raises(ValueError, match="no ingredient"):
        find_drift({"a": _normal(0, 100)}, {"b": _normal(1, 100)}, window=100)


def test_results_are_read_for_passed_parts_and_others_are_counted(tmp_path: Path) -> None:
    lines = [
        {"verdict": "OK", "ingredients": {"margin": -1.0, "agreement": 0.5}},
        {"verdict": "NG", "ingredients": {"margin": 5.0}},
        {"verdict": "OK", "ingredients": {"margin": -2.0}},
        {"verdict": "NOT_DECIDABLE"},
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    seen = read_results(path)
    assert seen.count == 2
    assert seen.ingredients["margin"].tolist() == [-1.0, -2.0]
    assert np.isnan(seen.ingredients["agreement"][1])
    assert seen.others == {"NG": 1, "NOT_DECIDABLE": 1}


@pytest.mark.parametrize(("text", "told"), [("no json\n", "line 1"), ('{"verdict": "NG"}\n', "nothing to compare")])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_results(path)
