"""Parts as pictures: found, told and shown to whom they may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Inspection, Maps, SourceRef
from linewarden_schemas.vocabulary import Cause, Judgement, Outcome, Role, Routing, Verdict
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.access.browsers import Person
from tests.unit.reinspect.access.test_insight import judged, slot
from tests.unit.reinspect.line.test_line_model import routed, settled, withheld
from tests.unit.reinspect.pictures import evidence
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import PARTITIONS
from tests.unit.reinspect.slots import routed as routed_slot
from tests.unit.route.builders import T0, make_capture, make_inspection

PICTURE = evidence("v", "v.top", "top", 1, 0, size=64)
assert PICTURE.picture is not None
assert PICTURE.maps is not None


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(T0)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def send(made: Rig, name: str, message: Message, key: str, visit: str) -> None:
    encoded = encode(message, id=f"{key}.{name}", source="/line1/test", time_ms=T0)
    place = partition_of(visit, PARTITIONS)
    made.producer.send(OutRecord(made.topic(name), key.encode(), encoded.value, encoded.headers, place)).result(5)


def part(made: Rig, visit: str, verdict: Verdict, *revisions: Disposition, maps: Maps | None = None) -> Inspection:
    """A part whose picture lies in `frames` alone."""
    place = partition_of(visit, PARTITIONS)
    topic = made.topic("frames")
    offset = sum(one.partition == place for one in made.read_records("frames"))
    made.producer.send(OutRecord(topic, visit.encode(), PICTURE.picture, (), place)).result(5)
    about: dict[str, Any] = {"frame_id": f"{visit}.top.1-1"}
    captured = make_capture("top", visit, sha256=PICTURE.sha256, part_id=f"SN-{visit}", **about)
    seen = make_inspection(
        "top", visit, verdict=verdict, frame_sha256=PICTURE.sha256, maps=maps,
        defect_class="scratch" if verdict is Verdict.NG else None,
        source=SourceRef(topic=topic, partition=place, offset=offset), **about,
    )  # fmt: skip
    send(made, "captures", captured, visit, visit)
    send(made, "inspections", seen, seen.frame_id, visit)
    for one in revisions:
        send(made, "dispositions", one, f"{visit}.{one.revision}", visit)
    return seen


def followed(made: Rig, role: Role) -> Person:
    made.station.insight.follower.catch_up()
    return Person(made, role)


def visits(person: Person, query: str = "") -> list[str]:
    return [one["visit_id"] for one in person.get(f"/api/pictures?{query}").json()["parts"]]


def test_parts_are_found_by_standing_class_serial_and_camera(made: Rig) -> None:
    part(made, "v1", Verdict.OK, routed("v1"))
    part(made, "v2", Verdict.NG, routed("v2", Routing.REJECTED))
    done = settled("v3", Cause.LOW_TRUST, Outcome.ACCEPT)
    part(made, "v3", Verdict.OK, withheld("v3", Cause.LOW_TRUST), done)
    ada = followed(made, Role.OPERATOR)
    assert visits(ada) == ["v3", "v2", "v1"]
    assert 'value="low_trust"' in ada.get("/pictures").text
    asked = {"standing=ng": ["v2"], "standing=diverted": ["v3"], "standing=ok": ["v3", "v1"]}
    asked |= {"serial=SN-v1": ["v1"], "camera=cam-top": ["v3", "v2", "v1"], "camera=other": []}
    asked |= {"defect_class=scratch": ["v2"], "cause=low_trust": ["v3"]}
    assert {query: visits(ada, query) for query in asked} == asked


def test_the_grid_is_paged(made: Rig) -> None:
    for number in range(5):
        part(made, f"v{number}", Verdict.OK, routed(f"v{number}"))
    ada = followed(made, Role.OPERATOR)
    first = ada.get("/api/pictures?limit=3").json()
    assert [one["visit_id"] for one in first["parts"]] == ["v4", "v3", "v2"]
    assert visits(ada, f"limit=3&before={first['next']}") == ["v1", "v0"]


def test_a_passed_part_has_its_picture_from_the_frames_and_its_maps_from_the_inspections(made: Rig) -> None:
    part(made, "v1", Verdict.OK, routed("v1"), maps=PICTURE.maps)
    ada = followed(made, Role.OPERATOR)
    at = "/api/parts/v1/frames/v1.top.1-1"
    assert ada.get(f"{at}/picture").content == PICTURE.picture
    assert PICTURE.maps is not None
    assert ada.get(f"{at}/specific").content == PICTURE.maps.class_specific_png


def test_a_picture_that_is_not_the_captured_one_is_not_shown(made: Rig) -> None:
    part(made, "v1", Verdict.OK, routed("v1"))
    view = followed(made, Role.OPERATOR)
    seen = made.station.insight.line.view("v1.top.1-1")
    assert seen is not None
    assert seen.capture is not None
    seen.capture = seen.capture.model_copy(update={"sha256": digest(b"another")})
    assert view.get("/api/parts/v1/frames/v1.top.1-1/picture").status_code == 404


@pytest.mark.parametrize(("role", "told"), [(Role.OPERATOR, False), (Role.AUDITOR, True)])
def test_who_may_review_is_told_nothing_of_a_part_that_waits_and_others_all(made: Rig, role: Role, told: bool) -> None:
    part(made, "v1", Verdict.NG, withheld("v1", Cause.REJECT_REVIEW), maps=PICTURE.maps)
    person = followed(made, role)
    page = person.get("/parts/v1").text.split("<main", 1)[1]
    assert ("reject_review" in page) is told
    assert person.get("/api/parts/v1/frames/v1.top.1-1/picture").status_code == 200
    assert person.get("/api/parts/v1/frames/v1.top.1-1/mask").status_code == (200 if told else 404)
    assert visits(person, "cause=reject_review") == (["v1"] if told else [])


def test_a_story_names_people_only_to_those_who_may_read_histories(made: Rig) -> None:
    one = slot(made, 1)
    made.send_disposition(routed_slot(one))
    judged(made, one, Judgement.OK, "Ada-Lovelace", comment="a speck of dust")
    made.send_close(one)
    told = {role: followed(made, role).get(f"/parts/{one.visit_id}").text for role in (Role.OPERATOR, Role.LEAD)}
    assert ("Ada-Lovelace" in told[Role.LEAD], "a speck of dust" in told[Role.LEAD]) == (True, True)
    assert "Ada-Lovelace" not in told[Role.OPERATOR]


def test_a_part_of_which_nothing_is_known_is_told_so(made: Rig) -> None:
    answer = followed(made, Role.OPERATOR).get("/parts/v9")
    assert answer.status_code == 404
    assert "linewarden find" in answer.text


@pytest.mark.parametrize(
    ("wall", "parts", "page", "picture"), [(False, True, 404, 404), (True, False, 200, 404), (True, True, 200, 200)]
)
def test_the_wall_is_what_its_settings_say(made: Rig, wall: bool, parts: bool, page: int, picture: int) -> None:
    part(made, "v1", Verdict.OK, routed("v1"))
    made.station = replace(made.station, wall=wall, wall_parts=parts)
    client = followed(made, Role.OPERATOR).client
    client.cookies.clear()
    assert client.get("/wall").status_code == page
    assert client.get("/wall/frames/v1.top.1-1").status_code == picture
    assert client.get("/api/line").status_code == 401
