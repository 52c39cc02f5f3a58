"""The page of alarms in a real browser, over a real broker and a line's process that keeps them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, Page, ViewportSize, expect

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import CameraCondition, Role
from tests.browser.chromium import CHROMIUM, Person, chromium
from tests.browser.looking import barriers
from tests.support.alarm_line import beat, keeping, topics_of_a_line
from tests.unit.reinspect.rig import LINKS, Rig, operator_link, rig, serving
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
THEMES = ("dark", "bright")
SCREENS: dict[str, ViewportSize] = {"pc": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def made(tansu_broker: KafkaBroker, valkey: str, namespace: str) -> Iterator[Rig]:
    with redis.Redis.from_url(valkey) as client:
        queue = RedisQueue(client, Namespace(namespace).redis_prefix())
        with rig(tansu_broker, queue, SystemClock(), namespace) as one:
            topics_of_a_line(tansu_broker, one.namespace)
            yield one


@pytest.fixture
def keeper(made: Rig) -> tuple[Callable[[threading.Event], None], threading.Event]:
    """The line's process, and what ends it alone."""
    ended, run = threading.Event(), keeping(made.broker, made.namespace, made.clock)

    def work(stop: threading.Event) -> None:
        run(ended)
        stop.wait()

    return work, ended


@pytest.fixture
def base(made: Rig, keeper: tuple[Callable[[threading.Event], None], threading.Event]) -> Iterator[str]:
    work, ended = keeper
    with serving(made, work) as address:
        yield address
        ended.set()


def somebody(browser: Browser, base: str, role: Role, name: str, language: str = "en") -> Person:
    link = next(link for link, good_for in LINKS.items() if good_for is role)
    one = Person(browser, operator_link(base, link), name, language=language)
    one.page.goto(f"{base}/alarms")
    return one


def looked_at(page: Page, name: str) -> None:
    """Look at the page in both themes, on a line PC and a telephone: no barrier, and nothing sticks out to the side."""
    folder = Path(os.environ.get("LINEWARDEN_SCREENSHOTS", "/tmp/linewarden-pages"))
    folder.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for theme, (screen, size) in product(THEMES, SCREENS.items()):
        page.set_viewport_size(size)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.screenshot(path=folder / f"{name}-{theme}-{screen}.png")
        found += barriers(page, f"{name}, {theme}, {screen}")
        wide = "[document.documentElement, document.querySelector('main')].some((x) => x.scrollWidth > x.clientWidth)"
        if page.evaluate(wide):
            found.append(f"{name}, {theme}, {screen}: sticks out to the side")
    page.set_viewport_size(SCREENS["pc"])
    assert found == []


def test_an_alarm_is_seen_acknowledged_shelved_and_in_the_history_of_the_shift(
    browser: Browser, made: Rig, base: str
) -> None:
    lead = somebody(browser, base, Role.LEAD, "Lea")
    operator = somebody(browser, base, Role.OPERATOR, "Otto", language="de")
    expect(lead.page.locator("#rows")).to_contain_text("No alarm stands.", timeout=WAIT_MS)
    beat(made.broker, made.namespace, made.clock, "cam1", CameraCondition.LOST, CameraCondition.SLOW)
    beat(made.broker, made.namespace, made.clock, "cam2", CameraCondition.FROZEN)
    card = operator.page.locator('[data-alarm="line1.camera_lost.cam1"]')
    expect(card.locator("h3")).to_have_text("Kamera weg · cam1", timeout=WAIT_MS)
    expect(card.locator("summary")).to_have_text("1 weitere folgen daraus")
    expect(operator.page.locator(".alarm").first).to_have_attribute("data-alarm", "line1.camera_frozen.cam2")
    assert operator.page.locator("text=Zurückstellen").count() == 0
    card.get_by_role("button", name="Quittieren").click()
    expect(lead.page.locator('[data-alarm="line1.camera_lost.cam1"]')).to_contain_text(
        "acknowledged by Otto", timeout=WAIT_MS
    )
    looked_at(lead.page, "alarms")
    frozen = lead.page.locator('[data-alarm="line1.camera_frozen.cam2"]')
    frozen.get_by_role("button", name="Put aside").click()
    lead.page.fill("#wish textarea", "a new camera is ordered")
    lead.page.click("#wish-do")
    expect(lead.page.locator("#aside")).to_contain_text("Camera shows one picture · cam2", timeout=WAIT_MS)
    expect(lead.page.locator("#aside")).to_contain_text("by Lea")
    expect(lead.page.locator("#steps")).to_contain_text("a new camera is ordered", timeout=WAIT_MS)
    looked_at(lead.page, "alarms-aside")
    assert operator.problems == lead.problems == []


def test_that_nobody_keeps_the_alarms_is_said_and_a_wish_is_not_taken_for_done(
    browser: Browser, made: Rig, base: str, keeper: tuple[Callable[[threading.Event], None], threading.Event]
) -> None:
    lead = somebody(browser, base, Role.LEAD, "Lea")
    beat(made.broker, made.namespace, made.clock, "cam1", CameraCondition.DARK)
    card = lead.page.locator('[data-alarm="line1.camera_dark.cam1"]')
    expect(card).to_be_visible(timeout=WAIT_MS)
    keeper[1].set()
    expect(lead.page.locator("#unkept")).to_contain_text("Nobody keeps the alarms of line line1", timeout=WAIT_MS)
    card.get_by_role("button", name="Acknowledge").click()
    expect(lead.page.locator("#problem")).to_contain_text("nobody has done it yet", timeout=WAIT_MS)
    expect(card).to_contain_text("new")
    looked_at(lead.page, "alarms-unkept")
