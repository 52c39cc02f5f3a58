"""A study from its parts to its page, as a user runs it."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from linewarden.cli import app
from linewarden.demo.line import BUNDLE
from linewarden_history.msa.models import (
    Appraisal,
    AppraisalPlan,
    AttributeStudy,
    ReferencePart,
    ReferenceValue,
    with_judgements,
)
from linewarden_history.msa.plan import make_plan
from linewarden_schemas.vocabulary import Judgement as Answer

OPERATORS = ("A", "B", "C")


def _parts(good: int = 6, bad: int = 6) -> list[ReferencePart]:
    kinds = [(ReferenceValue.OK, None)] * good + [
        (ReferenceValue.NG, "pore" if one % 3 else "crack") for one in range(bad)
    ]
    return [
        ReferencePart(part_id=f"p{number}", reference=kind, defect_class=name, pictures=(f"{number}.png",))
        for number, (kind, name) in enumerate(kinds)
    ]


def _plan(seed: int = 1) -> AppraisalPlan:
    return make_plan(_parts(), count=8, operators=OPERATORS, rounds=3, seed=seed)


def test_a_plan_is_balanced_shuffled_and_repeated_by_its_seed() -> None:
    plan = _plan()
    assert [sum(part.reference is kind for part in plan.parts) for kind in ReferenceValue] == [4, 4]
    assert {part.defect_class for part in plan.parts} == {None, "pore", "crack"}
    planned = {part.part_id for part in plan.parts}
    assert all({place.part_id for place in sheet.places} == planned for sheet in plan.sheets)
    assert [(sheet.operator, sheet.round) for sheet in plan.sheets] == [(o, r) for o in OPERATORS for r in (1, 2, 3)]
    assert len({tuple(place.part_id for place in sheet.places) for sheet in plan.sheets}) == 9
    rounds = [sheet.places for sheet in plan.sheets if sheet.operator == "A"]
    assert all(one[-1].part_id != two[0].part_id for one, two in pairwise(rounds))
    assert (_plan(), _plan(2) == plan) == (plan, False)
    assert plan.left_out == {"parts not chosen": 4}


@pytest.mark.parametrize("operators", [(), ("A", "A"), ("../A",), ("..",), ("Ada L",)])
def test_operators_are_named_once_and_by_names_that_a_folder_may_have(operators: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"operator|id"):
        make_plan(_parts(), count=4, operators=operators, rounds=1, seed=1)


def test_the_first_answer_to_a_place_stands_and_the_other_is_counted() -> None:
    plan = _plan()
    first, second = (Appraisal(operator="A", round=1, part_id="p1", answer=one) for one in (Answer.OK, Answer.NG))
    study = with_judgements(AttributeStudy(plan=plan), [first, second], {})
    assert study.judgements == (first,)
    assert study.dropped == {"answered before": 1}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Good parts, and bad ones with a dark spot, as a person would put them into folders."""
    grey = np.random.default_rng(5)
    for name, spot in (("good", 0), ("pore", 90)):
        for number in range(3):
            picture = grey.normal(128, 6, (160, 160))
            picture[60:80, 60:80] -= spot
            (tmp_path / "parts" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "parts" / name / f"{number}.png"), picture.clip(0, 255).astype(np.uint8))
    return tmp_path / "parts"


def _run(*words: object) -> str:
    result = CliRunner().invoke(app, ["msa", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def _fill(sheets: Path, plan: AppraisalPlan) -> None:
    """Everybody is right but B, who passes one defect in the last round."""
    bad = {part.part_id for part in plan.parts if part.reference is ReferenceValue.NG}
    missed = min(bad)
    for sheet in plan.sheets:
        path = sheets / sheet.operator / f"round{sheet.round}" / "sheet.csv"
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for row, place in zip(rows, sheet.places, strict=True):
            wrong = place.part_id == missed and (sheet.operator, sheet.round) == ("B", 3)
            row["answer"] = "NG" if place.part_id in bad and not wrong else "OK"
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ("token", "picture", "answer"))
            table.writeheader()
            table.writerows(rows)


def test_a_study_goes_from_folders_to_a_page_and_is_made_again_from_its_document(
    pictures: Path, tmp_path: Path
) -> None:
    plan_file, study, sheets = (tmp_path / name for name in ("plan.json", "study.json", "sheets"))
    _run("plan", pictures, "--out", plan_file, "--parts", 6, "--sheets", sheets)
    plan = AppraisalPlan.model_validate_json(plan_file.read_text())
    shown = (sheets / "A" / "round1" / "sheet.csv").read_text()
    assert not any(word in shown for word in ("good", "pore", "NG"))
    _fill(sheets, plan)
    _run("run", plan_file, "--out", study, "--bundle", BUNDLE, "--device", "cpu")
    _run("run", plan_file, "--out", study, "--answers", sheets)
    page, table, again = (tmp_path / name for name in ("page.html", "table.csv", "again.html"))
    document = json.loads(_run("report", study, "--json", "--page", page, "--csv", table))
    told = {one["name"]: one for one in document["appraisers"]}
    assert list(told) == ["network alone", "network and trust", "A", "B", "C"]
    assert (told["B"]["miss"]["count"], told["B"]["miss"]["of"]) == (1, 9)
    assert told["B"]["beside_limits"] == {"effectiveness": "met", "miss": "not met", "false_alarm": "met"}
    assert told["A"]["against_reference"]["value"] == 1.0
    assert len(document["spread"]) == 6
    (tmp_path / "stored.json").write_text(json.dumps(document))
    _run("report", "--from-json", tmp_path / "stored.json", "--page", again)
    assert again.read_bytes() == page.read_bytes()
    assert "http" not in page.read_text()
    assert "B,miss_rate_of_decisions_on_defects,1,9" in table.read_text()


def test_answers_to_another_plan_are_refused_in_words(pictures: Path, tmp_path: Path) -> None:
    one, other, study, sheets = (tmp_path / name for name in ("1.json", "2.json", "study.json", "sheets"))
    _run("plan", pictures, "--out", one, "--parts", 4, "--sheets", sheets)
    _run("plan", pictures, "--out", other, "--parts", 4, "--seed", 7)
    _run("run", one, "--out", study, "--answers", sheets)
    result = CliRunner().invoke(app, ["msa", "run", str(other), "--out", str(study), "--answers", str(sheets)])
    assert result.exit_code == 2
    assert "study of another plan" in " ".join(result.output.split())
    assert AttributeStudy.model_validate_json(study.read_text()).dropped == {"no answer": 36}
