"""What the queue promises people and the line, each rule on the model and on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Ask, Change, Claim, Claimant, SlotStatus, Standing, Terms, Why
from linewarden_runtime.clock import ManualClock
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Skill
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.redis_clock import TEST_CLOCK, RedisClock
from tests.unit.reinspect.slots import AT, opened

SLACK_MS = 600_000
HOUR_MS = 3_600_000
TERMS = Terms(lease_ms=3000, max_hold_ms=8000, max_skips=2, max_expired_leases=2)


class Hall:
    """A queue with a projector that has always caught up, and a clock that the test moves."""

    def __init__(self, queue: MemoryQueue | RedisQueue, clock: ManualClock) -> None:
        self.queue, self.clock = queue, clock
        self.offset = 0
        self.tokens = 0
        queue.wipe("topic", {0: 0})
        self.beat()

    def beat(self) -> None:
        self.queue.beat("topic", {0: self.offset}, 10**9)

    def opens(self, number: int, risk: float = 0.7, **more: Any) -> SlotOpen:
        now = self.clock.now_ms()
        times = {"opened_ms": now, "due_ms": now + round((1 - risk) * SLACK_MS), "risk": risk}
        slot = opened(number, **(times | more))
        self.project(opened_slot=slot)
        return slot

    def closes(self, slot: SlotOpen) -> None:
        self.project(closed=slot.slot_id)

    def project(self, opened_slot: SlotOpen | None = None, closed: str | None = None) -> None:
        change = Change(0, self.offset, opened_slot, closed, by="ada", why="decided")
        self.queue.apply("topic", [change], {0: self.offset})
        self.offset += 1

    def claim(self, actor: str = "ada", code: str = "", **who: Any) -> str | None:
        self.tokens += 1
        claim = self.queue.claim(Claimant(actor, **who), f"t{self.tokens}", code)
        return claim.lease.slot.slot_id if claim.lease else None

    def refusal(self, actor: str, code: str, **who: Any) -> Claim:
        self.tokens += 1
        return self.queue.claim(Claimant(actor, **who), f"t{self.tokens}", code)

    @property
    def token(self) -> str:
        return f"t{self.tokens}"

    def told(self) -> list[tuple[str, str, str]]:
        return [(one.event, one.actor, one.cause) for one in self.queue.events()]


@pytest.fixture(params=["model", "valkey"])
def hall(request: pytest.FixtureRequest) -> Iterator[Hall]:
    if request.param == "model":
        clock = ManualClock(AT)
        yield Hall(MemoryQueue(clock, TERMS), clock)
        return
    with redis.Redis.from_url(request.getfixturevalue("valkey")) as client:
        server_clock = RedisClock(client, AT)
        yield Hall(RedisQueue(client, "{line1.rq}", TERMS, TEST_CLOCK), server_clock)


def test_the_riskier_part_is_given_first(hall: Hall) -> None:
    low, high = hall.opens(1, risk=0.1), hall.opens(2, risk=0.9)
    assert [hall.claim("ada"), hall.claim("bob")] == [high.slot_id, low.slot_id]


def test_a_harmless_part_is_served_within_its_slack_however_many_risky_ones_come(hall: Hall) -> None:
    """One person, and one part of the highest risk for every one that is worked off: without ageing it would starve."""
    harmless = hall.opens(0, risk=0.0)
    for second in range(1, 700):
        risky = hall.opens(second, risk=1.0)
        given_out = hall.claim()
        if given_out == harmless.slot_id:
            break
        assert given_out == risky.slot_id
        hall.closes(risky)
        hall.clock.advance(1.0)
    waited_ms = hall.clock.now_ms() - AT
    assert waited_ms <= SLACK_MS


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 240), st.integers(0, 2)), min_size=1, max_size=40))
def test_nothing_is_overtaken_by_a_part_that_came_after_its_due_time(
    arrivals: list[tuple[float, int, int]],
) -> None:
    clock = ManualClock(AT)
    hall = Hall(MemoryQueue(clock, TERMS), clock)
    slots: dict[str, SlotOpen] = {}
    order: list[SlotOpen] = []

    def work_off(most: int) -> None:
        for _ in range(most):
            taken = hall.claim()
            if taken is None:
                return
            order.append(slots[taken])
            hall.closes(slots[taken])

    for number, (risk, pause_s, worked) in enumerate(arrivals):
        slot = hall.opens(number, risk=risk)
        slots[slot.slot_id] = slot
        work_off(worked)
        clock.advance(float(pause_s))
    work_off(len(arrivals))
    assert {slot.slot_id for slot in order} == set(slots)
    for place, slot in enumerate(order):
        assert all(earlier.opened_ms <= slot.due_ms for earlier in order[:place])


def test_a_slot_that_asks_for_a_skill_goes_to_who_has_it_or_to_a_lead(hall: Hall) -> None:
    first, second = hall.opens(1, needs="weld"), hall.opens(2, needs="weld")
    assert hall.claim("ada") is None
    assert hall.claim("ada", skills=("paint",)) is None
    assert hall.claim("bob", skills=("paint", "weld")) == first.slot_id
    assert hall.claim("lea", lead=True) == second.slot_id


def test_a_name_of_a_line_is_no_skill(hall: Hall) -> None:
    hall.opens(1, needs="line1")
    assert hall.claim("ada", lines=("line1",)) is None


def test_a_skipped_part_is_not_offered_to_who_skipped_it_for_a_while_but_may_be_scanned(hall: Hall) -> None:
    slot = hall.opens(1, part_id="SN-1")
    assert hall.claim("ada") == slot.slot_id
    hall.queue.skip(slot.slot_id, hall.token)
    assert hall.claim("ada") is None
    assert hall.claim("ada", "SN-1") == slot.slot_id
    hall.queue.release(slot.slot_id, hall.token)
    assert hall.claim("bob") == slot.slot_id
    hall.queue.release(slot.slot_id, hall.token)
    hall.clock.advance(TERMS.skip_ms / 1000)
    assert hall.claim("ada") == slot.slot_id


def test_what_ran_out_is_given_to_the_next_who_asks(hall: Hall) -> None:
    slot = hall.opens(1)
    assert hall.claim("ada") == slot.slot_id
    hall.clock.advance(3.0)
    assert hall.claim("bob") == slot.slot_id


def test_behind_any_number_of_parts_that_somebody_may_not_take_is_one_that_they_may(hall: Hall) -> None:
    for number in range(100):
        hall.opens(number, excluded_actors=("ada",))
    mine = hall.opens(100, risk=0.0)
    assert hall.claim("ada") == mine.slot_id


@pytest.mark.parametrize("skill", [1, 2])
@pytest.mark.parametrize("due_ms", [(5, 5), (5, 9), (9, 5)])
def test_over_all_skills_the_earliest_is_given_and_of_two_at_once_the_first(
    hall: Hall, skill: int, due_ms: tuple[int, int]
) -> None:
    slots = [
        hall.opens(number, due_ms=AT + due, needs="weld" if number == skill else None)
        for number, due in enumerate(due_ms, 1)
    ]
    first = min(slots, key=lambda slot: (slot.due_ms, slot.slot_id))
    assert hall.claim("ada", skills=("weld",)) == first.slot_id


def test_a_beat_confirms_the_view_and_is_a_change_only_where_it_opens_it(hall: Hall) -> None:
    hall.clock.advance(5.0)
    assert hall.queue.standing() == Standing("topic", True, 5000, {0: 0})
    before = hall.queue.revision()
    hall.beat()
    hall.queue.beat("topic", {0: 0}, 1)
    assert hall.queue.standing() == Standing("topic", True, 0, {0: 0})
    assert hall.queue.revision() == before
    while hall.queue.summary().live:
        hall.clock.advance(0.001)
    hall.beat()
    assert hall.queue.revision() != before


def test_who_was_told_is_known_through_a_rebuild(hall: Hall) -> None:
    hall.queue.learn("ada", "v1")
    hall.queue.wipe("another topic", {0: 0})
    assert hall.queue.knows("ada", "v1")
    assert not hall.queue.knows("bob", "v1")
    assert not hall.queue.knows("ada", "v2")


def test_what_waits_is_counted_by_line_and_skill(hall: Hall) -> None:
    hall.opens(1)
    hall.opens(2, needs="weld")
    hall.opens(3, needs="weld")
    hall.opens(4, line="line2", skill=Skill.LEAD)
    pools = {(pool.line_id, pool.skill, pool.needs): pool.ready for pool in hall.queue.summary().pools}
    assert pools == {
        ("line1", "operator", ""): 1,
        ("line1", "operator", "weld"): 2,
        ("line2", "lead", ""): 1,
    }


def test_nobody_holds_two_rounds_of_one_visit(hall: Hall) -> None:
    first = hall.opens(1, risk=1.0)
    hall.project(opened_slot=opened(1, round=1, slot_id=f"{first.visit_id}.r1.g0"))
    assert hall.claim("ada") == first.slot_id
    assert hall.claim("ada") is None
    assert hall.claim("bob") == f"{first.visit_id}.r1.g0"


def test_scanning_a_part_or_its_bin_place_gives_that_part(hall: Hall) -> None:
    hall.opens(1, part_id="SN-1", risk=1.0)
    slow = hall.opens(2, part_id="SN-2", bin_slot="B-7", risk=0.0)
    assert hall.claim("ada", "B-7") == slow.slot_id
    hall.queue.release(slow.slot_id, hall.token)
    assert hall.claim("ada", "SN-2") == slow.slot_id
    assert hall.told()[-1] == ("claimed", "ada", "scanned SN-2")


def test_a_scan_that_gives_nothing_says_why(hall: Hall) -> None:
    slot = hall.opens(1, part_id="SN-1", excluded_actors=("bob",), needs="weld")
    lead = hall.opens(2, part_id="SN-2", skill=Skill.LEAD)
    assert hall.refusal("ada", "SN-9") == Claim(None, Why.UNKNOWN)
    assert hall.refusal("ada", "SN-1") == Claim(None, Why.SKILL)
    assert hall.refusal("ada", "SN-1", lines=("line2",)) == Claim(None, Why.LINE)
    assert hall.refusal("bob", "SN-1", skills=("weld",)) == Claim(None, Why.JUDGED)
    assert hall.refusal("ada", "SN-2") == Claim(None, Why.LEAD)
    assert hall.claim("cyd", "SN-1", skills=("weld",)) == slot.slot_id
    assert hall.refusal("ada", "SN-1", skills=("weld",)) == Claim(None, Why.LEASED, "cyd", AT + TERMS.lease_ms)
    hall.closes(slot)
    assert hall.refusal("ada", "SN-1", skills=("weld",)) == Claim(None, Why.UNKNOWN)
    assert hall.claim("lea", "SN-2", lead=True) == lead.slot_id


def test_a_part_number_that_is_bound_late_can_be_scanned(hall: Hall) -> None:
    slot = hall.opens(1)
    assert hall.refusal("ada", "SN-1") == Claim(None, Why.UNKNOWN)
    hall.project(opened_slot=slot.model_copy(update={"part_id": "SN-1"}))
    assert hall.claim("ada", "SN-1") == slot.slot_id


def test_what_was_let_go_too_often_waits_for_a_lead_and_says_so(hall: Hall) -> None:
    slot = hall.opens(1, part_id="SN-1")
    for _ in range(TERMS.max_expired_leases):
        assert hall.claim("ada") == slot.slot_id
        hall.clock.advance(3.0)
        hall.queue.reap()
    assert hall.claim("ada") is None
    (named,) = hall.queue.summary().slots
    assert (named.state, named.why) == (SlotStatus.DEAD, "let go too often")
    assert hall.claim("lea", lead=True) == slot.slot_id
    hall.beat()
    assert hall.queue.summary().lines["line1"].dead == 0
    hall.queue.release(slot.slot_id, hall.token)
    hall.closes(slot)
    hall.beat()
    assert hall.claim("lea", lead=True) is None


def test_a_watcher_sees_that_something_changed(hall: Hall) -> None:
    slot = hall.opens(1, max_age_ms=1000)
    seen = [hall.queue.revision()]

    def sees(act: Callable[[], object]) -> None:
        act()
        seen.append(hall.queue.revision())

    sees(lambda: hall.opens(2, recipe=RecipeRef(recipe_id="cover", version=1)))
    sees(lambda: hall.claim("ada"))
    sees(lambda: hall.queue.release(slot.slot_id, hall.token))
    sees(lambda: hall.claim("ada"))
    sees(lambda: hall.queue.skip(slot.slot_id, hall.token))
    sees(lambda: hall.claim("bob"))
    sees(lambda: hall.queue.park(slot.slot_id, hall.token, "d-1"))
    hall.clock.advance(1.001)
    sees(hall.queue.reap)  # overdue, and a stop is asked for
    hall.clock.advance(3600.0)
    sees(hall.queue.reap)  # the park ran out
    sees(lambda: hall.closes(slot))
    sees(hall.queue.reap)  # no stop any more
    sees(lambda: hall.queue.wipe("topic", {0: 0}))
    sees(lambda: hall.queue.beat("topic", {0: 0}, 1000))
    assert len(set(seen)) == len(seen)


def test_an_overdue_part_is_offered_to_a_lead_first_and_to_everybody_still(hall: Hall) -> None:
    old = hall.opens(1, risk=0.0, max_age_ms=60_000)
    hall.clock.advance(60.0)
    hall.opens(2, risk=1.0)
    hall.queue.reap()
    assert hall.queue.summary().lines["line1"].overdue == 1
    assert ("overdue", "queue", "older than its recipe allows: offered to leads first") in hall.told()
    assert hall.claim("lea", lead=True) == old.slot_id
    hall.queue.release(old.slot_id, hall.token)
    assert {hall.claim("ada"), hall.claim("bob")} >= {old.slot_id}


def test_more_slots_than_people_can_review_ask_for_a_slower_line(hall: Hall) -> None:
    limits = {"capacity_per_hour": 3, "max_age_ms": 20 * HOUR_MS}
    slots = [hall.opens(number, **limits) for number in range(3)]
    assert hall.queue.summary().demands == ()
    slots.append(hall.opens(3, **limits))
    (demand,) = hall.queue.summary().demands
    assert (demand.ask, demand.waiting, demand.opened_in_hour, demand.capacity_per_hour) == (Ask.SLOW, 4, 4, 3)
    assert demand.words(AT).startswith("Slow line line1: 4 parts of bracket wait")
    hall.queue.reap()
    hall.queue.reap()
    assert [event for event, _, _ in hall.told()].count("line-slow") == 1
    hall.clock.advance(3601.0)
    hall.queue.reap()
    assert hall.queue.summary().demands == ()
    assert hall.told()[-1] == ("line-free", "queue", "line1|bracket: within capacity and age again")


def test_a_backlog_that_cannot_be_worked_off_in_time_asks_for_a_slower_line(hall: Hall) -> None:
    for number in range(11):
        opened_ms = AT - HOUR_MS - number
        hall.opens(number, opened_ms=opened_ms, capacity_per_hour=5, max_age_ms=2 * HOUR_MS)
    (demand,) = hall.queue.summary().demands
    assert (demand.ask, demand.waiting, demand.opened_in_hour) == (Ask.SLOW, 11, 0)


def test_a_part_older_than_its_recipe_allows_asks_for_a_stop(hall: Hall) -> None:
    slot = hall.opens(1, max_age_ms=60_000)
    hall.opens(2, max_age_ms=60_000, recipe=RecipeRef(recipe_id="cover", version=1))
    hall.closes(slot)
    slot = hall.opens(3, max_age_ms=60_000)
    hall.clock.advance(61.0)
    hall.beat()
    asks = {(demand.recipe_id, demand.ask) for demand in hall.queue.summary().demands}
    assert asks == {("bracket", Ask.STOP), ("cover", Ask.STOP)}
    hall.queue.reap()
    hall.closes(slot)
    hall.queue.reap()
    assert [event for event, _, _ in hall.told()][-2:] == ["closed", "line-free"]
    assert "line-stop" in [event for event, _, _ in hall.told()]


def test_every_transition_is_an_event_with_actor_time_and_cause(hall: Hall) -> None:
    slot = hall.opens(1)
    hall.claim("ada")
    hall.queue.release(slot.slot_id, hall.token)
    hall.claim("ada")
    hall.queue.skip(slot.slot_id, hall.token)
    hall.clock.advance(1.0)
    hall.claim("bob")
    hall.clock.advance(3.0)
    hall.queue.reap()
    hall.claim("bob")
    hall.queue.park(slot.slot_id, hall.token, "d-1")
    hall.closes(slot)
    assert hall.told() == [
        ("opened", "route", "low_trust"),
        ("claimed", "ada", ""),
        ("released", "ada", ""),
        ("claimed", "ada", ""),
        ("skipped", "ada", "now ready"),
        ("claimed", "bob", ""),
        ("leased-expired", "bob", "now ready"),
        ("claimed", "bob", ""),
        ("decided", "bob", "d-1"),
        ("closed", "ada", "decided"),
    ]
    assert [one.at_ms - AT for one in hall.queue.events()] == [0, 0, 0, 0, 0, 1000, 4000, 4000, 4000, 4000]


def test_events_stay_until_they_are_told_and_survive_a_rebuild_that_tells_none(hall: Hall) -> None:
    hall.opens(1)
    hall.opens(2)
    first, second = hall.queue.events()
    hall.queue.told([first.event_id])
    hall.queue.wipe("topic", {0: 0})
    hall.offset = 0
    hall.opens(1)
    assert hall.queue.events() == (second,)
