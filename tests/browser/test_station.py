"""Operators at the station, in a real browser, over a real broker and a real Redis."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from linewarden_schemas.vocabulary import Act, Judgement
from tests.browser.chromium import CHROMIUM, Person
from tests.browser.looking import picture
from tests.unit.reinspect.rig import Rig
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


def test_an_operator_works_off_twenty_visits_by_keyboard_alone(made: Rig, link: str, browser: Browser) -> None:
    for number in range(1, 21):
        made.open_slot(number, size=256)
    ada = Person(browser, link, "Ada")
    ada.page.wait_for_selector(".line")
    ada.review()
    keys = "on?oonnoo?nooonoo?on"
    for key in keys:
        ada.decide(key)
        if key is not keys[-1]:
            ada.page.wait_for_selector('#review[data-state="ready"], #cover:not([hidden])')
    ada.page.get_by_text("Nothing waits for you").wait_for()
    decisions = {decision.visit_id: decision for decision in made.decisions()}
    said = {"o": Judgement.OK, "n": Judgement.NG, "?": Judgement.UNSURE}
    assert [decisions[slot.visit_id].judgement for slot in made.sent.values()] == [said[key] for key in keys]
    assert all(len(one.covers) == 3 and one.blind and one.first_judgement for one in decisions.values())
    assert len(made.decisions()) == 20
    assert ada.problems == []


def test_two_operators_never_see_the_same_visit(made: Rig, link: str, browser: Browser) -> None:
    for number in range(1, 9):  # six are seen, and each person's page holds one more in advance
        made.open_slot(number, size=96)
    ada, bob = Person(browser, link, "Ada"), Person(browser, link, "Bob")
    ada.review()
    bob.review()
    seen = [ada.part(), bob.part()]
    for person in (ada, bob, bob, ada):
        person.decide("o")
        person.ready()
        seen.append(person.part())
    assert len(set(seen)) == len(seen) == 6


def test_who_holds_what_is_seen_by_others(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada, bob = Person(browser, link, "Ada"), Person(browser, link, "Bob")
    ada.review()
    bob.page.locator("#leased").get_by_text("Ada").wait_for()


def test_a_lease_lost_mid_decision_is_told_and_loses_nothing(made: Rig, link: str, browser: Browser) -> None:
    first = made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    lost = ada.part()
    ada.look("n")
    made.send_close(first)
    bob = Person(browser, link, "Bob")
    bob.page.get_by_text("Nobody holds a visit.").wait_for()
    ada.press("n")
    ada.page.get_by_text("This visit is no longer yours").wait_for()
    picture(ada, "lost")
    made.open_slot(2, size=96)  # only now: one that is fetched ahead would be held too
    ada.press("Enter")
    ada.ready()
    assert ada.part() != lost
    assert made.decisions() == []


def test_accepting_is_locked_until_the_pictures_are_here(made: Rig, link: str, browser: Browser) -> None:
    slot = made.open_slot(1, size=96, with_evidence=False)
    ada = Person(browser, link, "Ada")
    ada.press("Enter")
    ada.page.get_by_text("Accepting is locked").wait_for()
    ada.press("o")
    for index in range(3):
        made.send_evidence(made.picture(slot.visit_id, 1, index, 96))
    ada.ready()
    assert made.decisions() == []
    ada.decide("o")
    assert len(made.decisions()) == 1


def test_an_undo_is_open_for_a_while_that_is_counted_down(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.decide("n")
    assert re.fullmatch(r"\d+ s", ada.page.inner_text("#undo-left"))
    ada.press("u")
    ada.page.get_by_text("Undone").wait_for()
    assert [decision.act for decision in made.decisions()] == [Act.JUDGE, Act.UNDO]
    ada.page.locator("#undo:disabled").wait_for()


def test_unsure_hands_the_part_to_a_lead(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.decide("?")
    assert [decision.judgement for decision in made.decisions()] == [Judgement.UNSURE]


def test_a_changed_mind_is_recorded_with_both_answers(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    assert ada.page.is_hidden("#why")
    ada.look("o")
    assert ada.page.is_visible("#why")
    ada.press("n")
    ada.page.get_by_text("Nothing waits for you").wait_for()
    (decision,) = made.decisions()
    assert (decision.first_judgement, decision.judgement, decision.blind) == (Judgement.OK, Judgement.NG, True)


def test_without_a_network_a_decision_waits_and_is_sent_once(made: Rig, link: str, browser: Browser) -> None:
    made.open_slot(1, size=96)
    ada = Person(browser, link, "Ada")
    ada.review()
    ada.look("n")
    ada.context.set_offline(True)
    ada.press("n")
    ada.page.get_by_text("Not recorded yet").wait_for()
    picture(ada, "offline")
    assert len(ada.page.evaluate("() => JSON.parse(localStorage.getItem('linewarden-outbox'))")) == 1
    assert made.decisions() == []
    ada.context.set_offline(False)
    ada.page.get_by_text("Nothing waits for you").wait_for()
    assert [decision.judgement for decision in made.decisions()] == [Judgement.NG]
    assert ada.page.evaluate("() => localStorage.getItem('linewarden-outbox')") == "[]"
