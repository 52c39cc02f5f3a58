"""The page of the line, the wall and the pictures, in a real browser over real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, Page, ViewportSize

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.vocabulary import LineMode, Routing, Verdict
from tests.browser.chromium import CHROMIUM, Person, chromium
from tests.browser.looking import barriers, picture
from tests.unit.reinspect.rig import Rig, operator_link, rig, route, serving
from tests.unit.reinspect.slots import PARTITIONS, opened, routed
from tests.unit.reinspect.sockets import UNCLOSED
from tests.unit.route.builders import make_capture, make_inspection, make_recipe

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
SCREENS: dict[str, ViewportSize] = {
    "pc": {"width": 1366, "height": 768},
    "tablet": {"width": 1024, "height": 768},
    "phone": {"width": 390, "height": 844},
}
THEMES = ("dark", "bright")


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
def base(made: Rig) -> Iterator[str]:
    made.station = replace(made.station, wall=True)
    with serving(made, route(made)) as address:
        yield address


def send(made: Rig, name: str, message: Message, key: str, visit: str) -> None:
    now = made.clock.now_ms()
    encoded = encode(message, id=f"{key}-{now}", source="/line1/test", time_ms=now)
    place = None if name in {"line-state", "activations"} else partition_of(visit, PARTITIONS)
    made.producer.send(OutRecord(made.topic(name), key.encode(), encoded.value, encoded.headers, place or 0)).result(10)


def producing(made: Rig) -> None:
    since = made.clock.now_ms() - 3_600_000
    state = LineState(
        line_id="line1", mode=LineMode.PRODUCTION, since_ms=since, actor="lead", shift="early", product_id="bracket"
    )
    active = Activation(line_id="line1", recipe=make_recipe().ref(), from_ms=since, actor="eng")
    send(made, "line-state", state, "line1", "line1")
    send(made, "activations", active, "line1", "line1")


def part(made: Rig, number: int, routing: Routing = Routing.TRUSTED_PASS) -> str:
    """A part that was captured, inspected and routed; its picture is with the keeper."""
    kept = made.picture(f"line1.st1.{made.clock.now_ms():013d}.{number:06d}", number, 0, 256)
    made.send_evidence(kept)
    about: dict[str, Any] = {"frame_id": kept.frame_id, "at_ms": made.clock.now_ms()}
    captured = make_capture("top", kept.visit_id, part_id=f"SN-{number:06d}", sha256=kept.sha256, **about)
    verdict = Verdict.NG if routing is Routing.REJECTED else Verdict.OK
    seen = make_inspection("top", kept.visit_id, verdict=verdict, frame_sha256=kept.sha256, **about)
    send(made, "captures", captured, kept.visit_id, kept.visit_id)
    send(made, "inspections", seen, kept.frame_id, kept.visit_id)
    slot = _like(made, kept.visit_id, number)
    made.send_disposition(
        routed(slot, routing=routing, final=routing is not Routing.DIVERTED, revision=0, outcome=None)
    )
    return kept.visit_id


def _like(made: Rig, visit: str, number: int) -> SlotOpen:
    """A slot of that visit, which nobody opened."""
    now = made.clock.now_ms()
    return opened(number, opened_ms=now).model_copy(update={"visit_id": visit, "part_id": f"SN-{number:06d}"})


def looked_at(page: Page, name: str, person: Person | None = None) -> None:
    """On a PC, a tablet and a phone, in both themes: no barrier, and nothing sticks out to the side."""
    found: list[str] = []
    for theme, (screen, size) in product(THEMES, SCREENS.items()):
        page.set_viewport_size(size)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        if person is not None:
            picture(person, f"{name}-{theme}-{screen}")
        found += barriers(page, f"{name}, {theme}, {screen}")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{name}, {theme}, {screen}: sticks out to the side")
    page.set_viewport_size(SCREENS["pc"])
    assert found == []


def test_the_line_is_the_first_page_and_shows_what_it_makes(made: Rig, base: str, browser: Browser) -> None:
    producing(made)
    for number in range(1, 5):
        part(made, number)
    part(made, 5, Routing.REJECTED)
    made.open_slot(6, size=96)
    ada = Person(browser, operator_link(base), "Ada")
    ada.page.click('nav a[href="/line"]')
    ada.page.wait_for_selector('.board[data-level="good"] .tile-part img')
    assert ada.page.inner_text('[data-field="count-ok"]') == "4"
    assert ada.page.inner_text('[data-field="count-ng"]') == "1"
    assert ada.page.inner_text('[data-field="yield"]') == "80.0 %"
    assert ada.page.locator('.tile-part[data-standing="ng"]').count() == 1
    looked_at(ada.page, "line", ada)
    ada.page.click('.tile-part[data-standing="ng"] a')
    ada.page.wait_for_selector(".story-view img.shot")
    ada.page.click('[data-layer="specific"]')
    ada.page.wait_for_selector("canvas.heat:not([hidden])")
    looked_at(ada.page, "part", ada)
    assert ada.problems == []


def test_pictures_are_filtered_and_searched_by_serial(made: Rig, base: str, browser: Browser) -> None:
    producing(made)
    for number in range(1, 4):
        part(made, number)
    part(made, 4, Routing.REJECTED)
    ada = Person(browser, operator_link(base), "Ada")
    ada.page.click('nav a[href="/pictures"]')
    ada.page.wait_for_selector(".card")
    ada.page.get_by_text("4 parts, newest first").wait_for()
    ada.page.select_option('select[name="standing"]', "ng")
    ada.page.click("#filter button.primary")
    ada.page.get_by_text("1 parts, newest first").wait_for()
    looked_at(ada.page, "pictures", ada)
    ada.page.select_option('select[name="standing"]', "")
    ada.page.fill('input[name="serial"]', "SN-000002")
    ada.page.press('input[name="serial"]', "Enter")
    ada.page.locator(".card", has_text="SN-000002").wait_for()
    assert ada.page.locator(".card").count() == 1
    assert "serial=SN-000002" in ada.page.url
    assert ada.problems == []


def test_the_wall_needs_no_sign_in_and_shows_no_part(made: Rig, base: str, browser: Browser) -> None:
    producing(made)
    part(made, 1)
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="de")
    page = context.new_page()
    page.goto(f"{base}/wall")
    page.wait_for_selector('.board[data-level="good"]')
    assert page.inner_text('[data-field="level"]') == "Läuft"
    assert page.locator("img").count() == 0
    looked_at(page, "wall")
    context.close()


def test_a_station_that_is_away_says_as_of_when(made: Rig, browser: Browser) -> None:
    producing(made)
    part(made, 1)
    with serving(made, route(made)) as base:
        ada = Person(browser, operator_link(base), "Ada")
        ada.page.click('nav a[href="/line"]')
        ada.page.wait_for_selector('.board[data-level="good"]')
    ada.page.wait_for_selector('.board[data-level="unknown"]', timeout=30_000)
    assert ada.page.inner_text("#as-of").startswith("As of ")
    picture(ada, "line-away")
