"""evaluate, qualify and bundle, from folders to exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from linewarden.cli import main
from linewarden_vision.bundle import read_bundle
from tests.unit.train.proving import bundle_of, pictures, write_set


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proof")
    bundle_of(folder)
    write_set(folder / "set", pictures(62, good=30), "calibration")
    return folder


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["linewarden", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.timeout(600)
def test_a_bundle_is_qualified_evaluated_promoted_and_verified(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, qualified, shadow = place / "set", place / "qualified", place / "shadow"
    rate = ("--split", "", "--max-pass-rate", "0.05", "--device", "cpu")
    assert _run(monkeypatch, "qualify", "--data", data, "--bundle", place / "known", "--out", qualified, *rate) == 0
    told = capsys.readouterr().out
    assert "n = 62 groups, k = 0" in told
    assert "operators not qualified" in told
    found = ("--split", "", "--device", "cpu", "--out", place / "found")
    assert _run(monkeypatch, "evaluate", "--data", data, "--bundle", qualified, *found, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "evaluation"
    evidence = ("--evidence", place / "found" / "evaluation.json", "--who", "kim")
    assert _run(monkeypatch, "bundle", "promote", qualified, "shadow", "--out", shadow, *evidence) == 0
    said = capsys.readouterr().out
    assert "a recipe has to name this digest" in said
    assert "of 62 defective groups" in said
    assert "qualified to" in said
    promoted = read_bundle(shadow)
    assert (promoted.card.stage, promoted.promotions[0].who, promoted.promotions[0].evidence.n) == ("shadow", "kim", 62)
    assert promoted.qualification is not None
    assert _run(monkeypatch, "bundle", "verify", shadow, "--device", "cpu", "--json") == 0
    assert {row["well"] for row in json.loads(capsys.readouterr().out)} == {"yes"}
    assert _run(monkeypatch, "bundle", "show", shadow, "--json") == 0
    assert json.loads(capsys.readouterr().out)["stage"] == "shadow"

    ran, assisted, released = place / "ran.json", place / "assisted", place / "released"
    ran.write_text(
        json.dumps({"bundle": promoted.digest, "frames": 4000, "hours": 2.0, "would_hold": 3, "would_pass": 1})
    )
    ask = ("bundle", "promote", shadow, "assisted", "--out", assisted, *evidence)
    assert _run(monkeypatch, *ask) == 78
    assert "assisted asks for more: a shadow run of 8 h and 1000 frames: linewarden shadow" in capsys.readouterr().err
    assert _run(monkeypatch, *ask, "--evidence", ran) == 78
    assert "this one ran 2 h over 4000 frames" in capsys.readouterr().err
    assert not assisted.exists()
    assert _run(monkeypatch, *ask, "--evidence", ran, "--override", "line stands still") == 0
    assert "OVERRIDDEN by kim (line stands still), without a shadow run of 8 h" in capsys.readouterr().out
    step = read_bundle(assisted).promotions[-1]
    assert (step.override, step.evidence.kind) == ("line stands still", "shadow")
    assert step.lacking == ["a shadow run of 8 h and 1000 frames: this one ran 2 h over 4000 frames"]
    longer = (*ask, "--evidence", ran, "--shadow-hours", "2")
    assert _run(monkeypatch, *longer) == 0
    assert read_bundle(assisted).promotions[-1].override is None
    record = ("--evidence", assisted / "qualification.json")
    assert _run(monkeypatch, "bundle", "promote", assisted, "released", "--out", released, *record) == 0
    assert read_bundle(released).promotions[-1].evidence.kind == "qualification"


def test_too_few_groups_are_not_certifiable_and_say_so(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rate = ("--split", "", "--max-pass-rate", "0.01", "--out", place / "none", "--device", "cpu")
    assert _run(monkeypatch, "qualify", "--data", place / "set", "--bundle", place / "known", *rate) == 1
    assert "not certifiable, n = 62" in capsys.readouterr().out
    assert not (place / "none").exists()


def test_a_stage_cannot_be_skipped_and_evidence_must_be_of_this_bundle(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = place / "stranger.json"
    stranger.write_text("{}")
    arguments = ("--evidence", stranger, "--out", place / "skipped")
    assert _run(monkeypatch, "bundle", "promote", place / "known", "released", *arguments) == 78
    assert "is neither an evaluation nor a qualification nor a shadow's report" in capsys.readouterr().err
    assert _run(monkeypatch, "bundle", "promote", place / "known", "perfect", *arguments) == 78
    assert "is none of taught, shadow, assisted, released" in capsys.readouterr().err


def test_the_live_estimate_and_known_bads_work_on_files(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "passes.csv").write_text("at_ms,stratum,passes\n0,r1,1000\n")
    (place / "audits.csv").write_text("at_ms,stratum,answer\n" + "5,r1,OK\n" * 99 + "6,r1,NG\n")
    (place / "bads.csv").write_text("at_ms,answer\n" + "7,NG\n" * 60)
    files = ("--audits", place / "audits.csv", "--passes", place / "passes.csv", "--known-bads", place / "bads.csv")
    assert _run(monkeypatch, "estimate", *files, "--json") == 0
    (window,) = json.loads(capsys.readouterr().out)
    assert window["rate"] == pytest.approx(0.01)
    assert 0.01 < window["upper"] < 0.10
    assert _run(monkeypatch, "known-bads", "choose", "--data", place / "set", "--count", "4", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 4


def test_drift_tells_by_its_exit_code(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = read_bundle(place / "known").card.trust.ingredients[0]
    shifted = [value + 100 for value in good.good] * 10
    lines = [json.dumps({"verdict": "OK", "ingredients": {good.name: value}}) for value in shifted]
    (place / "results.jsonl").write_text("\n".join(lines))
    arguments = ("--results", place / "results.jsonl", "--bundle", place / "known", "--window", "100")
    assert _run(monkeypatch, "drift", *arguments) == 1
    assert "ALARM" in capsys.readouterr().out


def test_an_evaluation_on_groups_that_made_the_bundle_promotes_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = ("--split", "", "--device", "cpu", "--out", tmp_path)
    assert _run(monkeypatch, "evaluate", "--data", place / "set", "--bundle", place / "known", *found) == 0
    told = json.loads((tmp_path / "evaluation.json").read_text())
    assert told["shared_groups"] == 0
    for shared, words in (
        (5, "5 groups also made the bundle"),
        (None, "nobody can tell which groups made this bundle"),
    ):
        seen = tmp_path / "seen.json"
        seen.write_text(json.dumps(told | {"shared_groups": shared}))
        ask = ("bundle", "promote", place / "known", "shadow", "--evidence", seen, "--out", tmp_path / "none")
        assert _run(monkeypatch, *ask) == 78
        assert words in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
