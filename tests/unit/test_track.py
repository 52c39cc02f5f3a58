"""The track record keeps up with the code: each reverse patch says what it opens and applies to what is here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATCHES = sorted((ROOT / "tests" / "track").glob("*.patch"))


def test_there_is_a_record() -> None:
    assert len(PATCHES) > 100


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_a_closed_hole_can_be_opened_again_and_names_tests_that_exist(path: Path) -> None:
    head, _, diff = path.read_text(encoding="utf-8").partition("\n\n")
    hole, finds = head.splitlines()
    assert hole.startswith("hole: ")
    assert finds.startswith("finds: ")
    assert diff.startswith("diff --git ")
    for test in finds.removeprefix("finds: ").split():
        assert (ROOT / test.partition("::")[0]).exists()
    command = ["git", "apply", "--check", "--recount", "-C1", "-"]
    applied = subprocess.run(command, cwd=ROOT, input=diff, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, applied.stderr
