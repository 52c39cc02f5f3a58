"""Ways in and the pages of leads, engineers, auditors and administrators, in a real browser over real servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.station.access.links import LinkKind
from linewarden_reinspect.station.insight import judgements
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Judgement, Role
from tests.browser.chromium import CHROMIUM, Person, chromium
from tests.browser.looking import barriers
from tests.support.processes import wait_for
from tests.unit.reinspect.access.test_insight import judged, running, seen
from tests.unit.reinspect.rig import LINKS, Rig, operator_link, rig, route, serving
from tests.unit.reinspect.sockets import UNCLOSED
from tests.unit.reinspect.test_trust import recorded

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
SECRET = "correct horse battery"
THEMES = ("dark", "bright")
SCREENS: dict[str, ViewportSize] = {"pc": {"width": 1366, "height": 768}, "tablet": {"width": 768, "height": 1024}}


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
    with serving(made, route(made)) as address:
        yield address


def somebody(browser: Browser, base: str, role: Role, name: str) -> Person:
    link = next(link for link, good_for in LINKS.items() if good_for is role)
    return Person(browser, operator_link(base, link), name)


def looked_at(page: Page, name: str) -> None:
    """Look at the page in both themes, on a line PC and a tablet: no barrier, and nothing sticks out to the side."""
    folder = Path(os.environ.get("LINEWARDEN_SCREENSHOTS", "/tmp/linewarden-pages"))
    folder.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for theme, (screen, size) in product(THEMES, SCREENS.items()):
        page.set_viewport_size(size)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.screenshot(path=folder / f"{name}-{theme}-{screen}.png")
        found += barriers(page, f"{name}, {theme}, {screen}")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{name}, {theme}, {screen}: sticks out to the side")
    page.set_viewport_size(SCREENS["pc"])
    assert found == []


def fresh(browser: Browser) -> tuple[BrowserContext, Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    return context, context.new_page()


def test_the_first_administrator_adds_an_operator_who_signs_in(made: Rig, base: str, browser: Browser) -> None:
    token = made.station.access.links.make(LinkKind.SET_UP, [Role.ADMIN])
    _, page = fresh(browser)
    page.goto(f"{base}/set-up#{token}")
    page.fill("#name", "Root")
    page.fill("#password", SECRET)
    page.fill("#again", SECRET)
    looked_at(page, "set-up")
    page.keyboard.press("Enter")
    page.wait_for_url("**/users")
    page.fill("#add [name=name]", "Ada")
    page.fill("#add [name=password]", SECRET)
    page.click("#add button")
    page.locator("#users").get_by_text("Ada").wait_for()
    looked_at(page, "users")
    _, other = fresh(browser)
    other.goto(base)
    looked_at(other, "sign-in")
    other.fill("#name", "Ada")
    other.fill("#password", "wrong password")
    other.keyboard.press("Enter")
    other.get_by_text("Name or password is wrong.").wait_for()
    other.fill("#password", SECRET)
    other.keyboard.press("Enter")
    other.wait_for_url(f"{base}/line")
    ways = other.locator("nav a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert ways == ["/line", "/", "/review", "/pictures", "/alarms"]


def test_a_lead_enters_what_somebody_has_learnt_and_may_change_nothing_else(
    made: Rig, base: str, browser: Browser
) -> None:
    accounts = made.station.access.accounts
    accounts.add("Ada", Role.OPERATOR, SECRET)
    lea = somebody(browser, base, Role.LEAD, "Lea")
    lea.page.get_by_role("link", name="Users").click()
    field = lea.page.get_by_role("textbox", name="Skills of Ada")
    field.fill("weld, surface")
    with lea.page.expect_response("**/api/users/Ada/skills"):
        field.press("Tab")
    looked_at(lea.page, "users-of-a-lead")
    assert accounts.require("Ada").skills == ("surface", "weld")
    assert lea.page.locator("#users select, #users button, #add").count() == 0
    assert lea.problems == []


def test_a_page_of_another_role_is_refused_in_words(made: Rig, base: str, browser: Browser) -> None:
    ada = somebody(browser, base, Role.OPERATOR, "Ada")
    ada.page.goto(f"{base}/thresholds")
    ada.page.get_by_text("This is for the role").wait_for()
    looked_at(ada.page, "refused")


def test_a_request_of_a_foreign_page_changes_nothing(made: Rig, base: str, browser: Browser) -> None:
    ada = somebody(browser, base, Role.OPERATOR, "Ada")
    made.open_slot(1, size=96)
    foreign = ada.context.new_page()
    foreign.goto(base.replace("127.0.0.1", "localhost") + "/sign-in")
    foreign.evaluate(
        "url => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}'}).catch(() => 0)",
        f"{base}/api/claim",
    )
    assert [event for event in made.station.access.log.page() if event.act == "POST /api/claim"] == []


def filled(made: Rig) -> None:
    running(made)
    for number in range(1, 25):
        seen(made, number, number / 25)
    for number in range(1, 9):
        slot = made.open_slot(number, size=256)
        judged(made, slot, Judgement.NG if number % 4 == 0 else Judgement.OK, "Ada", made.clock.now_ms())
        made.producer.flush(5)
    made.open_slot(30, size=96)


def test_the_auditor_reads_and_filters(made: Rig, base: str, browser: Browser) -> None:
    filled(made)
    auditor = somebody(browser, base, Role.AUDITOR, "Aude")
    auditor.page.goto(f"{base}/history")
    auditor.page.locator("#rows").get_by_text("judge").first.wait_for()
    looked_at(auditor.page, "history")
    auditor.page.fill("[name=part]", "SN-000004")
    auditor.page.keyboard.press("Enter")
    auditor.page.wait_for_function("() => document.querySelectorAll('#rows tr').length < 6")
    auditor.page.get_by_text("Acts at the station").click()
    auditor.page.locator("#rows").get_by_text("sign-in").first.wait_for()
    looked_at(auditor.page, "acts")
    assert auditor.problems == []


def test_the_lead_sees_the_shift_and_counts_the_bin(made: Rig, base: str, browser: Browser) -> None:
    filled(made)
    lead = somebody(browser, base, Role.LEAD, "Lea")
    lead.page.goto(f"{base}/shift")
    lead.page.locator("#figures b").first.wait_for()
    lead.page.locator("#waiting").get_by_text("line1").wait_for()
    lead.page.fill("[name=counted]", "3")
    lead.page.locator("#bin button").click()
    lead.page.locator("#counts .chip").wait_for()
    looked_at(lead.page, "shift")
    assert lead.problems == []


def test_the_engineer_sees_what_trust_is_worth(made: Rig, base: str, browser: Browser) -> None:
    recorded(made)
    eve = somebody(browser, base, Role.ENGINEER, "Eve")
    insight = made.station.insight
    wait_for(lambda: len(judgements.counting(insight.index, 0, 2**53)) == 20, "the judgements are read", 30.0)
    wait_for(lambda: len(insight.recent.of_line("line1", "bracket")) == 40, "the inspections are read", 30.0)
    eve.page.goto(f"{base}/trust")
    assert eve.page.locator("polyline").count() == 2
    looked_at(eve.page, "trust")
    assert eve.problems == []


def threshold(person: Person, value: str) -> None:
    person.page.eval_on_selector(
        "#level", "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
    )


def test_a_threshold_is_drafted_by_one_and_approved_by_another(made: Rig, base: str, browser: Browser) -> None:
    filled(made)
    eve, quinn = somebody(browser, base, Role.ENGINEER, "Eve"), somebody(browser, base, Role.QUALITY, "Quinn")
    eve.page.goto(f"{base}/thresholds")
    eve.page.locator("#figures td").first.wait_for()
    threshold(eve, "0.41")
    eve.page.wait_for_selector("#save:not([disabled])")
    eve.page.locator("#thumbs figure").first.wait_for()
    looked_at(eve.page, "thresholds")
    eve.page.click("#save")
    eve.page.get_by_text("waits for somebody else").wait_for()
    quinn.page.goto(f"{base}/thresholds")
    quinn.page.get_by_role("button", name="Approve").click()
    quinn.page.fill("#reason", "fewer misses, agreed with the line")
    looked_at(quinn.page, "approve")
    quinn.page.get_by_role("button", name="Do it").click()
    quinn.page.locator("#drafts").get_by_text("approved by Quinn").wait_for()
    looked_at(quinn.page, "approved")
    newest = max((one for one in made.read("recipes") if isinstance(one, Recipe)), key=lambda one: one.version)
    assert newest.thresholds is not None
    assert eve.problems == quinn.problems == []
