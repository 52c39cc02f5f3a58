"""The station's answers to a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from linewarden_reinspect.queue.types import Claimant
from linewarden_reinspect.station.access.access import AccessRules
from linewarden_reinspect.station.app import create_app
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.vocabulary import Skill
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import LINK, Rig, rig
from tests.unit.reinspect.slots import AT

BASE = "http://station.test"


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


class Browser:
    """A client that behaves as the station's own page does."""

    def __init__(self, made: Rig, name: str = "ada") -> None:
        self.client = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
        self.headers = {"origin": BASE, "sec-fetch-site": "same-origin"}
        self.signed_in = self.client.post("/sign-in", data={"link": LINK, "name": name}, headers=self.headers)
        session = next(one for one in made.station.access.sessions._sessions.values() if one.actor == name)
        self.headers["x-linewarden-token"] = session.csrf

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.client.post(path, json=body or {}, headers=self.headers)

    def claim(self) -> dict[str, Any]:
        visit: dict[str, Any] = self.post("/api/claim").json()["visit"]
        return visit

    def look(self, visit: dict[str, Any]) -> list[dict[str, Any]]:
        for frame in visit["frames"]:
            assert self.get(f"/frames/{frame['frame_id']}/picture").status_code == 200
        return [{"frame_id": frame["frame_id"], "layers": ["picture"]} for frame in visit["frames"]]

    def first(self, visit: dict[str, Any], judgement: str, shown: list[dict[str, Any]]) -> Any:
        body = {"token": visit["token"], "judgement": judgement, "shown": shown}
        return self.post(f"/api/slots/{visit['slot_id']}/first", body)

    def judge(self, visit: dict[str, Any], judgement: str, shown: list[dict[str, Any]], **more: Any) -> Any:
        """The first answer and the last one, which are the same here."""
        body = {"token": visit["token"], "judgement": judgement, "shown": shown} | more
        first = self.first(visit, judgement, shown)
        return self.post(f"/api/slots/{visit['slot_id']}/decision", body) if first.status_code == 200 else first


def filled(made: Rig, count: int = 1, **more: Any) -> None:
    for number in range(1, count + 1):
        made.open_slot(number, size=96, **more)
    made.settle()


def test_pages_lead_to_the_sign_in_and_the_api_says_so(made: Rig) -> None:
    client = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
    assert client.get("/").headers["location"].startswith("/sign-in")
    assert client.get("/api/me").status_code == 401


def test_a_wrong_link_signs_nobody_in_and_many_are_slowed_down(made: Rig) -> None:
    client = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
    data, headers = {"link": "x" * 20, "name": "eve"}, {"origin": BASE}
    answers = [client.post("/sign-in", data=data, headers=headers).status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(made: Rig) -> None:
    cookie = Browser(made).signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_every_answer_forbids_foreign_scripts_and_frames(made: Rig) -> None:
    policy = Browser(made).get("/review").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_no_page_carries_inline_script_or_style(made: Rig) -> None:
    browser = Browser(made)
    for page in ("/", "/review", "/sign-in"):
        text = browser.get(page).text
        assert "style=" not in text
        assert " onclick" not in text
        assert "<script>" not in text


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://elsewhere.test"}, {"origin": BASE, "sec-fetch-site": "cross-site"}],
    ids=["no origin", "another origin", "another site"],
)
def test_a_request_from_another_page_changes_nothing(made: Rig, headers: dict[str, str]) -> None:
    filled(made)
    browser = Browser(made)
    token = {"x-linewarden-token": browser.headers["x-linewarden-token"]}
    assert browser.client.post("/api/claim", headers=headers | token).status_code == 403
    assert browser.claim() is not None


def test_a_request_without_the_sessions_token_changes_nothing(made: Rig) -> None:
    browser = Browser(made)
    del browser.headers["x-linewarden-token"]
    assert browser.post("/api/claim").status_code == 403


def test_an_idle_session_ends(made: Rig) -> None:
    browser = Browser(made)
    made.clock.advance(901)  # type: ignore[attr-defined]  # a manual clock
    assert browser.get("/api/me").status_code == 401


def test_a_visit_is_claimed_looked_at_and_accepted(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    shown = browser.look(visit)
    answer = browser.judge(visit, "OK", shown)
    assert answer.status_code == 200
    assert [list(decision.covers) for decision in made.decisions()] == [[frame["frame_id"] for frame in shown]]


def test_accepting_before_the_pictures_were_fetched_is_refused(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    answer = browser.judge(visit, "OK", [{"frame_id": frame["frame_id"]} for frame in visit["frames"]])
    assert (answer.status_code, answer.json()["error"]) == (409, "not_shown")


def test_views_come_in_an_order_that_does_not_follow_from_their_scores(made: Rig) -> None:
    filled(made)
    assert [frame["view_id"] for frame in Browser(made).claim()["frames"]] == ["face", "side", "top"]


def test_pictures_that_are_not_there_yet_are_told_and_fill_in(made: Rig) -> None:
    slot = made.open_slot(1, size=96, with_evidence=False)
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    path = f"/api/slots/{visit['slot_id']}/evidence?token={visit['token']}"
    assert {frame["state"] for frame in browser.get(path).json()["frames"]} == {"waiting"}
    for index in range(3):
        made.send_evidence(made.picture(slot.visit_id, 1, index, 96))
    made.settle()
    assert {frame["state"] for frame in browser.get(path).json()["frames"]} == {"here"}


def test_a_picture_that_is_not_the_captured_one_is_not_shown(made: Rig) -> None:
    slot = made.open_slot(1, size=96, views=1, with_evidence=False)
    made.send_evidence(made.picture(slot.visit_id, 1, 0, 96).model_copy(update={"picture": b"\xff\xd8\xffother"}))
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    assert browser.get(f"/frames/{visit['frames'][0]['frame_id']}/picture").status_code == 404


def test_pictures_are_shown_to_nobody_but_the_holder(made: Rig) -> None:
    filled(made)
    ada, eve = Browser(made), Browser(made, "eve")
    frame = ada.claim()["frames"][0]["frame_id"]
    assert ada.get(f"/frames/{frame}/picture").status_code == 200
    assert eve.get(f"/frames/{frame}/picture").status_code == 404


def test_a_foreign_lease_is_of_no_use(made: Rig) -> None:
    filled(made)
    ada, eve = Browser(made), Browser(made, "eve")
    visit = ada.claim()
    assert eve.judge(visit, "NG", []).json()["error"] == "lease_lost"
    assert eve.post(f"/api/slots/{visit['slot_id']}/renew", {"token": visit["token"]}).status_code == 409


def test_two_people_never_hold_the_same_visit(made: Rig) -> None:
    filled(made, 4)
    visits = [Browser(made, name).claim()["slot_id"] for name in ("ada", "bob", "eve", "joe")]
    assert len(set(visits)) == 4


def test_without_kafka_the_answer_is_503_and_nothing_is_recorded(made: Rig) -> None:
    filled(made)
    browser = Browser(made)
    visit = browser.claim()
    browser.first(visit, "NG", [])
    made.bus.drain()
    made.broker.faults.order(Fault.DELIVERY)  # type: ignore[attr-defined]  # the in-memory broker
    answer = browser.judge(visit, "NG", [])
    assert (answer.status_code, answer.json()["error"]) == (503, "not_recorded")
    assert made.decisions() == []
    assert browser.judge(visit, "NG", []).status_code == 200


def test_signing_out_gives_the_visit_back(made: Rig) -> None:
    filled(made)
    ada = Browser(made)
    visit = ada.claim()
    assert ada.post("/api/sign-out").status_code == 204
    assert Browser(made, "bob").claim()["slot_id"] == visit["slot_id"]


def test_a_number_that_no_json_can_say_is_refused_like_any_other(made: Rig) -> None:
    browser = Browser(made)
    for number in ("1e999", "NaN", "-1e999"):
        sent = browser.headers | {"content-type": "application/json"}
        answer = browser.client.post("/api/study/answers", content=f'{{"round": {number}}}', headers=sent)
        assert answer.status_code == 422


def test_who_was_signed_in_is_told_that_it_is_over_and_comes_back_to_the_page(made: Rig) -> None:
    browser = Browser(made)
    sessions = made.station.access.sessions
    sessions.end(sessions.find(browser.client.cookies[made.station.access.rules.cookie]))
    led = browser.get("/review").headers["location"]
    assert led == "/sign-in?why=over&to=/review"
    over = '<p class="problem" role="alert">Your session has ended.'  # the words alone are in every page's catalogue
    assert over in browser.get(led).text
    fresh = TestClient(create_app(made.station), base_url=BASE, follow_redirects=False)
    assert over not in fresh.get(led).text
    for to, place in (("/review", "/review"), ("/users", "/line"), ("//elsewhere.test", "/line")):
        data = {"link": LINK, "name": "ada", "to": to}
        assert browser.client.post("/sign-in", data=data, headers=browser.headers).headers["location"] == place


def test_what_a_person_may_take_is_what_their_queue_lists_and_counts(made: Rig) -> None:
    made.open_slot(1, size=96)
    made.open_slot(2, size=96, skill=Skill.LEAD)
    made.open_slot(3, size=96, needs="weld")
    made.open_slot(4, size=96, excluded_actors=("ada",))
    made.settle()
    made.station.watch.look()
    summary = made.station.watch.summary
    assert summary is not None
    seen = {
        who: (sorted(slot.part_id for slot in offered.slots), offered.lines["line1"].ready, offered.lines["line1"].dead)
        for who, claimant in {
            "ada": Claimant("ada"),
            "welder": Claimant("kim", skills=("weld",)),
            "lead": Claimant("lea", lead=True),
            "auditor": None,
        }.items()
        for offered in [summary.offered_to(claimant)]
    }
    assert seen == {
        "ada": (["SN-000001"], 1, 1),
        "welder": (["SN-000001", "SN-000003", "SN-000004"], 3, 1),
        "lead": (["SN-000001", "SN-000002", "SN-000003", "SN-000004"], 3, 1),
        "auditor": ([], 3, 1),
    }


def test_a_wrong_link_tells_who_sits_at_the_station_how_a_new_one_is_made(tmp_path: Path) -> None:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock, rules=AccessRules(tmp_path)) as made:
        for address, is_told in (("127.0.0.1", True), ("10.0.0.7", False)):
            client = TestClient(create_app(made.station), base_url=BASE, client=(address, 1))
            headers = {"origin": BASE, "sec-fetch-site": "same-origin"}
            told = client.post("/sign-in", data={"link": "nobody-made-this", "name": "ada"}, headers=headers).text
            assert '<p class="problem" role="alert">This link is wrong, too old, or was used up.' in told
            assert (f"linewarden users link ROLE --data {tmp_path} --url {BASE}" in told) is is_told
