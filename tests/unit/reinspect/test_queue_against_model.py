"""The queue in Redis and its model in Python, walked through the same random histories."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, cast

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from linewarden_reinspect.queue.errors import QueueError
from linewarden_reinspect.queue.port import Queue
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Change, Claimant, SlotStatus, Terms
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Skill
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.redis_clock import TEST_CLOCK, RedisClock
from tests.unit.reinspect.slots import AT, opened

TERMS = Terms(lease_ms=3000, max_hold_ms=8000, park_ms=2000, skip_ms=4000, max_skips=2, max_expired_leases=2)
PREFIX = "{line1.rq}"
TOPIC_ID = "t-1"
ACTORS = st.sampled_from(["ada", "bob", "lea"])
NUMBERS = st.integers(0, 6)


class QueueMachine(RuleBasedStateMachine):
    """Every rule does the same to both; answers and whole states must be equal after each."""

    client: ClassVar[redis.Redis]
    second: ClassVar[redis.Redis]

    @initialize()
    def start(self) -> None:
        self.client.flushall()
        self.clock = RedisClock(self.client, AT)
        self.model = MemoryQueue(self.clock, TERMS)
        self.real = RedisQueue(self.client, PREFIX, TERMS, TEST_CLOCK)
        self.others = (self.real, RedisQueue(self.second, PREFIX, TERMS, TEST_CLOCK))
        self.turn = 0
        self.log: list[Change] = []
        self.expected = {0: 0}
        self.tokens: dict[str, str] = {}
        self.issued = 0
        self.copy: tuple[object, dict[Any, Any]] | None = None
        self.both(lambda queue: queue.wipe(TOPIC_ID, {0: 0}))
        self.beat()

    def both(self, act: Callable[[Any], Any]) -> Any:
        """The model and one of two clients of the server, in turn."""
        answers = []
        self.turn += 1
        for queue in (self.model, self.others[self.turn % 2]):
            try:
                answers.append(act(queue))
            except QueueError as error:
                answers.append(type(error))
        assert answers[0] == answers[1]
        return answers[0]

    def project(self, change: Change) -> None:
        self.log.append(change)
        answer = self.both(lambda queue: queue.apply(TOPIC_ID, [change], self.expected))
        if isinstance(answer, dict):
            self.expected |= answer
        else:
            self.resynchronise()

    def resynchronise(self) -> None:
        standing = self.both(lambda queue: queue.standing())
        if standing.topic_id is None:
            self.both(lambda queue: queue.wipe(TOPIC_ID, {0: 0}))
        start = standing.offsets.get(0, 0)
        self.expected = {0: start}
        behind = [change for change in self.log if change.offset >= start]
        if behind:
            self.expected |= self.both(lambda queue: queue.apply(TOPIC_ID, behind, self.expected))
        self.beat()

    def slot(self, number: int) -> SlotOpen:
        """Seven slots on two lines.

        One is for a lead, one ada may not take, one asks for a skill, one has limits, two are of one visit.
        """
        slot = opened(
            number,
            line=f"line{number % 2 + 1}",
            due_ms=AT + 1000 * (number * 7 % 5),
            skill=Skill.LEAD if number == 5 else Skill.OPERATOR,
            excluded_actors=("ada",) if number == 3 else (),
            needs="surface" if number == 2 else None,
            bin_slot="B1" if number in {0, 4} else None,
            recipe=RecipeRef(recipe_id="bracket" if number < 4 else "cover", version=1),
            capacity_per_hour=1 if number < 4 else None,
            max_age_ms=9000 if number != 5 else None,
        )
        if number == 6:
            return slot.model_copy(update={"visit_id": self.slot(0).visit_id, "line_id": "line1", "round": 1})
        return slot

    @rule(
        number=NUMBERS,
        gap=st.integers(0, 2),
        due=st.integers(0, 5000),
        age=st.integers(-7_200_000, 5000),
        part=st.sampled_from([None, "P1", "P2"]),
    )
    def an_open_arrives(self, number: int, gap: int, due: int, age: int, part: str | None) -> None:
        changes = {"due_ms": AT + due, "opened_ms": self.clock.now_ms() - age, "part_id": part}
        self.project(Change(0, self.next_offset() + gap, opened=self.slot(number).model_copy(update=changes)))

    @rule(number=NUMBERS)
    def a_close_arrives(self, number: int) -> None:
        self.project(Change(0, self.next_offset(), closed=self.slot(number).slot_id, by="ada", why="decided"))

    @rule(numbers=st.lists(NUMBERS, min_size=2, max_size=4), done=st.integers(0, 3))
    def the_projector_dies_between_two_records(self, numbers: list[int], done: int) -> None:
        """What it took in stays with its offset; its successor starts where the view stands."""
        first = self.next_offset()
        changes = [Change(0, first + at, opened=self.slot(number)) for at, number in enumerate(numbers)]
        self.log += changes
        taken = changes[:done]
        if taken:
            self.both(lambda queue: queue.apply(TOPIC_ID, taken, self.expected))
        self.resynchronise()

    @rule()
    def a_record_that_is_no_slot_arrives(self) -> None:
        self.project(Change(0, self.next_offset()))

    def next_offset(self) -> int:
        return self.log[-1].offset + 1 if self.log else 0

    @precondition(lambda self: self.log)
    @rule(back=st.integers(1, 3))
    def records_are_delivered_again(self, back: int) -> None:
        again = self.log[-back:]
        answer = self.both(lambda queue: queue.apply(TOPIC_ID, again, self.expected))
        if not isinstance(answer, dict):
            self.resynchronise()

    @rule(
        actor=ACTORS,
        lead=st.booleans(),
        again=st.integers(0, 7).map(lambda number: number == 0),
        lines=st.sampled_from([(), ("line1",), ("line2",), ("line1", "line2")]),
        skills=st.sampled_from([(), ("surface",), ("weld", "surface")]),
        code=st.sampled_from(["", "", "", "P1", "P2", "B1", "P9"]),
    )
    def somebody_claims(
        self, actor: str, lead: bool, again: bool, lines: tuple[str, ...], skills: tuple[str, ...], code: str
    ) -> None:
        self.issued += not again
        token = f"t{self.issued}"
        claim = self.both(lambda queue: queue.claim(Claimant(actor, lead, lines, skills), token, code))
        if isinstance(claim, type) or claim.lease is None:
            return
        slot = claim.lease.slot
        self.tokens[token] = slot.slot_id
        if not again:
            assert actor not in slot.excluded_actors
            assert lead or (slot.skill is Skill.OPERATOR and slot.needs in {None, *skills})
            assert code in {"", slot.part_id, slot.bin_slot}

    @rule()
    def a_station_crashes_with_everything_in_its_hands(self) -> None:
        self.tokens.clear()

    def held(self, data: st.DataObject) -> tuple[str, str]:
        """Any token that was ever given, with its slot or with another."""
        token = data.draw(st.sampled_from(sorted(self.tokens)))
        wrong = data.draw(st.integers(0, 9)) == 0
        return (self.slot(data.draw(NUMBERS)).slot_id if wrong else self.tokens[token]), token

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), act=st.sampled_from(["renew", "release", "skip"]))
    def a_holder_acts(self, data: st.DataObject, act: str) -> None:
        slot, token = self.held(data)
        self.both(lambda queue: getattr(queue, act)(slot, token))

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), decision=st.sampled_from(["d-1", "d-2"]))
    def a_decided_slot_is_parked(self, data: st.DataObject, decision: str) -> None:
        slot, token = self.held(data)
        self.both(lambda queue: queue.park(slot, token, decision))

    @rule()
    def the_watch_reaps(self) -> None:
        self.both(lambda queue: queue.reap())

    @rule(most=st.integers(1, 6), dies=st.booleans())
    def a_station_tells_events(self, most: int, dies: bool) -> None:
        """A station that dies before it forgets them tells them again, so none is ever missing."""
        queues: tuple[Queue, ...] = (self.model, self.real)
        for queue in queues:
            events = queue.events(most)
            if not dies:
                queue.told([one.event_id for one in events])

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.0, 2.0, 3.0, 4.5, 9.5, 3600.0, 90_000.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def beat(self) -> None:
        answer = self.both(lambda queue: queue.beat(TOPIC_ID, self.expected, 1_000_000_000))
        if answer is not None:
            self.resynchronise()

    @rule()
    def an_older_copy_is_kept(self) -> None:
        keys = [key for key in self.client.keys("*") if key != b"test-clock"]
        self.copy = (self.model.snapshot(), {key: self.client.dump(key) for key in keys})

    @precondition(lambda self: self.copy)
    @rule()
    def the_server_fails_over_to_the_older_copy(self) -> None:
        assert self.copy is not None
        self.model.restore(self.copy[0])
        self.client.flushall()
        for key, value in self.copy[1].items():
            self.client.restore(key, 0, value)
        self.clock.publish()
        if self.real.summary().live is False and self.model.summary().live:
            self.client.set(f"{PREFIX}:gate", "1", px=1_000_000_000)

    @rule()
    def the_server_loses_everything(self) -> None:
        self.model.clear()
        self.client.flushall()
        self.clock.publish()

    @invariant()
    def states_are_equal(self) -> None:
        if not hasattr(self, "model"):
            return
        state = self.model.dump()
        assert self.real.dump() == state
        mine, theirs = self.model.summary(), self.real.summary()
        assert (mine.lines, mine.live) == (theirs.lines, theirs.live)
        for name in ("slots", "pools", "demands"):
            assert sorted(map(str, getattr(mine, name))) == sorted(map(str, getattr(theirs, name))), name

    @invariant()
    def events_are_equal(self) -> None:
        if not hasattr(self, "model"):
            return
        mine, theirs = ([replace(one, event_id="") for one in q.events(10_000)] for q in (self.model, self.real))
        assert mine == theirs

    @invariant()
    def the_view_is_the_topic_up_to_its_offset(self) -> None:
        if not hasattr(self, "model"):
            return
        until = self.model.standing().offsets.get(0, 0)
        open_now: dict[str, SlotOpen] = {}
        for change in self.log:
            if change.offset < until and change.opened:
                open_now[change.opened.slot_id] = change.opened
            elif change.offset < until and change.closed:
                open_now.pop(change.closed, None)
        assert {name: kept.slot for name, kept in self.model.dump().items()} == open_now

    @invariant()
    def keys_are_exactly_those_of_the_layout(self) -> None:
        if not hasattr(self, "model"):
            return
        keys = self.client.keys(f"{PREFIX}:ready:*")
        pools = {cast("bytes", key).decode().removeprefix(f"{PREFIX}:ready:") for key in keys}
        assert {cast("bytes", pool).decode() for pool in self.client.smembers(f"{PREFIX}:pools")} == pools
        names = [*(f"ready:{pool}" for pool in pools), "lease", "dead"]
        sets = [set(self.client.zrange(f"{PREFIX}:{name}", 0, -1)) for name in names]
        assert sum(map(len, sets)) == len(set.union(*sets)), "a slot is in one set"
        start = f"{PREFIX}:i:".encode()
        hashes = {cast("bytes", key).removeprefix(start) for key in self.client.keys(f"{PREFIX}:i:*")}
        assert hashes == set.union(*sets)


def _walk(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def _on(url: str, examples: int, steps: int) -> None:
    with redis.Redis.from_url(url) as client, redis.Redis.from_url(url) as second:
        QueueMachine.client, QueueMachine.second = client, second
        _walk(examples, steps)


def test_redis_and_the_model_agree_through_random_histories(valkey: str) -> None:
    _on(valkey, examples=10, steps=30)


@pytest.mark.redis
def test_debians_redis_and_the_model_agree_through_random_histories(debian_redis: str) -> None:
    _on(debian_redis, examples=30, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_redis_and_the_model_agree_through_twenty_thousand_steps(valkey: str) -> None:
    _on(valkey, examples=int(os.environ.get("LINEWARDEN_QUEUE_HISTORIES", "450")), steps=50)


def test_every_status_has_a_place_in_the_counts() -> None:
    from linewarden_reinspect.queue.types import LineCount  # noqa: PLC0415 - only here

    assert {status.value for status in SlotStatus} <= set(LineCount.__dataclass_fields__)
