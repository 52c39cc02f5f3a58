"""What a person sees from the first answer to the next part: where to look, what stays put, what comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser

from linewarden_reinspect.bootstrap import sign_in_link
from linewarden_schemas.disposition import Handover
from linewarden_schemas.recipe import ReviewRules
from linewarden_schemas.vocabulary import Act, Judgement, Role, Skill
from tests.browser.chromium import CHROMIUM, Person
from tests.browser.conftest import RECIPE
from tests.browser.looking import picture
from tests.unit.reinspect.rig import LEAD_LINK, VIEWS, Rig, operator_link, route, serving
from tests.unit.reinspect.slots import opened
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
WINDOW_MS = 120_000
SIZES = [(1366, 768), (1024, 768), (390, 844)]

_PLACES = """() => Object.fromEntries([
    ...[...document.querySelectorAll('.side button, .side select, .side input, .tools button, .step, details, #part')]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }))
        .map((one) => [one.id || one.dataset.judge || one.dataset.zoom || one.className, one]),
    ...[...document.querySelectorAll('.tile')]
        .sort((one, other) => Number(getComputedStyle(one).order) - Number(getComputedStyle(other).order))
        .map((one, at) => [`place ${at}`, one]),
].map(([name, one]) => [name, [one.offsetLeft, one.offsetTop, one.offsetWidth, one.offsetHeight].join(' ')]))"""

_OVERLAPS = """([one, others]) => {
    const box = document.querySelector(one).getBoundingClientRect();
    return [...document.querySelectorAll(others)].some((other) => {
        const it = other.getBoundingClientRect();
        return box.left < it.right && it.left < box.right && box.top < it.bottom && it.top < box.bottom;
    });
}"""


def doubted(made: Rig, number: int, view: int, **more: Any) -> None:
    """A visit of which one view is the most suspicious."""
    slot = made.open_slot(number, size=256, with_evidence=False)
    scores = {"suspicion": 0.9, "p_defect": 0.3, "doubtful": True}
    frames = tuple(one.model_copy(update=scores) if at == view else one for at, one in enumerate(slot.frames))
    made.send_slot(slot.model_copy(update={"frames": frames} | more))
    for index in range(len(VIEWS)):
        made.send_evidence(made.picture(slot.visit_id, number, index, 256))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_after_the_blind_answer_the_doubted_view_comes_first_and_no_part_of_the_page_moves(
    made: Rig, link: str, browser: Browser, width: int, height: int
) -> None:
    doubted(made, 1, view=2)
    ada = Person(browser, link, "Ada", width=width, height=height)
    ada.review()
    assert ada.page.get_attribute(".tile[data-first]", "aria-label") == "View top"
    before = ada.page.evaluate(_PLACES)
    ada.look("n")
    ada.page.locator(".tile[data-marked] .spot").wait_for()
    picture(ada, f"marked-{width}")
    after = ada.page.evaluate(_PLACES)
    assert {name: after[name] for name in before} == before
    assert ada.page.get_attribute(".tile[data-first]", "aria-label") == "View face"
    assert ada.page.locator(".tile[data-marked]").count() == 1
    assert ada.page.inner_text("#why") == "Possible missed defect in view face, marked. Look closely."
    assert "network: OK" not in ada.page.inner_text("main")
    assert ada.page.is_hidden("#figures dl")
    ada.page.click("#figures summary")
    assert "0.70" in ada.page.inner_text("#figures")
    assert ada.problems == []


def test_the_marked_place_lies_on_the_defect_and_is_framed_as_strongly_where_the_heat_is_faint(
    made: Rig, link: str, browser: Browser
) -> None:
    doubted(made, 2, view=0)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.look("n")
    ada.page.locator(".tile[data-marked] .spot").wait_for()
    spot = """([scale]) => import('/static/js/spot.js').then(({ spotOf }) => {
        const levels = new Uint8Array(400);
        for (const at of [210, 211, 230, 231]) levels[at] = 250 * scale;
        for (const at of [30, 31]) levels[at] = 60 * scale;
        return spotOf({ width: 20, height: 20, levels });
    })"""
    strong, faint = ada.page.evaluate(spot, [1]), ada.page.evaluate(spot, [0.06])
    for side in ("left", "top", "width", "height"):
        assert strong[side] == pytest.approx(faint[side])
    assert strong["left"] < 0.5 < strong["left"] + strong["width"]
    assert strong["top"] < 0.55 < strong["top"] + strong["height"]
    assert strong["width"] < 0.5
    assert faint["peak"] < 0.1 < strong["peak"]


def test_an_undo_counts_from_the_decision_and_brings_the_part_back(made: Rig, browser: Browser) -> None:
    slow = RECIPE.model_copy(update={"review": ReviewRules(undo_window_ms=WINDOW_MS)})
    made.station = replace(made.station, recipe=lambda _: slow)
    for number in range(1, 5):
        made.open_slot(number, size=96)
    with serving(made, route(made)) as base:
        undone(made, Person(browser, operator_link(base), "Ada"))


def undone(made: Rig, ada: Person) -> None:
    ada.review()
    ada.page.wait_for_selector('#review[data-ahead="here"]')
    # The visit that is taken ahead grows old: its clock must not be believed later.
    ada.page.wait_for_function("since => Date.now() - since > 3000", arg=ada.page.evaluate("() => Date.now()"))
    first = ada.part()
    ada.decide("n")
    ada.ready()
    second = ada.part()
    until_ms = made.decisions()[0].decided_ms + WINDOW_MS
    told, now_ms = ada.page.evaluate("() => [document.querySelector('#undo-left').textContent, Date.now()]")
    assert int(told.split()[0]) == pytest.approx((until_ms - now_ms) / 1000, abs=1.6)
    ada.look("o")
    ada.press("u")
    ada.page.wait_for_function("part => document.querySelector('#part').textContent === part", arg=first)
    ada.ready()
    assert "not blind" in ada.page.inner_text("#step")
    assert [one.act for one in made.decisions()] == [Act.JUDGE, Act.UNDO]
    ada.press("o")
    ada.page.wait_for_function("part => document.querySelector('#part').textContent === part", arg=second)
    ada.ready()
    assert ada.page.get_attribute("#review", "data-step") == "last", "what was said of it is kept"
    assert ada.problems == []


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_what_is_told_for_a_moment_covers_no_picture(
    made: Rig, link: str, browser: Browser, width: int, height: int
) -> None:
    made.open_slot(1, size=96)
    made.open_slot(2, size=96)
    ada = Person(browser, link, "Ada", width=width, height=height)
    ada.review()
    ada.decide("n")
    ada.page.locator("#toast[data-on]").wait_for()
    assert not ada.page.evaluate(_OVERLAPS, ["#toast", ".tile" if width > 600 else "#nothing"])


def test_a_locked_key_says_why(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96, missing_views=("back",))
    ada = Person(browser, link, "Ada")
    ada.press("Enter")
    ada.page.wait_for_selector('#review[data-state="waiting"] .tile img')
    for key, words in (
        ("o", "No picture of back: accepting is locked."),
        ("m", "Mask and heatmap open after your first answer."),
        ("u", "There is nothing to undo any more."),
    ):
        ada.press(key)
        ada.page.locator("#toast[data-on]", has_text=words).wait_for()
    ada.page.click('[data-judge="OK"]', force=True)
    ada.page.locator("#toast[data-on]", has_text="No picture of back").wait_for()
    assert made.decisions() == []


def test_an_escalation_is_handed_over_with_its_note_and_a_lead_sends_it_back(
    made: Rig, link: str, browser: Browser
) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.look("?")
    ada.page.select_option("#unsure-because", "limit")
    ada.page.fill("#comment", "faint line near the hole")
    ada.page.keyboard.press("Enter")
    ada.press("?")
    ada.page.get_by_text("Nothing waits for you").wait_for()
    (handed,) = made.decisions()
    assert (handed.judgement, handed.unsure_because, handed.comment) == (
        Judgement.UNSURE,
        "limit",
        "faint line near the hole",
    )
    ada.page.goto(link.split("/sign-in", maxsplit=1)[0])
    note = Handover(
        actor="Ada", role=Role.OPERATOR, at_ms=made.clock.now_ms(), reason="limit", note="faint line near the hole"
    )
    made.open_slot(2, size=96, skill=Skill.LEAD, handover=note)
    made.open_slot(3, size=96)
    lea = Person(browser, operator_link(link.split("/sign-in", maxsplit=1)[0], LEAD_LINK), "Lea")
    lea.page.locator("#dead").get_by_text("SN-000002").wait_for()
    assert (lea.page.inner_text("#inbox-count"), lea.page.inner_text("#bar-inbox").strip()[-1]) == ("1", "1")
    assert "Ada" in lea.page.inner_text("#dead")
    assert "faint line" not in lea.page.content()
    ada.page.locator("#ready").get_by_text("SN-000003").wait_for()
    assert "SN-000002" not in ada.page.inner_text("main")
    lea.page.click("#dead a")
    lea.page.wait_for_url("**/review")
    lea.ready()
    assert lea.part() == "SN-000002"
    assert "from Ada (operator)" in lea.page.inner_text("#ident")
    assert "faint line" not in lea.page.inner_text("main"), "the lead is blind at first too"
    lea.look("o")
    assert "Ada: at the limit, “faint line near the hole”" in lea.page.inner_text("#reasons")
    picture(lea, "handed-over")
    lea.page.fill("#comment", "that is within the limit sample")
    lea.page.keyboard.press("Enter")
    lea.page.get_by_role("button", name="Unsure: back to operators").click()
    lea.page.wait_for_function("() => document.querySelector('#part').textContent !== 'SN-000002'")
    back = made.decisions()[-1]
    assert (back.judgement, back.hand_to, back.comment) == (
        Judgement.UNSURE,
        Skill.OPERATOR,
        "that is within the limit sample",
    )
    assert ada.problems == lea.problems == []


def test_the_golden_picture_of_this_view_is_zoomed_and_moved_with_it(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=256)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.press("c")
    ada.page.locator(".twin img").wait_for()
    shown = "() => document.querySelector('.twin img').src"
    places = """() => ['.tile[data-active] .plane', '.twin img'].map((which) => {
        const { width } = document.querySelector(which).getBoundingClientRect();
        return [which, width / (which.includes('plane') ? document.querySelector('.tile[data-active]').clientWidth
            : document.querySelector('.twin').clientWidth)];
    })"""
    assert "top.png" in ada.page.evaluate(shown)
    fit = ada.page.evaluate(places)
    for _ in range(3):
        ada.press("+")
    zoomed = ada.page.evaluate(places)
    grown = [after[1] / before[1] for before, after in zip(fit, zoomed, strict=True)]
    assert grown[0] == pytest.approx(grown[1], rel=0.02)
    assert grown[0] > 2
    before = ada.page.locator(".twin img").evaluate("one => one.style.transform")
    ada.press("Shift+ArrowLeft")
    assert ada.page.locator(".twin img").evaluate("one => one.style.transform") != before
    ada.press("ArrowRight")
    ada.page.wait_for_function("() => document.querySelector('.twin img').src.includes('side.png')")
    assert ada.page.locator("#compare-pictures img").count() == 1
    assert ada.problems == []


def test_one_part_has_one_name_on_every_page_and_counts_are_counts(made: Rig, link: str, browser: Browser) -> None:
    for number in range(1, 71):
        made.send_slot(opened(number, part_id=f"SN-{number:06d}"))
    ada = Person(browser, link, "Ada")
    ada.page.locator("#ready").get_by_text("and 62 more").wait_for()
    assert ada.page.inner_text("#headline") == "70 parts wait."
    assert ada.page.inner_text("#ready tr td") == "SN-000001"
    ada.press("Enter")
    ada.page.wait_for_url("**/review")
    ada.page.locator("#part", has_text="SN-000001").wait_for()


def test_a_session_that_ended_says_so_and_leads_back_to_the_page(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    sessions = made.station.access.sessions
    sessions.end(sessions.find(ada.context.cookies()[0]["value"]))
    ada.page.wait_for_url("**/sign-in?**", timeout=30_000)
    ada.page.get_by_text("Your session has ended.").wait_for()
    picture(ada, "session-over")
    ada.page.fill("#name", "Ada")
    ada.page.keyboard.press("Enter")
    ada.page.wait_for_url("**/review", timeout=30_000)


def test_the_station_is_called_away_only_while_it_is(made: Rig, link: str, browser: Browser) -> None:
    ada = Person(browser, link, "Ada")
    ada.page.locator("#live").get_by_text("live").wait_for()
    made.station.stop.set()  # streams end, and the station still answers
    ada.page.locator('#live[data-state="wait"]').wait_for()
    made.station.stop.clear()
    ada.page.locator('#live[data-state="on"]').wait_for(timeout=30_000)
    ada.context.set_offline(True)
    made.station.stop.set()
    ada.page.locator("#live").get_by_text("station away").wait_for(timeout=30_000)
    made.station.stop.clear()


@pytest.mark.parametrize("role", list(Role))
def test_a_link_for_several_signs_in_every_role_more_than_once(
    made: Rig, link: str, browser: Browser, role: Role
) -> None:
    base = link.split("/sign-in", maxsplit=1)[0]
    for name in ("Ada", "Bob"):
        person = Person(browser, operator_link(base, f"{role.value}-link-of-the-tests"), name)
        person.page.locator(".who").get_by_text(name).wait_for()
        assert person.problems == []


def test_a_link_that_names_its_person_signs_in_by_itself_once_and_ends_on_its_page(
    made: Rig, link: str, browser: Browser
) -> None:
    made.open_slot(1, size=96)
    base, token = link.split("/sign-in#")
    page = browser.new_page()
    page.goto(sign_in_link(base, token, list(Role), name="Ada Lovelace", to="/review"))
    page.wait_for_selector('#review[data-state="ready"]')
    assert "Ada Lovelace" in page.inner_text(".who")
    page.click("#sign-out")
    page.wait_for_selector("#form")
    assert (page.input_value("#name"), page.locator("#role option").count()) == ("Ada Lovelace", len(Role))


def test_a_wrong_link_that_names_its_person_is_tried_once(link: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(sign_in_link(link.split("/sign-in", maxsplit=1)[0], "nobody-made-it", list(Role), name="Ada"))
    page.get_by_text("This link is wrong, too old, or was used up.").wait_for()
    assert page.url.endswith("/sign-in")


def test_a_wrong_link_says_how_to_get_a_right_one(made: Rig, link: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{link.split('#', maxsplit=1)[0]}#a-link-that-nobody-made~all")
    page.fill("#name", "Ada")
    page.keyboard.press("Enter")
    page.get_by_text("This link is wrong, too old, or was used up.").wait_for()
    page.goto(link)
    page.wait_for_selector("#password-row", state="hidden")
    page.fill("#name", "Ada")
    page.keyboard.press("Enter")
    page.wait_for_url("**/line")


def test_on_a_phone_there_is_one_column_and_the_reason_is_in_sight(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=256)
    ada = Person(browser, link, "Ada", width=390, height=844, language="de")
    ada.review()
    ada.look("n")
    lefts = ada.page.evaluate("() => [...document.querySelectorAll('.tile')].map((one) => one.offsetLeft)")
    assert len(set(lefts)) == 1
    assert ada.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    for what in ("#why", '[data-judge="OK"]', '[data-judge="NG"]'):
        box = ada.page.locator(what).bounding_box()
        assert box is not None
        assert 0 <= box["y"] < box["y"] + box["height"] <= 844, what
    assert ada.page.get_by_role("button", name="Zurückgeben").count() == 1
    assert ada.page.get_by_role("button", name="Freigeben").count() == 0
