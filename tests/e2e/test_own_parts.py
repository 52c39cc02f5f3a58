"""A plant's own pictures through every command: checked, trained, evaluated, qualified, promoted, inspected."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from linewarden_vision.synthetic.part import make_part

pytestmark = pytest.mark.slow
_PARTS = 200


def _run(*arguments: str | Path, code: int = 0) -> str:
    """Run the command line as a person does; its exit code has to be that one."""
    command = [sys.executable, "-m", "linewarden", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500)
    assert done.returncode == code, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def write_set(folder: Path, seeds: Sequence[int]) -> int:
    """Write one view a part as images/<class>/ and masks/<class>/; returns the defective parts."""
    defective = 0
    for seed in seeds:
        view = make_part(seed, views=1, size=96, defect_rate=0.4, difficulty=0.1).views[0]
        kind = view.defect_class or "good"
        for name, picture in (("images", view.picture), ("masks", view.mask.astype("uint8") * 255)):
            if name == "masks" and kind == "good":
                continue
            place = folder / name / kind / f"part-{seed}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(place), picture)
        defective += kind != "good"
    return defective


def test_a_folder_of_pictures_becomes_a_bundle_that_is_evaluated_qualified_promoted_and_used(tmp_path: Path) -> None:
    data, bundle = tmp_path / "parts", tmp_path / "bundle"
    assert write_set(data, range(5000, 5000 + _PARTS)) > 50
    _run("data", "check", data)

    small = ("--encoder", "mobilenetv3_small_050", "--no-pretrained", "--threads", "1", "--device", "cpu")
    trained = json.loads(_run("train", "--data", data, "--out", bundle, "--steps", "60", *small, "--json"))
    assert trained["train_groups"] == pytest.approx(_PARTS / 2, abs=4)
    losses = (tmp_path / "bundle.training" / "losses.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in losses[1:]} == {"fold 1 of 2", "fold 2 of 2", "training"}

    report = tmp_path / "report"
    found = json.loads(_run("evaluate", "--data", data, "--bundle", bundle, "--out", report, "--json"))
    assert found["source"]["bundle_digest"] == trained["digest"]
    assert not any("also made the bundle" in note for note in found["notes"])
    page = (report / "evaluation.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Primary endpoint" in page

    qualified = tmp_path / "qualified"
    ask = ("qualify", "--data", data, "--bundle", bundle, "--out", qualified)
    assert "not certifiable, n = " in _run(*ask, "--max-pass-rate", "0.001", code=1)
    _run(*ask, "--max-pass-rate", "0.25")
    shadow = tmp_path / "shadow"
    _run("bundle", "promote", bundle, "shadow", "--evidence", report / "evaluation.json", "--out", shadow)
    _run("bundle", "promote", bundle, "released", "--evidence", report / "evaluation.json", "--out", shadow, code=78)
    assert json.loads(_run("bundle", "verify", shadow, "--json"))

    results, maps = tmp_path / "results.jsonl", tmp_path / "maps"
    _run("inspect", data / "images", "--bundle", qualified, "--out", results, "--maps", maps)
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert len(rows) == _PARTS
    assert {row["routing"] for row in rows} <= {"diverted", "rejected"}  # taught: nobody vouches for it yet
    assert all((maps / row["mask"]).is_file() for row in rows if row["mask"])
