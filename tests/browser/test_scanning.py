"""A scanner at the station, in a real browser: it types a serial or a bin place and Enter."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import CHROMIUM, Person
from tests.browser.looking import picture
from tests.unit.reinspect.rig import Rig
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


def test_a_scan_takes_its_part_and_another_part_is_refused_in_words_and_judges_nothing(
    made: Rig, link: str, browser: Browser
) -> None:
    for number in (1, 2, 3):
        made.open_slot(number, size=96, bin_slot=f"B-{number}")
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.scan("SN-00noo")
    ada.page.get_by_text("SN-00noo is not the part on the screen, which is SN-000001.").wait_for()
    picture(ada, "scan-mismatch")
    assert (ada.part(), ada.page.get_attribute("#review", "data-step")) == ("SN-000001", "first")
    ada.press("r")
    ada.page.get_by_text("Given back").wait_for()
    ada.press("F2")
    assert ada.page.get_by_role("textbox", name="Scan").evaluate("field => field === document.activeElement")
    ada.page.keyboard.type("B-3\n")
    ada.ready()
    assert ada.part() == "SN-000003"
    ada.decide("n")
    assert [decision.visit_id for decision in made.decisions()] == [list(made.sent.values())[2].visit_id]
    assert [problem for problem in ada.problems if "409" not in problem] == []


def test_where_visits_come_by_scan_alone_none_comes_by_itself(made: Rig, link: str, browser: Browser) -> None:
    for number in (1, 2):
        made.open_slot(number, size=96)
    ada = Person(browser, link, "Ada", language="de")
    ada.review()
    ada.page.get_by_role("button", name="Nur Scan").click()
    ada.press("r")
    ada.page.wait_for_selector("#cover:not([hidden])")
    ada.press("Enter")
    ada.page.get_by_role("heading", name="Nächstes Teil scannen").wait_for()
    picture(ada, "scan-only")
    ada.scan("SN-7")
    ada.page.get_by_text("SN-7 gehört zu keinem Teil, das hier wartet.").wait_for()
    ada.scan("SN-000002")
    ada.ready()
    assert ada.part() == "SN-000002"
    ada.look("n")
    ada.press("n")
    ada.page.get_by_role("heading", name="Nächstes Teil scannen").wait_for()
    assert len(made.decisions()) == 1
