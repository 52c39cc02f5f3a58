"""A walk through the hour of each role at the station of a running line, looked at on three screens in two themes.

`walk` is followed by a test, and by `make pictures`, which keeps what is on the screen for docs/guides/station.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from linewarden_schemas.vocabulary import Role
from tests.browser.chromium import Person
from tests.browser.looking import barriers
from tests.support.shown_line import OPERATOR, ShownLine

SCREENS: dict[str, ViewportSize] = {
    "pc": {"width": 1366, "height": 768},
    "tablet": {"width": 1024, "height": 768},
    "phone": {"width": 390, "height": 844},
}
THEMES = ("dark", "bright")
WAIT_MS = 300_000
"""Everything runs on this machine, and it is busy."""
_WIDE = """() => document.documentElement.scrollWidth > document.documentElement.clientWidth"""
_KEYS = """() => [...document.body.innerText.matchAll(/\\b[a-z_]+\\.[a-z_]+(\\.[a-z_]+)*\\b/g)].map(([key]) => key)
    .filter((key) => key in JSON.parse(document.getElementById("texts").textContent))"""
"""Texts that were never filled in: their keys stand on the page."""


_LOWER = """() => { const level = document.querySelector('#level'); level.value = level.value * 0.8;
    level.dispatchEvent(new Event('input')); }"""
_SHOWN = """() => [...document.images]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().top < innerHeight)
    .every((one) => one.complete && one.naturalWidth > 0)"""


@dataclass(slots=True)
class Lens:
    """Looks at pages; `keep` takes a picture by its name. What is wrong with them is in `found`."""

    keep: Callable[[str, bytes], None]
    found: list[str] = field(default_factory=list)

    def look(self, page: Page, name: str, *kept: str, whole: bool = False) -> None:
        """Each screen in each theme: no barrier, nothing sticks out, nothing is cut off, no text is missing.

        `kept` are pictures to keep, each `theme-screen`; the page in its whole length where `whole`.
        """
        for theme, (screen, size) in product(THEMES, SCREENS.items()):
            page.set_viewport_size(size)
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            told = f"{name}, {theme}, {screen}"
            self.found += barriers(page, told)
            self.found += [f"{told}: {key} is no text" for key in page.evaluate(_KEYS)]
            if page.evaluate(_WIDE):
                self.found.append(f"{told}: sticks out to the side")
            if f"{theme}-{screen}" in kept:
                page.wait_for_function(_SHOWN)
                self.keep(name if len(kept) == 1 else f"{name}-{screen}", page.screenshot(full_page=whole))
        page.set_viewport_size(SCREENS["pc"])
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", THEMES[0])


def walk(browser: Browser, line: ShownLine, lens: Lens) -> None:
    """Everybody's hour, in the order in which one needs the other."""
    people = [
        ada := somebody(browser, line, Role.OPERATOR, OPERATOR),
        lea := somebody(browser, line, Role.LEAD, "Lea"),
        eve := somebody(browser, line, Role.ENGINEER, "Eve"),
        quinn := somebody(browser, line, Role.QUALITY, "Quinn"),
        aude := somebody(browser, line, Role.AUDITOR, "Aude"),
        rita := somebody(browser, line, Role.ADMIN, "Rita"),
    ]
    at_the_wall(browser, line, lens)
    at_the_review(ada, line, lens)
    administrators(rita, line, lens)
    at_a_study(ada, line, lens)
    leads(lea, ada, line, lens)
    colleague(browser, line, eve)
    engineers(eve, line, lens)
    quality(quinn, line, lens)
    auditors(aude, line, lens)
    lens.found += [f"{person.page.url}: {problem}" for person in people for problem in person.problems]


def somebody(browser: Browser, line: ShownLine, role: Role, name: str) -> Person:
    """Somebody who has signed in, and has patience."""
    return Person(browser, line.link(role), name, wait_ms=WAIT_MS)


def at_the_wall(browser: Browser, line: ShownLine, lens: Lens) -> None:
    """Without sign-in, five metres away."""
    page = browser.new_context(viewport=SCREENS["pc"], locale="en").new_page()
    page.goto(f"{line.base}/wall")
    page.wait_for_selector('.board[data-level="good"]', timeout=WAIT_MS)
    lens.look(page, "wall", "dark-pc")
    page.goto(line.link(Role.OPERATOR))
    lens.look(page, "sign-in", "bright-pc")
    page.context.close()


def at_the_review(ada: Person, line: ShownLine, lens: Lens) -> None:
    """An operator: how the line runs, what waits, a part judged, another one handed to a lead."""
    page = ada.page
    page.goto(f"{line.base}/line")
    page.wait_for_selector('.board[data-level="good"] .tile-part img')
    lens.look(page, "line", "dark-pc", "bright-phone")
    page.goto(f"{line.base}/")
    page.wait_for_selector("#ready tr")
    lens.look(page, "queue", "bright-pc")
    ada.review()
    while not (line.defective(ada.part()) and line.shows_well(ada.part())):
        decide_as_it_is(ada, line)
        next_part(ada)
    lens.look(page, "review-plain", "dark-pc")
    ada.look("n")
    ada.press("h")
    page.wait_for_selector(".plane canvas:not([hidden]):not(.drawn)")
    lens.look(page, "review-told", "dark-pc", "bright-phone")
    ada.press("c")
    page.locator("#compare-pictures img").wait_for()
    lens.look(page, "review-compare", "bright-pc")
    ada.press("F1")
    lens.look(page, "review-keys", "dark-pc")
    ada.press("Escape")
    ada.press("c")
    last_word(ada, "n")
    next_part(ada)
    ada.look("?")
    page.select_option("#unsure-because", "limit")
    page.fill("#comment", "faint line beside the hole")
    lens.look(page, "review-unsure", "bright-pc")
    page.keyboard.press("Enter")
    last_word(ada, "?")


def at_a_study(ada: Person, line: ShownLine, lens: Lens) -> None:
    """Parts of a study of the measurement system."""
    ada.page.goto(f"{line.base}/study")
    ada.page.wait_for_selector('#study[data-state="ready"]')
    lens.look(ada.page, "study", "bright-pc")


def leads(lea: Person, ada: Person, line: ShownLine, lens: Lens) -> None:
    """The inbox, a lock with its alarm, the shift, and the bin."""
    page = lea.page
    page.goto(f"{line.base}/")
    page.locator("#dead").get_by_text(OPERATOR).wait_for()
    lens.look(page, "inbox", "dark-pc")
    page.click("#dead a")
    page.wait_for_url("**/review")
    lea.ready()
    lea.look("n")
    page.locator("#reasons").get_by_text("faint line beside the hole").wait_for()
    lens.look(page, "handed-over", "dark-pc")
    lea.press("n")
    page.goto(f"{line.base}/line/acts")
    acts = page.locator("[data-line=line1]")
    acts.get_by_label("Why").first.fill("oil on the lens")
    acts.get_by_role("button", name="Lock", exact=True).click()
    _says(acts.locator(".locks"), "oil on the lens")
    lens.look(page, "line-acts", "dark-pc", "bright-phone")
    know_of_the_lock(ada, line, lens)
    lift = acts.locator("form[data-act=unlock]")
    lift.get_by_label("Why").fill("cleaned")
    lift.get_by_role("button").click()
    expect(acts.locator(".locks")).to_have_count(0, timeout=WAIT_MS)
    acts.get_by_role("button", name="Production").click()
    expect(acts.locator(".word")).to_have_text("passes parts", timeout=WAIT_MS)
    shift(lea, line, lens)


def know_of_the_lock(ada: Person, line: ShownLine, lens: Lens) -> None:
    """What the lock looks like to everybody else."""
    page = ada.page
    page.goto(f"{line.base}/alarms")
    card = page.locator('[data-alarm="line1.line_locked"]')
    card.wait_for()
    lens.look(page, "alarms", "dark-pc", "bright-phone")
    card.get_by_role("button", name="Acknowledge").click()
    _says(card, f"acknowledged by {OPERATOR}")
    page.goto(f"{line.base}/line")
    page.wait_for_selector('.board:not([data-level="good"])')
    lens.look(page, "line-locked", "bright-pc")


def shift(lea: Person, line: ShownLine, lens: Lens) -> None:
    """The shift's report and the count of the bin."""
    page = lea.page
    page.goto(f"{line.base}/shift")
    page.check("[name=simulated]")
    page.locator("#waiting").get_by_text("line1").wait_for()
    page.fill("[name=counted]", "3")
    page.locator("#bin button").click()
    page.locator("#counts .chip").wait_for()
    page.locator("#span button").click()
    page.locator("#made svg").first.wait_for()
    lens.look(page, "shift", "bright-pc", whole=True)


def colleague(browser: Browser, line: ShownLine, eve: Person) -> None:
    """Ben judges what waits, as it is, until the page of trust has enough answers to say something."""
    ben = somebody(browser, line, Role.OPERATOR, "Ben")
    ben.press("Enter")
    ben.page.wait_for_url("**/review")
    for number in range(1, 121):
        next_part(ben)
        decide_as_it_is(ben, line)
        if number % 10 == 0:
            eve.page.goto(f"{line.base}/trust")
            if eve.page.locator("polyline").count() and eve.page.locator("circle.dot").count():
                break
    ben.context.close()


def engineers(eve: Person, line: ShownLine, lens: Lens) -> None:
    """What trust is worth on this line, and another threshold drafted."""
    page = eve.page
    page.goto(f"{line.base}/trust")
    expect(page.locator("polyline")).to_have_count(2, timeout=WAIT_MS)
    lens.look(page, "trust", "bright-pc", whole=True)
    page.goto(f"{line.base}/thresholds")
    page.locator("#figures td").first.wait_for()
    page.evaluate(_LOWER)
    page.wait_for_selector("#save:not([disabled])")
    page.locator("#thumbs img").first.wait_for()
    lens.look(page, "thresholds", "dark-pc", whole=True)
    page.click("#save")
    page.get_by_text("waits for somebody else").wait_for()


def quality(quinn: Person, line: ShownLine, lens: Lens) -> None:
    """A draft approved; parts as pictures, and the story of one."""
    page = quinn.page
    page.goto(f"{line.base}/thresholds")
    page.get_by_role("button", name="Approve").click()
    page.fill("#reason", "fewer misses, agreed with the line")
    lens.look(page, "approve", "bright-pc")
    page.get_by_role("button", name="Do it").click()
    page.locator("#drafts").get_by_text("approved by Quinn").wait_for()
    page.goto(f"{line.base}/pictures?standing=ng")
    page.locator(".card img").first.wait_for()
    lens.look(page, "pictures", "dark-pc", "bright-phone")
    page.goto(f"{line.base}/pictures?cause=low_trust&standing=ng")
    page.locator(".card a").first.click()
    page.wait_for_selector(".story-view img.shot")
    page.locator('[data-layer="specific"]').first.click()
    page.wait_for_selector("canvas.heat:not([hidden])")
    lens.look(page, "part", "dark-pc", whole=True)


def auditors(aude: Person, line: ShownLine, lens: Lens) -> None:
    """Decisions, and acts at the station."""
    page = aude.page
    page.goto(f"{line.base}/history")
    page.locator("#rows").get_by_text("judge").first.wait_for()
    lens.look(page, "history", "bright-pc")
    page.get_by_text("Acts at the station").click()
    page.locator("#rows").get_by_text("sign-in").first.wait_for()
    lens.look(page, "log", "dark-pc")


def administrators(rita: Person, line: ShownLine, lens: Lens) -> None:
    """An account is made for somebody who has learnt something."""
    page = rita.page
    page.goto(f"{line.base}/users")
    for name, role in (("Cleo", Role.OPERATOR), ("Max", Role.LEAD)):
        page.fill("#add [name=name]", name)
        page.select_option("#add [name=role]", role)
        page.fill("#add [name=password]", "made up for a picture")
        page.click("#add button")
        page.locator("#users").get_by_text(name).wait_for()
    skills = page.get_by_role("textbox", name="Skills of Cleo")
    skills.fill("surface")
    with page.expect_response("**/api/users/Cleo/skills"):
        skills.press("Tab")
    lens.look(page, "users", "dark-pc")


def decide_as_it_is(person: Person, line: ShownLine) -> None:
    """Judge the part in hand by its truth."""
    person.decide("n" if line.defective(person.part()) else "o")


def last_word(person: Person, key: str) -> None:
    """Say it of a part that was looked at, and wait until it is gone."""
    before = person.part()
    person.press(key)
    person.page.wait_for_function("before => document.querySelector('#part').textContent !== before", arg=before)


def next_part(person: Person) -> None:
    """Wait until a part is in hand; the next one opens by itself."""
    person.page.wait_for_selector('#review[data-state="ready"]')


def _says(where: Locator, text: str) -> None:
    expect(where).to_contain_text(text, timeout=WAIT_MS)
