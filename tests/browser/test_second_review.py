"""A blind second review and its tie-break, in a real browser, with the real route answering every decision."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Browser

from linewarden_runtime.ports import TopicSpec
from linewarden_schemas.disposition import SlotClose
from linewarden_schemas.topics import CO_PARTITIONED
from linewarden_schemas.vocabulary import CloseReason, Judgement, Outcome
from tests.browser.chromium import CHROMIUM, Person
from tests.browser.looking import picture
from tests.support.processes import wait_for
from tests.support.route_line import RouteLine
from tests.unit.reinspect.pictures import evidence
from tests.unit.reinspect.rig import LEAD_LINK, TOPICS, Rig, operator_link, serving
from tests.unit.reinspect.slots import PARTITIONS
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = [
    UNCLOSED,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


def real_line(made: Rig) -> RouteLine:
    """A line that asks two people, and a third where they differ."""
    with made.broker.admin() as admin:
        names = {*CO_PARTITIONED, "dead-letters"} - {*TOPICS}
        admin.create_topics(TopicSpec(made.topic(name), PARTITIONS) for name in sorted(names))
    rules = {"reviews_required": 2, "undo_window_ms": 1000, "ng_outcome": Outcome.REWORK}
    return RouteLine(
        made.broker, made.namespace.name, PARTITIONS, has_topics=True, review=rules, time={"max_skew_ms": 60_000}
    )


def routing(line: RouteLine) -> Callable[[threading.Event], None]:
    """The real route, turned by a thread of its own."""
    member = line.router()

    def run(stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                member.step()
        finally:
            member.close()

    return run


def divert(made: Rig, line: RouteLine, visit: str) -> None:
    """A visit of two views that the machine doubts, with its pictures."""
    for index, view in enumerate(("top", "side")):
        kept = evidence(visit, f"{visit}.{view}", view, 1, index, size=96)
        made.send_evidence(kept)
        times = {"decide_in_ms": 120_000}
        line.capture(visit, view, sha256=kept.sha256, part_id="SN-000001", **times)
        line.inspect(visit, view, frame_sha256=kept.sha256, suspicion=0.9, **times)


def test_two_people_judge_blind_to_each_other_and_a_third_settles_it(made: Rig, browser: Browser) -> None:
    line = real_line(made)
    made.station = replace(made.station, recipe=lambda _: line.recipe)
    with serving(made, routing(line)) as base:
        divert(made, line, "v1")
        ada, bob = (Person(browser, operator_link(base), name) for name in ("Ada", "Bob"))
        ada.review()
        ada.decide("n")
        ada.page.get_by_text("Nothing waits for you").wait_for()
        bob.review()
        assert (bob.part(), bob.page.is_hidden("#why")) == ("SN-000001", True)
        assert "Ada" not in bob.page.inner_text("main")
        picture(bob, "second-review")
        bob.decide("o")
        bob.page.get_by_text("Nothing waits for you").wait_for()
        lea = Person(browser, operator_link(base, LEAD_LINK), "Lea")
        lea.review()
        assert lea.page.is_hidden("#why")
        lea.decide("n")
        wait_for(lambda: any(one.final for one in line.dispositions("v1")), "route has settled it", 60.0)
    said = [(one.actor, one.judgement, one.blind) for one in made.decisions()]
    assert said == [("Ada", Judgement.NG, True), ("Bob", Judgement.OK, True), ("Lea", Judgement.NG, True)]
    (final,) = (one for one in line.dispositions("v1") if one.final)
    assert (final.outcome, final.actors) == (Outcome.REWORK, ("Ada", "Bob", "Lea"))
    closes = [one.reason for one in line.slots() if isinstance(one, SlotClose)]
    assert closes == [CloseReason.DECIDED] * 3
