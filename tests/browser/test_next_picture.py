"""The next picture is on the screen without a wait for the network, and how soon that is, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import CHROMIUM, Person
from tests.browser.looking import write_down
from tests.unit.reinspect.rig import Rig
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
DECISIONS = 32
MEASURED = """() => performance.getEntriesByName('linewarden-next-picture')
    .map(({startTime, duration}) => [startTime, duration])"""
FETCHED = """() => performance.getEntriesByType('resource').filter(one => one.name.includes('/picture?'))
    .map(one => one.startTime)"""


def test_the_next_picture_needs_no_network_after_a_decision(made: Rig, link: str, browser: Browser) -> None:
    for number in range(1, DECISIONS + 3):
        made.open_slot(number, size=256)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.page.evaluate("() => performance.setResourceTimingBufferSize(5000)")
    for _ in range(DECISIONS):
        ada.page.wait_for_selector('#review[data-ahead="here"]')
        ada.decide("n")
        ada.ready()
    shown = ada.page.evaluate(MEASURED)
    fetched = ada.page.evaluate(FETCHED)
    assert len(shown) == DECISIONS
    assert not [one for one in fetched if any(start <= one <= start + took for start, took in shown)]
    write_down("next_picture_ms", sorted(round(duration) for _, duration in shown))


def test_a_visit_that_could_not_be_taken_ahead_is_taken_a_little_later(made: Rig, link: str, browser: Browser) -> None:
    for number in (1, 2, 3):
        made.open_slot(number, size=256)
    ada = Person(browser, link, "Ada")
    ada.page.route("**/api/ahead", lambda route: route.fulfill(status=503, json={"error": "away"}), times=1)
    ada.review()
    ada.page.wait_for_selector('#review[data-ahead="none"]')
    ada.page.wait_for_selector('#review[data-ahead="here"]')
