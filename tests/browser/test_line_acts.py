"""A lead acts on a line: locked and lifted, changed over from step to step, a bypass recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, Page, ViewportSize, expect

from linewarden_domain.changing_over import end_check, step_on
from linewarden_domain.words import said
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.acting import act_on_line, look_at_line
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.changeover import MasterAnswer
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import LineState
from linewarden_schemas.recipe import CheckRules, MasterPart, Recipe, ViewSpec
from linewarden_schemas.vocabulary import ChangeoverStage, CheckOutcome, Role, Verdict
from tests.browser.chromium import CHROMIUM, Person, chromium
from tests.browser.looking import barriers
from tests.unit.reinspect.access.test_insight import running
from tests.unit.reinspect.rig import LINKS, Rig, operator_link, rig, serving
from tests.unit.reinspect.slots import AT
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
expect.set_options(timeout=60_000)  # an act is a transaction on a real broker, on a busy machine
SCREENS: dict[str, ViewportSize] = {"pc": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
RECIPE = Recipe(
    recipe_id="bracket",
    version=3,
    product_id="bracket",
    bundle_digest="b" * 64,
    views=(ViewSpec(view_id="top", camera_id="cam1"),),
    check=CheckRules(masters=(MasterPart(part_id="MASTER-OK"), MasterPart(part_id="MASTER-NG", ng_views=("top",)))),
    created_ms=AT,
    created_by="eng",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def made(tansu_broker: KafkaBroker, valkey: str, namespace: str) -> Iterator[Rig]:
    with redis.Redis.from_url(valkey) as client:
        queue = RedisQueue(client, Namespace(namespace).redis_prefix())
        with rig(tansu_broker, queue, SystemClock(), namespace) as one:
            running(one, RECIPE)
            yield one


def looked_at(page: Page, name: str) -> list[str]:
    """The page in both themes and on both screens: barriers, and what sticks out to the side."""
    folder = Path(os.environ.get("LINEWARDEN_SCREENSHOTS", "/tmp/linewarden-pages"))
    folder.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for theme, (screen, size) in product(("dark", "bright"), SCREENS.items()):
        page.set_viewport_size(size)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.screenshot(path=folder / f"{name}-{theme}-{screen}.png")
        found += barriers(page, f"{name}, {theme}, {screen}")
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{name}, {theme}, {screen}: sticks out to the side")
    page.set_viewport_size(SCREENS["pc"])
    return found


def test_a_lead_takes_a_line_through_a_lock_a_changeover_and_a_bypass(made: Rig, browser: Browser) -> None:
    def state() -> LineState:
        found = look_at_line(made.broker, made.namespace, "line1", made.clock.now_ms()).state
        assert found is not None
        return found

    def line_process(act: object) -> None:
        act_on_line(made.broker, made.namespace, "line1", act, "/line", made.clock.now_ms)  # type: ignore[arg-type]

    with serving(made) as base:
        link = next(link for link, good_for in LINKS.items() if good_for is Role.LEAD)
        lea = Person(browser, operator_link(base, link), "Lea")
        page = lea.page
        page.get_by_role("link", name="Line acts").click()
        line = page.locator("[data-line=line1]")
        line.get_by_label("Why").first.fill("oil on the lens")
        line.get_by_role("button", name="Lock", exact=True).click()
        expect(line.locator(".locks")).to_contain_text("oil on the lens")
        line.get_by_role("button", name="Production").click()
        expect(page.locator("#problem")).to_contain_text("no check with master parts is good")
        lift = line.locator("form[data-act=unlock]")
        lift.get_by_label("Why").fill("cleaned")
        lift.get_by_role("button").click()
        expect(line.locator(".locks")).to_have_count(0)
        over = line.locator("form[data-act=change_over]")
        over.get_by_label("Order").fill("PO-7")
        over.get_by_role("button", name="Begin").click()
        release = line.locator("form[data-act=release]")
        expect(release.get_by_role("button", name="Release to production")).to_be_disabled()
        line_process(lambda line, _: step_on(line, ChangeoverStage.REQUESTED, waiting_for=[said("wait_worker_none")]))
        expect(release).to_contain_text("no inspect worker is heard")
        assert looked_at(page, "line-acts-changeover") == []
        line_process(lambda line, _: step_on(line, ChangeoverStage.CLEARED, waiting_for=[]))
        expect(release).to_contain_text("cleared of what was before")
        line.get_by_role("button", name="Begin the check").click()
        expect(line.locator("form[data-act=check]")).to_contain_text("under way")
        answers = [
            MasterAnswer(part_id=part, view_id="top", expected=verdict, verdict=verdict, visit_id="v1")
            for part, verdict in (("MASTER-OK", Verdict.OK), ("MASTER-NG", Verdict.NG))
        ]
        line_process(lambda line, _: end_check(line, CheckOutcome.PASSED, answers))
        expect(line).to_contain_text("MASTER-NG")
        release.get_by_label("I looked").check()
        release.get_by_role("button", name="Release to production").click()
        expect(line.locator(".word")).to_have_text("passes parts")
        assert (state().order_id, state().passes()) == ("PO-7", True)
        bypass = line.locator("form[data-act=bypass]")
        bypass.get_by_label("Who turned the key").fill("Ben")
        bypass.get_by_label("Why").fill("camera broken")
        bypass.get_by_role("button", name="Record").click()
        expect(line).to_contain_text("Ben turned the key")
        assert state().key_holder == "Ben"
        page.get_by_role("button", name="Deutsch").click()
        expect(page.locator("h1")).to_have_text("Linie führen")
        expect(page.locator("[data-line=line1]")).to_contain_text("Ben hat den Schlüssel gedreht")
        assert looked_at(page, "line-acts-bypass-de") == []
        assert lea.problems == [] or all("409" in one for one in lea.problems)
