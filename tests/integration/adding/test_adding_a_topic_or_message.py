"""docs/adding/topic-or-message.md, followed: a copy of the tree gets the message, and the rest is generated there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.pages import ROOT, follow, run_in

pytestmark = pytest.mark.slow
STEPS = {
    "schemas/linewarden_schemas/samples.py": "test_every_message_has_a_sample",
    "schemas/linewarden_schemas/topics.py": "test_every_message_lies_in_exactly_one_topic",
    "services/linewarden_ingest/climate.py": "test_every_writer_and_reader_of_the_source_is_named_and_no_other",
}
"""What is left out, and the test that misses it."""


def test_with_the_page_done_everything_else_is_generated_and_the_tests_pass(tmp_path: Path) -> None:
    follow("topic-or-message", tmp_path)
    made = run_in(tmp_path, "linewarden_schemas.generate")
    assert made.returncode == 0, made.stderr
    ran = run_in(tmp_path, "pytest", "-q", "tests/unit/schemas", "tests/unit/ingest/test_climate.py")
    assert ran.returncode == 0, ran.stdout

    example = json.loads((tmp_path / "schemas/examples/climate/v1/complete.json").read_text())
    schema = json.loads((tmp_path / "schemas/jsonschema/linewarden.climate.v1.json").read_text())
    assert (set(example), example["celsius"]) == (set(schema["properties"]), 21.5)
    described = yaml.safe_load((tmp_path / "schemas/asyncapi.yaml").read_text())
    headers = described["channels"]["climate"]["messages"]["linewarden.climate.v1"]["headers"]
    assert headers["properties"]["ce_type"]["const"] == "linewarden.climate.v1"
    assert described["operations"]["ingest.climate"]["action"] == "send"
    before, after = ((root / "docs" / "topics.md").read_text().splitlines() for root in (ROOT, tmp_path))
    assert any(line.startswith("| `climate` | station_id |") for line in after)
    assert [line for line in before if line not in after] == [], "what was there is untouched"


@pytest.mark.parametrize(("forgotten", "found"), STEPS.items(), ids=[Path(name).stem for name in STEPS])
def test_a_step_that_is_left_out_is_missed(forgotten: str, found: str, tmp_path: Path) -> None:
    follow("topic-or-message", tmp_path, left_out={forgotten})
    ran = run_in(tmp_path, "pytest", "-q", "tests/unit/schemas", "-k", found)
    assert ran.returncode != 0, ran.stdout
