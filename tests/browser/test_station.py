"""Operators at the station, in a real browser, over a real broker and a real Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Act, Judgement
from tests.unit.reinspect.rig import Rig, operator_link, rig, route, serving
from tests.unit.reinspect.sockets import UNCLOSED

from .chromium import CHROMIUM, Person, chromium

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def made(tansu_broker: KafkaBroker, valkey: str, namespace: str) -> Iterator[Rig]:
    with redis.Redis.from_url(valkey) as client:
        queue = RedisQueue(client, Namespace(namespace).redis_prefix())
        with rig(tansu_broker, queue, SystemClock(), namespace) as one:
            yield one


@pytest.fixture
def link(made: Rig) -> Iterator[str]:
    """Where people sign in, with everything running."""
    with serving(made, route(made)) as base:
        yield operator_link(base)


def test_an_operator_works_off_five_visits_by_keyboard_alone(made: Rig, link: str, browser: Browser) -> None:
    for number in range(1, 6):
        made.open_slot(number, size=256)
    ada = Person(browser, link, "Ada")
    ada.page.wait_for_selector(".line")
    ada.review()
    for key in ("o", "n", "?", "o"):
        ada.decide(key)
        ada.ready()
    ada.decide("n")
    ada.page.get_by_text("Nothing waits for you").wait_for()
    decisions = {decision.visit_id: decision for decision in made.decisions()}
    assert [decisions[slot.visit_id].judgement for slot in made.sent.values()] == [
        Judgement.OK,
        Judgement.NG,
        Judgement.UNSURE,
        Judgement.OK,
        Judgement.NG,
    ]
    assert all(len(decision.covers) == 3 for decision in decisions.values())
    assert ada.problems == []


def test_the_visit_fits_a_small_screen_without_scrolling(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(2, size=512)
    for number in range(3, 9):
        made.open_slot(number, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.press("m")
    ada.press("h")
    ada.page.wait_for_selector(".plane canvas:not([hidden])")
    beyond = "() => [...document.querySelectorAll('.facts, html')].some(box => box.scrollHeight > box.clientHeight)"
    assert ada.page.evaluate(beyond) is False
    target = Path(os.environ.get("LINEWARDEN_SCREENSHOT", "/tmp/linewarden-station.png"))
    ada.page.screenshot(path=target)
    assert target.stat().st_size > 20_000
    assert ada.problems == []


def test_two_operators_never_see_the_same_visit(made: Rig, link: str, browser: Browser) -> None:
    for number in range(1, 7):
        made.open_slot(number, size=96)
    ada, bob = Person(browser, link, "Ada"), Person(browser, link, "Bob")
    ada.review()
    bob.review()
    seen = [ada.part(), bob.part()]
    for person in (ada, bob, bob, ada):
        person.decide("o")
        person.ready()
        seen.append(person.part())
    assert len(set(seen)) == len(seen) == 6


def test_who_holds_what_is_seen_by_others(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada, bob = Person(browser, link, "Ada"), Person(browser, link, "Bob")
    ada.review()
    bob.page.locator("#leased").get_by_text("Ada").wait_for()


def test_a_lost_lease_is_told_and_the_next_visit_is_offered(made: Rig, link: str, browser: Browser) -> None:
    first, _ = made.open_slot(1, size=96), made.open_slot(2, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    lost = ada.part()
    made.send_close(first)
    bob = Person(browser, link, "Bob")
    bob.page.get_by_text("Nobody holds a visit.").wait_for()
    ada.press("o")
    ada.page.get_by_text("This visit is no longer yours").wait_for()
    ada.press("Enter")
    ada.ready()
    assert ada.part() != lost
    assert made.decisions() == []


def test_accepting_is_locked_until_the_pictures_are_here(made: Rig, link: str, browser: Browser) -> None:
    slot = made.open_slot(1, size=96, with_evidence=False)
    ada = Person(browser, link, "Ada")
    ada.press("Enter")
    ada.page.get_by_text("Accepting is locked").wait_for()
    ada.press("o")
    for index in range(3):
        made.send_evidence(made.picture(slot.visit_id, 1, index, 96))
    ada.ready()
    assert made.decisions() == []
    ada.decide("o")
    assert len(made.decisions()) == 1


def test_an_undo_is_recorded(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.decide("n")
    ada.press("u")
    ada.page.get_by_text("Undone").wait_for()
    assert [decision.act for decision in made.decisions()] == [Act.JUDGE, Act.UNDO]


def test_zoom_moves_and_comes_back_by_keys(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.press("+")
    assert ada.page.inner_text("#zoom") != "fit"
    ada.press("0")
    assert ada.page.inner_text("#zoom") == "fit"
    ada.press("F1")
    assert ada.page.locator("#help-dialog").is_visible()
