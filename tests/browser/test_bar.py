"""The bar of every page: all its links can be read and reached, whoever has signed in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from linewarden_schemas.vocabulary import Role
from tests.browser.chromium import CHROMIUM, Person
from tests.browser.looking import picture
from tests.unit.reinspect.rig import LINKS, Rig, operator_link
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
HIDDEN = """() => { const nav = document.querySelector('.bar nav').getBoundingClientRect();
    return [...document.querySelectorAll('.bar nav a')].filter((one) => { const box = one.getBoundingClientRect();
        return box.right > nav.right + 1 || box.left < nav.left - 1; }).map((one) => one.textContent.trim()); }"""


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("role", [Role.LEAD, Role.QUALITY])
def test_no_link_is_cut_off_and_on_a_phone_the_page_that_is_open_is_in_sight(
    made: Rig, link: str, browser: Browser, role: Role, language: str
) -> None:
    base = link.split("/sign-in", maxsplit=1)[0]
    key = next(key for key, good_for in LINKS.items() if good_for is role)
    lea = Person(browser, operator_link(base, str(key)), "Lea", language=language)
    lea.page.goto(base + str(lea.page.locator(".bar nav a").last.get_attribute("href")))
    cut_off = {}
    for width, height in ((1366, 768), (1024, 768)):
        lea.page.set_viewport_size({"width": width, "height": height})
        picture(lea, f"bar-{role}-{language}-{width}")
        cut_off[width] = lea.page.evaluate(HIDDEN)
    assert cut_off == {1366: [], 1024: []}
    lea.page.set_viewport_size({"width": 390, "height": 844})
    lea.page.reload()
    lea.page.wait_for_selector(".bar nav a[aria-current]")
    picture(lea, f"bar-{role}-{language}-390")
    open_page = lea.page.locator(".bar nav a[aria-current]")
    assert open_page.inner_text().split()[0] not in lea.page.evaluate(HIDDEN)
