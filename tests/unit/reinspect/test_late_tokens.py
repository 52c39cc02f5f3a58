"""Tokens: one that is late holds nothing, also before anybody took the slot back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from linewarden_reinspect.queue.errors import LeaseLost
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Change, Claimant, Terms
from tests.unit.reinspect.redis_clock import TEST_CLOCK, RedisClock
from tests.unit.reinspect.slots import AT, opened

Act = Callable[[RedisQueue, str], object]


@pytest.mark.parametrize(
    "act",
    [
        lambda queue, slot: queue.renew(slot, "t1"),
        lambda queue, slot: queue.release(slot, "t1"),
        lambda queue, slot: queue.skip(slot, "t1"),
        lambda queue, slot: queue.park(slot, "t1", "d-1"),
    ],
    ids=["renew", "release", "skip", "park"],
)
def test_a_lease_that_ran_out_changes_nothing(valkey: str, act: Act) -> None:
    slot = opened(1)
    with redis.Redis.from_url(valkey) as client:
        clock = RedisClock(client, AT)
        queue = RedisQueue(client, "{line1.rq}", Terms(lease_ms=3000), TEST_CLOCK)
        queue.wipe("topic", {0: 0})
        queue.apply("topic", [Change(0, 0, opened=slot)], {0: 0})
        queue.beat("topic", {0: 1}, 60_000)
        assert queue.claim(Claimant("ada"), "t1").lease is not None
        clock.advance(3.0)
        before = queue.dump()
        with pytest.raises(LeaseLost):
            act(queue, slot.slot_id)
        assert queue.dump() == before


@pytest.mark.parametrize("decodes", [False, True])
def test_a_client_that_decodes_answers_holds_what_it_claims_like_one_that_does_not(valkey: str, decodes: bool) -> None:
    slot = opened(1, part_id="SN-1")
    with redis.Redis.from_url(valkey, decode_responses=decodes) as client:
        queue = RedisQueue(client, "{line1.rq}")
        queue.wipe("topic", {0: 0})
        queue.apply("topic", [Change(0, 0, opened=slot)], {0: 0})
        queue.beat("topic", {0: 1}, 60_000)
        assert queue.claim(Claimant("ada"), "t1", "SN-9").why is not None
        lease = queue.claim(Claimant("ada"), "t1").lease
        assert lease is not None
        assert queue.renew(lease.slot.slot_id, "t1").slot == slot
        assert [one.event for one in queue.events()] == ["claimed"]
        assert queue.standing().live


def test_an_event_for_which_there_is_no_room_is_counted(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        queue = RedisQueue(client, "{line1.rq}")
        queue.wipe("topic", {0: 0})
        queue.beat("topic", {0: 0}, 60_000)
        client.eval("for _ = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'a', 'b') end", 1, "{line1.rq}:events")
        queue.apply("topic", [Change(0, 0, opened=opened(1))], {0: 0})
        assert queue.summary().untold == 1
        assert client.xlen("{line1.rq}:events") == 100_000
