"""`From your pictures to a running line` and `Train, ... roll back`: followed from an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_own_parts import write_set
from tests.support.guides import GuidePage

TUTORIAL, TRAINING = GuidePage("docs/guides/tutorial.md"), GuidePage("docs/guides/train-and-promote.md")
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


@TUTORIAL.follows("From pictures to a line")
def test_from_an_empty_folder_to_a_promoted_bundle_on_a_running_line(tmp_path: Path) -> None:
    with TUTORIAL.walk("From pictures to a line", tmp_path, {}, instead={"--parts 12": "--parts 6 --port 0"}) as walk:
        walk.run()
        walk.run()
        walk.run()
        walk.run(timeout_s=600.0)
        walk.run(timeout_s=300.0)
        walk.run()
        walk.run(timeout_s=300.0)
    summary = json.loads((tmp_path / "demo-summary.json").read_text())
    assert summary["balance"]["closes"]
    assert summary["parts"]["trusted_pass"] == 0  # in shadow: nothing passes on its word


@TRAINING.follows("From a set to a bundle that may pass parts")
def test_train_evaluate_promote_qualify(tmp_path: Path) -> None:
    assert write_set(tmp_path / "parts", range(5000, 5200)) > 50
    small = "--steps 60 --encoder mobilenetv3_small_050 --no-pretrained --threads 1 --device cpu"
    here = {"--budget 2h": small, "--max-pass-rate 0.05": "--max-pass-rate 0.25"}
    with TRAINING.walk("From a set to a bundle that may pass parts", tmp_path, {}, instead=here) as walk:
        assert "taught" in walk.run(timeout_s=600.0)
        walk.run(timeout_s=300.0)
        walk.run(timeout_s=300.0)


def test_every_block_is_followed() -> None:
    TUTORIAL.require_followed(needs={})
    TRAINING.require_followed(needs={"shift": 3})
