"""The simulated Redis answers as a real server does, for every script of the queue."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis

from linewarden_reinspect.queue.errors import LeaseLost
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Change, Claimant, Terms
from linewarden_schemas.vocabulary import Skill
from tests.simulation.redis import SimulatedClient, SimulatedRedis
from tests.unit.reinspect.redis_clock import TEST_CLOCK, RedisClock
from tests.unit.reinspect.slots import AT, opened

TERMS = Terms(lease_ms=4_000, max_hold_ms=9_000, park_ms=3_000, skip_ms=2_000, max_skips=2, max_expired_leases=2)


ACTS = ("open", "open", "close", "beat", "claim", "claim", "skip", "park", "renew", "reap", "time")


@pytest.fixture
def server(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as client:
        yield client


@pytest.mark.parametrize("seed", range(3))
def test_the_simulated_server_answers_as_a_real_one(server: redis.Redis, seed: int) -> None:
    clock = RedisClock(server, AT)
    simulated = SimulatedRedis(clock.now_ms)
    simulated.call("SET", "test-clock", AT)
    queues = [
        RedisQueue(client, "{line1.rq}", TERMS, clock=TEST_CLOCK)
        for client in (server, cast("redis.Redis", SimulatedClient(simulated)))
    ]
    chance = random.Random(seed)
    for queue in queues:
        queue.wipe("t", {0: 0})
    offset, held = 0, list[tuple[str, str]]()
    for _ in range(60):
        answers: list[Any] = []
        act = chance.choice(ACTS)
        if act == "open":
            number = chance.randrange(12)
            skill = chance.choice((Skill.OPERATOR, Skill.LEAD))
            slot = opened(number, opened_ms=clock.now_ms(), due_ms=AT + chance.randrange(9_000), skill=skill)
            answers = [queue.apply("t", [Change(0, offset, opened=slot)], {0: offset}) for queue in queues]
            offset += 1
        elif act == "close":
            slot_id = opened(chance.randrange(12)).slot_id
            answers = [queue.apply("t", [Change(0, offset, closed=slot_id)], {0: offset}) for queue in queues]
            offset += 1
        elif act == "time":
            clock.advance(chance.random() * 3.0)
            simulated.call("SET", "test-clock", clock.now_ms())
            continue
        elif act in {"beat", "reap"}:
            answers = [_do(queue, act, offset) for queue in queues]
        elif act == "claim":
            claimant = Claimant(chance.choice(("ann", "bob", "lea")), lead=chance.random() < 0.3)
            token = f"token-{len(held)}"
            answers = [_answered(queue.claim, claimant, token) for queue in queues]
            taken = getattr(answers[0], "lease", None)
            held += [(taken.slot.slot_id, token)] if taken else []
        elif held:
            slot_id, token = chance.choice(held)
            last = ("decision",) if act == "park" else ()
            answers = [_answered(getattr(queue, act), slot_id, token, *last) for queue in queues]
        assert not answers or answers[0] == answers[1]
        assert queues[0].dump() == queues[1].dump()
    summaries = [queue.summary() for queue in queues]
    assert _by_order(summaries[0].pools) == _by_order(summaries[1].pools)
    assert summaries[0].lines == summaries[1].lines
    assert _by_order(summaries[0].slots) == _by_order(summaries[1].slots)
    assert queues[0].standing() == queues[1].standing()
    told = [[(one.slot_id, one.event, one.actor, one.at_ms, one.cause) for one in queue.events()] for queue in queues]
    assert told[0] == told[1]


def _by_order(listed: Any) -> list[str]:
    """Sets have no order in Redis."""
    return sorted(map(str, listed))


def _do(queue: RedisQueue, act: str, offset: int) -> Any:
    return queue.beat("t", {0: offset}, 60_000) if act == "beat" else queue.reap()


def _answered(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except LeaseLost as lost:
        return str(lost)
    except Exception as error:  # noqa: BLE001 - the same kind of error is the same answer
        return type(error)
