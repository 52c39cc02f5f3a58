"""What is on the screen: overlays, comparison, drawing, keys, languages, themes; nobody is shut out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser

from linewarden_domain.study_sheet import FILE, SheetRow, as_text, parse
from linewarden_reinspect.queue.types import SlotStatus
from linewarden_reinspect.station.studies import Studies
from linewarden_schemas.vocabulary import Judgement
from linewarden_vision.synthetic.part import make_part
from tests.browser.chromium import CHROMIUM, Person
from tests.browser.looking import barriers, picture
from tests.unit.reinspect.rig import Rig, operator_link, route, serving
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


def test_the_visit_fits_a_small_screen_without_scrolling(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(2, size=512)
    for number in range(3, 9):
        made.open_slot(number, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    picture(ada, "plain")
    ada.look("n")
    ada.press("m")
    ada.press("h")
    ada.page.wait_for_selector(".plane canvas:not([hidden]):not(.drawn)")
    assert ada.page.evaluate("() => document.documentElement.scrollHeight > innerHeight") is False
    legend = [one.bounding_box() for one in ada.page.locator("#legend figcaption span").all()]
    assert all(a and b and a["x"] + a["width"] < b["x"] for a, b in pairwise(legend)), "its words overlap"
    buttons = ada.page.locator("[data-judge], #undo, #release, #skip").all()
    assert all((box := one.bounding_box()) is not None and box["y"] + box["height"] <= 768 for one in buttons)
    picture(ada, "told")
    assert ada.problems == []


def test_a_drawn_mask_and_a_class_go_with_a_reject(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=256, views=1)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.look("n")
    ada.page.locator('#defect-class option[value="scratch"]').wait_for(state="attached")
    ada.press("k")
    ada.press("d")
    draw(ada, 0.3, 0.7)
    draw(ada, 0.2, 0.4)
    ada.press("z")
    picture(ada, "drawing")
    ada.press("n")
    ada.page.get_by_text("Nothing waits for you").wait_for()
    (decision,) = made.decisions()
    mask = cv2.imdecode(np.frombuffer(decision.marks[0].mask_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decision.defect_class == "scratch"
    assert mask is not None
    assert mask.shape == (256, 256)
    assert (mask[:, 240:] == 0).all()
    assert mask[128, 128] == 255


def test_beside_the_picture_stand_golden_ones_limit_samples_and_neighbours(
    made: Rig, link: str, browser: Browser
) -> None:
    made.open_slot(1, size=96)
    made.open_slot(2, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.press("c")
    ada.page.locator("#compare-pictures img").wait_for()
    ada.press("v")
    ada.page.get_by_text("scratch: worst acceptable").wait_for()
    ada.page.get_by_text("scratch 0.80 ± 0.10 mm long, 0.30 ± 0.05 mm²: within the recipe's limits").wait_for()
    ada.page.get_by_text("not measured: run linewarden recipe measure").wait_for()
    ada.press("v")
    ada.page.get_by_text("Neighbours are shown after your first answer.").wait_for()
    ada.look("n")
    ada.page.get_by_text("after this one").wait_for()
    picture(ada, "neighbours")
    assert ada.problems == []


def test_a_key_is_bound_anew_and_kept(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.press("F1")
    ada.page.click('[data-act="reject"] button')
    ada.press("o")
    ada.page.get_by_text("O is the key of “Accept the part” already.").wait_for()
    ada.page.click('[data-act="reject"] button')
    ada.press("x")
    picture(ada, "keys")
    ada.press("Escape")
    ada.page.reload()
    ada.ready()
    ada.decide("x")
    assert [decision.judgement for decision in made.decisions()] == [Judgement.NG]


def test_zoom_moves_and_comes_back_by_keys(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    for key, told in (("+", "%"), ("0", "Fit"), ("1", "100 %")):
        ada.press(key)
        assert told in ada.page.inner_text("#zoom")


def test_a_break_is_offered_after_a_time_on_task(made: Rig, browser: Browser) -> None:
    made.station = replace(made.station, break_after_s=1e-6)
    for number in (1, 2, 3):
        made.open_slot(number, size=96)
    with serving(made, route(made)) as base:
        ada = Person(browser, operator_link(base), "Ada")
        ada.review()
        ada.decide("n")
        ada.page.locator("#rest-dialog").get_by_text("Time for a break").wait_for()
        picture(ada, "break")
        ada.page.click("#rest-go")
        ada.page.get_by_text("Enjoy your break").wait_for()
        assert {one.holder for one in made.queue.summary().slots if one.state is SlotStatus.LEASED} == set()


@pytest.mark.parametrize(
    ("theme", "width", "height", "language"),
    [("dark", 1366, 768, "en"), ("bright", 768, 1024, "de")],
    ids=["line PC, dark, English", "tablet, bright, German"],
)
def test_no_page_has_a_serious_barrier(
    made: Rig, link: str, browser: Browser, theme: str, width: int, height: int, language: str
) -> None:
    made.open_slot(1, size=256)
    made.open_slot(2, size=96)
    name = f"{language}-{theme}-{width}"
    ada = Person(browser, link, "Ada", width=width, height=height, language=language)
    ada.page.evaluate("theme => localStorage.setItem('linewarden-theme', theme)", theme)
    ada.page.reload()
    ada.page.wait_for_selector(".line")
    found = seen(ada, f"{name}-queue")
    ada.review()
    ada.press("c")
    found += seen(ada, f"{name}-plain")
    ada.look("n")
    ada.page.locator("#overlays").wait_for()
    found += seen(ada, f"{name}-told")
    ada.press("F1")
    found += seen(ada, f"{name}-keys")
    assert found == []
    assert ada.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert ada.problems == []


@pytest.mark.parametrize("theme", ["dark", "bright"])
def test_a_study_is_judged_by_keys_with_a_break_between_its_rounds(
    made: Rig, browser: Browser, tmp_path: Path, theme: str
) -> None:
    for number in (1, 2):
        folder = tmp_path / f"studies/S1/Ada/round{number}"
        folder.mkdir(parents=True)
        (folder / FILE).write_text(as_text([SheetRow("1001", "1001.png")]))
        cv2.imwrite(str(folder / "1001.png"), make_part(seed=900, views=1, size=256, defect_rate=1.0).views[0].picture)
    made.station = replace(made.station, studies=Studies(tmp_path / "studies"))
    with serving(made, route(made)) as base:
        ada = Person(browser, operator_link(base), "Ada")
        ada.page.evaluate("theme => localStorage.setItem('linewarden-theme', theme)", theme)
        ada.page.click('nav a[href="/study"]')
        ada.page.wait_for_selector('#study[data-state="ready"]')
        found = seen(ada, f"study-{theme}")
        ada.press("n")
        ada.page.get_by_text("Round 1 is done").wait_for()
        found += seen(ada, f"study-break-{theme}")
        ada.press("Enter")
        ada.page.wait_for_selector('#study[data-state="ready"]')
        ada.press("?")
        ada.page.get_by_role("alertdialog").get_by_text("The study is done").wait_for()
        found += seen(ada, f"study-done-{theme}")
        assert found == []
        assert ada.problems == []
    answers = [parse((tmp_path / f"studies/S1/Ada/round{n}" / FILE).read_text())[0].answer for n in (1, 2)]
    assert answers == [Judgement.NG, Judgement.UNSURE]


def seen(person: Person, name: str) -> list[str]:
    """What axe-core finds on the screen, with a picture of it."""
    picture(person, name)
    return barriers(person.page, name)


def draw(person: Person, start: float, end: float) -> None:
    """A stroke over the middle of the view, by shares of its picture's width."""
    box = person.page.locator(".tile img").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    person.page.mouse.move(box["x"] + start * box["width"], y)
    person.page.mouse.down()
    person.page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    person.page.mouse.up()
