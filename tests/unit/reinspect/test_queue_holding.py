"""What a holder may do with a slot, and what the queue's page tells of it, on the model and on a real server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import redis

from linewarden_reinspect.queue.errors import LeaseLost
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Ask, Ended, LineCount, NamedSlot, PoolCount, SlotStatus
from linewarden_schemas.disposition import Handover
from linewarden_schemas.vocabulary import Role, Skill
from tests.unit.reinspect.redis_clock import TEST_CLOCK, RedisClock
from tests.unit.reinspect.slots import AT
from tests.unit.reinspect.test_queue_rules import SLACK_MS, TERMS, Hall, hall

__all__ = ["hall"]


def test_a_lease_is_lengthened_from_now_and_never_shortened_nor_beyond_the_longest_hold(hall: Hall) -> None:
    slot = hall.opens(1)
    hall.claim("ada")
    until = []
    for seconds in (0.0, 2.0, 2.0, 2.0, 1.0):
        hall.clock.advance(seconds)
        until.append(hall.queue.renew(slot.slot_id, hall.token).until_ms - AT)
    assert until == [3000, 5000, 7000, TERMS.max_hold_ms, TERMS.max_hold_ms]
    hall.clock.advance(1.0)
    with pytest.raises(LeaseLost):
        hall.queue.renew(slot.slot_id, hall.token)


def test_a_decided_slot_stays_with_its_decision_until_its_close_or_for_a_while(hall: Hall) -> None:
    slot = hall.opens(1)
    hall.claim("ada")
    hall.queue.park(slot.slot_id, hall.token, "d-1")
    hall.clock.advance(1.0)
    hall.queue.park(slot.slot_id, hall.token, "d-1")
    with pytest.raises(LeaseLost):
        hall.queue.park(slot.slot_id, hall.token, "d-2")
    with pytest.raises(LeaseLost):
        hall.queue.release(slot.slot_id, hall.token)
    with pytest.raises(LeaseLost):
        hall.queue.skip(slot.slot_id, hall.token)
    told = hall.queue.renew(slot.slot_id, hall.token)
    assert (told.parked_decision, told.until_ms) == ("d-1", AT + TERMS.park_ms)
    assert [event for event, _, _ in hall.told()] == ["opened", "claimed", "decided"]
    hall.clock.advance(TERMS.park_ms / 1000 - 1.001)
    assert hall.queue.reap() == ()
    hall.clock.advance(0.001)
    assert hall.queue.reap() == (Ended(slot.slot_id, slot.visit_id, "ada", SlotStatus.PARKED, SlotStatus.READY),)
    assert hall.claim("bob") == slot.slot_id
    assert hall.queue.dump()[slot.slot_id].expired_leases == 0


def test_what_two_people_skip_waits_for_a_lead_and_stays_theirs_when_a_lead_puts_it_back(hall: Hall) -> None:
    slot = hall.opens(1, part_id="SN-1")
    found = []
    for actor in ("ada", "bob"):
        assert hall.claim(actor) == slot.slot_id
        found.append(hall.queue.skip(slot.slot_id, hall.token))
    assert found == [SlotStatus.READY, SlotStatus.DEAD]
    assert hall.claim("cyd") is None
    for code in ("", "SN-1"):
        assert hall.claim("cyd", code) is None
        assert hall.claim("lea", code, lead=True) == slot.slot_id
        hall.queue.release(slot.slot_id, hall.token)
    (named,) = hall.queue.summary().slots
    assert (named.state, named.why) == (SlotStatus.DEAD, "skipped too often")


def test_so_many_leases_are_taken_back_in_one_step_and_the_rest_in_the_next(hall: Hall) -> None:
    slots = [hall.opens(number, max_age_ms=1000) for number in range(3)]
    for actor in ("ada", "bob", "cyd"):
        hall.claim(actor)
    hall.clock.advance(3.0)
    found = [{one.slot_id for one in hall.queue.reap(2)} for _ in range(3)]
    assert [len(one) for one in found] == [2, 1, 0]
    assert found[0] | found[1] == {slot.slot_id for slot in slots}
    assert [event for event, _, _ in hall.told()].count("overdue") == 3


def test_the_page_tells_of_every_slot_its_place_and_who_holds_it(hall: Hall) -> None:
    first = hall.opens(1, risk=1.0, max_age_ms=1000)
    hall.clock.advance(1.0)
    second = hall.opens(2, risk=0.5)
    handed = Handover(actor="bob", role=Role.OPERATOR, at_ms=AT, note="faint")
    more: dict[str, Any] = {"part_id": "SN-3", "excluded_actors": ("kim",), "handover": handed}
    third = hall.opens(3, risk=0.0, line="line2", skill=Skill.LEAD, **more)
    fourth = hall.opens(4, risk=0.9, needs="weld")
    assert hall.claim("ada") == first.slot_id
    hall.queue.reap()
    now = AT + 1000
    summary = hall.queue.summary()
    assert summary.now_ms == now
    assert summary.lines == {
        "line1": LineCount(ready=2, leased=1, overdue=1, next_due_ms=fourth.due_ms, oldest_ms=AT),
        "line2": LineCount(ready=1, next_due_ms=now + SLACK_MS, oldest_ms=now),
    }
    assert set(summary.pools) == {
        PoolCount("line1", "operator", "", 1, second.due_ms),
        PoolCount("line1", "operator", "weld", 1, fourth.due_ms),
        PoolCount("line2", "lead", "", 1, third.due_ms),
    }
    told: list[dict[str, Any]] = [
        {"needs": "weld"},
        {},
        {"part_id": "SN-3", "skill": "lead", "excluded": ("kim",), "sender": "bob", "handed_ms": AT},
    ]
    waiting = [
        NamedSlot(slot.slot_id, slot.line_id, SlotStatus.READY, slot.due_ms, "", 0, "low_trust", now, **one)
        for slot, one in zip((fourth, second, third), told, strict=True)
    ]
    held = NamedSlot(
        first.slot_id, "line1", SlotStatus.LEASED, AT, "ada", now + TERMS.lease_ms, "low_trust", AT, overdue=True
    )
    assert summary.slots == (held, *waiting)
    hall.queue.park(first.slot_id, hall.token, "d-1")
    assert hall.queue.summary(2).slots == (
        replace(held, state=SlotStatus.PARKED, until_ms=now + TERMS.park_ms),
        *waiting,  # two for others, and one that is a lead's
    )


def test_a_slot_that_is_sent_again_keeps_its_place_and_takes_what_is_new(hall: Hall) -> None:
    slot = hall.opens(1, part_id="SN-1", bin_slot="B-1")
    hall.claim("ada")
    again = slot.model_copy(update={"due_ms": slot.due_ms + 5, "part_id": "SN-2", "bin_slot": None})
    hall.project(opened_slot=again)
    kept = hall.queue.dump()[slot.slot_id]
    assert (kept.status, kept.holder, kept.due_ms, kept.slot) == (SlotStatus.LEASED, "ada", again.due_ms, again)
    hall.queue.release(slot.slot_id, hall.token)
    for code in ("SN-1", "B-1"):
        assert hall.claim("bob", code) is None
    assert hall.claim("bob", "SN-2") == slot.slot_id
    hall.beat()


def test_a_slot_that_was_put_back_is_held_by_nobody_and_nothing_of_the_former_decision_stays(hall: Hall) -> None:
    slot = hall.opens(1)
    hall.claim("ada")
    hall.queue.release(slot.slot_id, hall.token)
    assert [(one.state, one.holder) for one in hall.queue.summary().slots] == [(SlotStatus.READY, "")]
    assert hall.queue.dump()[slot.slot_id].holder == ""
    hall.claim("ada")
    hall.queue.park(slot.slot_id, hall.token, "d-1")
    hall.clock.advance(TERMS.park_ms / 1000)
    hall.queue.reap()
    assert [(one.state, one.holder) for one in hall.queue.summary().slots] == [(SlotStatus.READY, "")]
    assert hall.claim("bob") == slot.slot_id
    told = hall.queue.renew(slot.slot_id, hall.token)
    assert told.parked_decision is None


def test_an_overdue_slot_that_is_sent_again_counts_as_overdue_once_until_its_close(hall: Hall) -> None:
    slot = hall.opens(1, risk=0.0, max_age_ms=1000)
    hall.clock.advance(1.0)
    hall.queue.reap()
    found = []
    for _ in range(2):
        hall.project(opened_slot=slot)
        summary = hall.queue.summary()
        found.append((summary.lines["line1"].overdue, [one.overdue for one in summary.slots]))
    assert found == [(1, [True])] * 2
    hall.opens(2, risk=1.0)
    assert hall.claim("lea", lead=True) == slot.slot_id, "a lead is offered it first still"
    hall.closes(slot)
    assert "line1" not in hall.queue.summary().lines or hall.queue.summary().lines["line1"].overdue == 0


def test_where_nothing_ran_out_a_watcher_is_not_woken(hall: Hall) -> None:
    hall.opens(1)
    hall.claim("ada")
    hall.queue.reap()
    before = hall.queue.revision()
    hall.queue.reap()
    assert hall.queue.revision() == before
    hall.clock.advance(TERMS.lease_ms / 1000)
    hall.queue.reap()
    assert hall.queue.revision() != before


def test_what_was_opened_counts_for_an_hour_and_not_at_its_end(hall: Hall) -> None:
    limits = {"capacity_per_hour": 1, "max_age_ms": 20 * 3_600_000}
    for number in range(2):
        hall.opens(number, **limits)
    found = []
    for seconds in (3599.999, 0.001):
        hall.clock.advance(seconds)
        hall.beat()
        found.append([one.opened_in_hour for one in hall.queue.summary().demands])
    assert found == [[2], []]


def test_a_skip_that_is_over_is_kept_no_longer(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        hall = Hall(RedisQueue(client, "{line1.rq}", TERMS, TEST_CLOCK), RedisClock(client, AT))
        slot = hall.opens(1)
        hall.claim("ada")
        hall.queue.skip(slot.slot_id, hall.token)
        kept = []
        for seconds in (0.0, TERMS.skip_ms / 1000):
            hall.clock.advance(seconds)
            hall.queue.reap()
            kept.append(client.zcard("{line1.rq}:skip"))
    assert kept == [1, 0]


@pytest.mark.parametrize("state", ["leased", "parked", "ready"])
def test_who_does_not_hold_a_slot_changes_nothing_of_it(hall: Hall, state: str) -> None:
    slot = hall.opens(1)
    hall.claim("ada")
    adas = hall.token
    if state == "ready":
        hall.queue.release(slot.slot_id, adas)
    if state == "parked":
        hall.queue.park(slot.slot_id, adas, "d-1")
    before = hall.queue.dump(), hall.told(), hall.queue.revision()
    for token in ("another", adas) if state == "ready" else ("another", ""):
        for act in (
            lambda token: hall.queue.renew(slot.slot_id, token),
            lambda token: hall.queue.park(slot.slot_id, token, "d-1"),
            lambda token: hall.queue.release(slot.slot_id, token),
            lambda token: hall.queue.skip(slot.slot_id, token),
        ):
            with pytest.raises(LeaseLost):
                act(token)
    assert (hall.queue.dump(), hall.told(), hall.queue.revision()) == before


def test_the_line_is_asked_for_nothing_at_its_very_limits(hall: Hall) -> None:
    limits = {"capacity_per_hour": 5, "max_age_ms": 2 * 3_600_000}
    for number in range(10):
        hall.opens(number, opened_ms=AT - 2 * 3_600_000 + 1, **limits)
    found = []
    for milliseconds in (0, 1, 1):  # as old as allowed, and older
        hall.clock.advance(milliseconds / 1000)
        hall.beat()
        found.append([one.ask for one in hall.queue.summary().demands])
    assert found == [[], [], [Ask.STOP]]


def test_a_line_of_which_everything_is_reviewed_is_asked_for_nothing_however_much_it_was(hall: Hall) -> None:
    slots = [hall.opens(number, capacity_per_hour=1, max_age_ms=7_200_000) for number in range(3)]
    assert [one.ask for one in hall.queue.summary().demands] == [Ask.SLOW]
    for slot in slots:
        hall.closes(slot)
    assert hall.queue.summary().demands == ()
    hall.queue.reap()
    assert "line-slow" not in [event for event, _, _ in hall.told()]


def test_a_line_that_is_within_its_limits_again_is_told_so_once(hall: Hall) -> None:
    slots = [hall.opens(number, capacity_per_hour=1, max_age_ms=7_200_000) for number in range(3)]
    hall.queue.reap()
    for slot in slots:
        hall.closes(slot)
    for _ in range(3):
        hall.queue.reap()
    assert [event for event, _, _ in hall.told() if event.startswith("line-")] == ["line-slow", "line-free"]


def test_a_watcher_sees_each_slot_that_gets_overdue_though_the_line_was_asked_to_stop_before(hall: Hall) -> None:
    hall.opens(1, max_age_ms=1000)
    hall.clock.advance(0.5)
    hall.opens(2, max_age_ms=1000)
    hall.clock.advance(0.6)
    hall.queue.reap()
    before = hall.queue.revision()
    hall.clock.advance(0.5)
    hall.queue.reap()
    assert hall.queue.summary().lines["line1"].overdue == 2
    assert hall.queue.revision() != before


def test_a_line_without_anything_to_review_has_no_oldest_part(hall: Hall) -> None:
    hall.closes(hall.opens(1, capacity_per_hour=1))
    assert [one.oldest_ms for one in hall.queue.summary().lines.values() if one.oldest_ms] == []


def test_what_was_handed_to_a_lead_is_named_however_much_waits_before_it_for_others(hall: Hall) -> None:
    for number in range(4):
        hall.opens(number)
    hall.clock.advance(1.0)
    handed = hall.opens(4, skill=Skill.LEAD)
    assert [slot.slot_id for slot in hall.queue.summary(2).slots if slot.skill == "lead"] == [handed.slot_id]
    assert len(hall.queue.summary(2).slots) == 3


def test_the_page_lists_no_more_slots_in_hands_than_it_asked_for(hall: Hall) -> None:
    for number in range(4):
        hall.opens(number)
        hall.claim(f"operator {number}")
    assert len(hall.queue.summary(1).slots) == 1
    assert len(hall.queue.summary(3).slots) == 3
