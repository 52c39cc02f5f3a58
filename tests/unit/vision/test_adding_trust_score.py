"""The page on adding a trust score, followed: its distribution installed, its score in a bundle, its own test run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from linewarden_vision.bundle import read_bundle
from linewarden_vision.errors import BundleError
from tests.support.distributions import wheel

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "adding" / "trust-score.md"
FOLLOW = """
import json, runpy, sys
from pathlib import Path
import linewarden
from linewarden_vision.inspector import Inspector
from tests.support.bundles import random_picture, tiny_bundle

folder, test = sys.argv[1:]
tests = [run for name, run in runpy.run_path(test).items() if name.startswith("test_")]
for run in tests:
    run()
tiny_bundle(Path(folder), trust={"margin": 0.1, "spread_evidence": 0.9})
shown = [random_picture(2000 + number) for number in range(24)]
judge = linewarden.Inspector.load(folder, device="cpu")
inspector = judge.inspector
scores = inspector.score([inspector.prepare(picture) for picture in shown])
print(json.dumps({
    "tests": len(tests),
    "ingredients": [score.ingredients for score in scores],
    "reasons": [list(found.reasons) for found in judge.inspect_all(shown)],
}))
"""


def _files() -> dict[str, str]:
    """The page's blocks by the file that each is."""
    page = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)```", page, re.DOTALL | re.MULTILINE))


def _installed(folder: Path, files: dict[str, str]) -> Path:
    """Install the page's distribution as pip does, without the network, into a folder of its own."""
    project: dict[str, Any] = tomllib.loads(files["pyproject.toml"])["project"]
    modules = {name: text for name, text in files.items() if name.endswith(".py") and not name.startswith("test_")}
    built = wheel(folder, project["name"], modules, project["entry-points"])
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", target, built], check=True)
    return target


def test_who_follows_the_page_has_the_score_in_a_bundle_with_its_words(tmp_path: Path) -> None:
    files = _files()
    site = _installed(tmp_path, files)
    test, bundle = tmp_path / "test_plate_trust_scores.py", tmp_path / "bundle"
    test.write_text(files[test.name], encoding="utf-8")
    paths = [str(site), *(str(ROOT / part) for part in ("services", "schemas", "."))]
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:plate_trust_scores", "-c", FOLLOW, bundle, test],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["tests"] == 1
    assert all(0 <= one["spread_evidence"] <= 1 for one in found["ingredients"])
    assert len({one["spread_evidence"] for one in found["ingredients"]}) > 2
    told = [reason for one in found["reasons"] for reason in one]
    assert any("many places looked a little defective" in reason for reason in told), told
    with pytest.raises(BundleError, match=r"'spread_evidence' is installed; a distribution.*linewarden\.trust_scores"):
        read_bundle(bundle)
