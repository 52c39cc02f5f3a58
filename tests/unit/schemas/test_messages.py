"""Messages are closed to writers, open to readers, and say no to what makes no sense."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture, FrameMetadata
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.generate import documents, main
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.registry import MESSAGE_TYPES, MESSAGES, upcast
from linewarden_schemas.samples import SAMPLES
from linewarden_schemas.topics import CO_PARTITIONED
from linewarden_schemas.vocabulary import Routing

ROOT = Path(__file__).parents[3]


def sample(kind: type[Message]) -> Message:
    return next(one for one in SAMPLES if isinstance(one, kind))


@pytest.mark.parametrize("message", SAMPLES, ids=lambda m: m.TYPE)
def test_a_message_survives_the_trip_through_json(message: Message) -> None:
    assert type(message).from_json(message.to_json()) == message


def test_every_message_has_a_sample() -> None:
    assert {type(one) for one in SAMPLES} == set(MESSAGES)


def test_a_writer_cannot_name_a_field_that_does_not_exist() -> None:
    with pytest.raises(ValidationError, match="has no field colour"):
        CameraHeartbeat(
            line_id="l", station_id="s", camera_id="c", spool_epoch=1, last_sequence=0, at_ms=1, colour="red"
        )


def test_a_reader_keeps_fields_of_a_newer_writer_also_inside_nested_parts() -> None:
    body = json.loads(sample(Capture).to_json())
    body["humidity"] = 40
    body["recipe"]["checked_by"] = "eng-9"
    read = Capture.from_json(json.dumps(body).encode())
    assert json.loads(read.to_json()) == body


def test_numbers_are_not_taken_from_text() -> None:
    body = json.loads(sample(CameraHeartbeat).to_json())
    body["last_sequence"] = "21"
    with pytest.raises(ValidationError, match="valid integer"):
        CameraHeartbeat.from_json(json.dumps(body).encode())


def test_a_message_cannot_be_changed_after_it_was_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        sample(CameraHeartbeat).at_ms = 5  # type: ignore[attr-defined]


def test_a_capture_without_a_picture_names_the_loss() -> None:
    body = sample(Capture).model_dump() | {"sha256": None, "size_bytes": None}
    with pytest.raises(ValidationError, match="cause of its loss"):
        Capture(**body)


@pytest.mark.parametrize("missing", ["p_defect", "suspicion", "thresholds", "bundle_digest"])
def test_a_decided_frame_carries_its_scores(missing: str) -> None:
    body = sample(Inspection).model_dump() | {missing: None}
    with pytest.raises(ValidationError, match="a decided frame carries"):
        Inspection(**body)


def test_infinite_scores_are_refused() -> None:
    with pytest.raises(ValidationError, match="finite"):
        Inspection(**(sample(Inspection).model_dump() | {"suspicion": float("inf")}))


def test_a_diversion_without_a_cause_is_refused() -> None:
    with pytest.raises(ValidationError, match="a diversion has a cause"):
        Disposition(**(sample(Disposition).model_dump() | {"causes": ()}))


def test_an_ok_at_the_threshold_is_doubtful_and_one_below_is_not() -> None:
    inspection = sample(Inspection)
    assert isinstance(inspection, Inspection)
    assert inspection.thresholds is not None
    at = inspection.model_copy(update={"suspicion": inspection.thresholds.suspicion})
    below = inspection.model_copy(update={"suspicion": inspection.thresholds.suspicion - 1e-9})
    assert at.is_doubtful
    assert not below.is_doubtful


def test_routings_are_ordered_from_best_to_worst() -> None:
    assert max(Routing, key=lambda r: r.severity) is Routing.REJECTED
    assert min(Routing, key=lambda r: r.severity) is Routing.TRUSTED_PASS


def test_a_type_that_names_no_version_is_refused() -> None:
    with pytest.raises(TypeError, match="not linewarden"):
        type("Bad", (Message,), {"TYPE": "capture", "__module__": __name__, "__annotations__": {}})


def test_old_versions_become_the_newest_a_step_at_a_time() -> None:
    class OldV1(Message):
        TYPE = "linewarden.old.v1"
        x: int

    class OldV2(Message):
        TYPE = "linewarden.old.v2"
        y: int

    class OldV3(Message):
        TYPE = "linewarden.old.v3"
        z: int

    steps = {"linewarden.old.v1": lambda m: OldV2(y=m.x + 1), "linewarden.old.v2": lambda m: OldV3(z=m.y + 1)}
    assert upcast(OldV1(x=1), steps) == OldV3(z=3)


def test_every_message_lies_in_exactly_one_topic() -> None:
    made = {one for one in Message.__subclasses__() if one.__module__.startswith("linewarden_schemas.")}
    assert sorted(message.TYPE for message in MESSAGES) == sorted(message.TYPE for message in made)
    assert len(MESSAGE_TYPES) == len(MESSAGES)


def test_the_topics_that_route_joins_share_one_partitioner() -> None:
    joined = {"captures", "inspections", "decisions", "dispositions", "reinspections", "route-state"}
    assert joined <= set(CO_PARTITIONED)


def test_generated_files_are_what_the_catalogue_gives() -> None:
    assert main(["--check", "--root", str(ROOT)]) == 0


def test_the_drift_check_names_a_file_that_was_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    page = tmp_path / "docs" / "topics.md"
    page.write_text(page.read_text().replace("captures", "snapshots"))
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "docs/topics.md" in capsys.readouterr().err


def test_every_golden_example_on_disk_can_still_be_read() -> None:
    examples = sorted((ROOT / "schemas" / "examples").glob("*/v*/*.json"))
    assert len(examples) >= len(SAMPLES)
    for path in examples:
        kind = f"linewarden.{path.parts[-3]}.{path.parts[-2]}"
        if kind == "linewarden.frame.v1":
            FrameMetadata.model_validate_json(path.read_bytes())
        else:
            MESSAGE_TYPES[kind].from_json(path.read_bytes())


def test_no_file_of_a_schema_or_example_is_an_orphan() -> None:
    on_disk = {str(p.relative_to(ROOT)) for p in (ROOT / "schemas" / "jsonschema").glob("*.json")}
    assert on_disk == {path for path in documents() if path.startswith("schemas/jsonschema/")}
