"""The first judgement is made on the plain picture; whatever the machine thinks comes after it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from linewarden_reinspect.station import present
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import Cause, Judgement
from linewarden_vision.pictures.reading import read_picture
from tests.support.picture_files import encoded, textured, turned
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT
from tests.unit.reinspect.test_web import Browser, filled

TELLING = (
    "causes",
    "reasons",
    "in_words",
    "risk",
    "due_ms",
    "opened_ms",
    "doubtful",
    "verdict",
    "p_defect",
    "suspicion",
    "low_",
    "marked",
    "sentence",
    "handover",
)


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def layers(browser: Browser, visit: dict[str, Any]) -> list[list[str]]:
    answer = browser.get(f"/api/slots/{visit['slot_id']}/evidence?token={visit['token']}").json()
    return [frame["layers"] for frame in answer["frames"]]


def drawn(size: int = 96, *, empty: bool = False) -> str:
    mask = np.zeros((size, size, 4), np.uint8)
    if not empty:
        mask[10:20, 10:30] = (220, 64, 255, 255)
    return base64.b64encode(cv2.imencode(".png", mask)[1].tobytes()).decode()


def test_a_claim_tells_nothing_of_what_the_machine_thinks(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    assert visit["told"] is None
    assert [word for word in TELLING if word in json.dumps(visit)] == []
    assert layers(browser, visit) == [[], [], []]
    frame = visit["frames"][0]["frame_id"]
    assert {browser.get(f"/frames/{frame}/{name}").status_code for name in ("mask", "specific", "agnostic")} == {404}


def test_claims_of_all_causes_have_the_same_fields(made: Rig) -> None:
    for number, cause in enumerate(Cause, 1):
        made.open_slot(number, size=96, causes=(cause,), reasons=(cause.value,), risk=number / 10)
    made.settle()
    browser, shapes = Browser(made), set()
    for _ in Cause:
        visit = browser.claim()
        shapes.add(json.dumps({key: type(value).__name__ for key, value in visit.items()}))
        browser.judge(visit, "NG", [])
    assert len(shapes) == 1


def test_after_the_first_answer_the_doubted_view_the_reason_and_maps_are_there(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    told = browser.first(visit, "OK", browser.look(visit)).json()["visit"]["told"]
    assert (told["first"], told["blind"]) == ("OK", True)
    assert ".top." in told["marked"]
    assert told["sentence"] == "Possible missed defect in view top, marked. Look closely."
    assert layers(browser, visit) == [["mask", "specific", "agnostic"]] * 3
    assert browser.get(f"/frames/{visit['frames'][0]['frame_id']}/mask").headers["content-type"] == "image/png"


def test_without_a_first_answer_there_is_no_decision(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    body = {"token": visit["token"], "judgement": "NG", "shown": []}
    assert browser.post(f"/api/slots/{visit['slot_id']}/decision", body).json()["error"] == "not_blind"
    assert made.decisions() == []


def test_the_first_answer_stays_and_the_last_one_counts(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    shown = browser.look(visit)
    browser.first(visit, "OK", shown)
    frame = shown[0]["frame_id"]
    mask = browser.get(f"/frames/{frame}/mask").content
    assert browser.judge(visit, "NG", [{"frame_id": frame, "layers": ["picture", "mask"]}]).status_code == 200
    (decision,) = made.decisions()
    assert (decision.first_judgement, decision.judgement, decision.blind) == (Judgement.OK, Judgement.NG, True)
    assert [one.layers for one in decision.first_shown] == [("picture",)] * 3
    assert all(one.sha256 is not None for one in decision.first_shown)
    assert [(one.layers, one.layer_digests) for one in decision.shown] == [
        (("picture", "mask"), {"mask": digest(mask)})
    ]


def test_calling_a_part_good_at_first_sight_needs_every_picture_on_the_screen(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    assert browser.first(visit, "OK", []).json()["error"] == "not_shown"


def test_who_was_told_once_is_not_blind_the_second_time(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    browser.first(visit, "NG", [])
    browser.post(f"/api/slots/{visit['slot_id']}/release", {"token": visit["token"]})
    again = browser.claim()
    assert (again["told"]["blind"], again["told"]["first"]) == (False, None)
    browser.judge(again, "NG", [])
    assert [(one.blind, one.first_judgement) for one in made.decisions()] == [(False, None)]


def test_after_a_reload_the_first_answer_is_still_there(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    browser.first(browser.claim(), "NG", [])
    assert browser.claim()["told"]["first"] == "NG"


def test_the_queue_names_no_cause_and_no_due_time(made: Rig) -> None:
    filled(made, 2)
    made.station.watch.look()
    summary = made.station.watch.summary
    assert summary is not None
    told = json.dumps(present.queue(summary))
    assert "low trust" not in told
    assert '"due_ms"' not in told


def test_a_drawn_mask_is_kept_as_grey_png_in_the_size_of_the_picture(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    frame = browser.look(visit)[0]["frame_id"]
    marks = [{"frame_id": frame, "mask_png": drawn()}]
    assert browser.judge(visit, "NG", [], marks=marks, defect_class="scratch").status_code == 200
    (decision,) = made.decisions()
    mask = cv2.imdecode(np.frombuffer(decision.marks[0].mask_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decision.defect_class == "scratch"
    assert mask is not None
    assert (mask.shape, int((mask == 255).sum()), int((mask > 0).sum())) == ((96, 96), 200, 200)


@pytest.mark.parametrize(
    "png",
    [drawn(64), drawn(empty=True), base64.b64encode(b"no picture").decode(), drawn()[:80]],
    ids=["another size", "nothing drawn", "no PNG", "cut off"],
)
def test_what_is_no_mask_of_the_picture_is_refused_and_nothing_is_recorded(made: Rig, png: str) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    frame = browser.look(visit)[0]["frame_id"]
    answer = browser.judge(visit, "NG", [], marks=[{"frame_id": frame, "mask_png": png}])
    assert (answer.status_code, answer.json()["error"]) == (422, "bad_mark")
    assert made.decisions() == []


@pytest.mark.parametrize("tag", [1, 3, 6])
def test_the_station_shows_what_was_judged_and_keeps_a_mask_as_it_was_drawn_on_it(
    made: Rig, tag: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = encoded(textured(48, 96), ".jpg")
    picture = turned(plain, tag)
    monkeypatch.setattr("tests.unit.reinspect.pictures._encoded", lambda kind, image: picture)
    slot = made.open_slot(1, views=1, size=96)
    (frame,) = slot.frames
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    assert browser.get(f"/frames/{frame.frame_id}/picture").content == plain
    mask = np.zeros((48, 96), np.uint8)
    mask[5:9, 70:90] = 255
    marks = [{"frame_id": frame.frame_id, "mask_png": base64.b64encode(encoded(mask, ".png")).decode()}]
    assert browser.judge(visit, "NG", [], marks=marks, defect_class="scratch").status_code == 200
    (decision,) = made.decisions()
    assert np.array_equal(read_picture(decision.marks[0].mask_png), mask)
