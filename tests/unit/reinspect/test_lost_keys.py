"""Whatever key of Redis is lost, cut in half, of another kind or about to expire: every slot is offered again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest
import redis

from linewarden_reinspect.projector.projector import Projector, ProjectorPace
from linewarden_reinspect.queue.errors import NotLive, ViewMoved
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Change, Claimant, Terms
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Skill
from tests.unit.reinspect.redis_clock import TEST_CLOCK, RedisClock
from tests.unit.reinspect.slots import AT, PARTITIONS, TOPIC, closed, opened, record

PREFIX = "{line1.rq}"
TERMS = Terms(lease_ms=3000, park_ms=2000, skip_ms=4000, max_skips=2, max_expired_leases=2)
Damage = Callable[[redis.Redis, bytes], object]


class Line:
    """A topic, a view in Redis and the projector between them, after a busy history."""

    def __init__(self, client: redis.Redis) -> None:
        self.client, self.clock = client, RedisClock(client, AT)
        self.broker = MemoryBroker(self.clock)
        self.broker.create_topics([TopicSpec(TOPIC, PARTITIONS)])
        self.queue = RedisQueue(client, PREFIX, TERMS, TEST_CLOCK)
        reader = self.broker.reader(dict.fromkeys([Position(TOPIC, n) for n in range(PARTITIONS)], 0))
        pace = ProjectorPace(poll_s=0.0, beat_s=0.0, identity_s=0.0)
        self.projector = Projector(self.queue, reader, self.broker.admin(), TOPIC, self.clock, pace=pace)
        self.slots: dict[str, SlotOpen] = {}
        self.projector.synchronise()

    def send(self, *records: OutRecord) -> None:
        for one in records:
            self.broker.append(one)

    def opens(self, number: int, **more: Any) -> SlotOpen:
        slot = opened(number, **more)
        self.send(record(slot))
        self.slots[slot.slot_id] = slot
        return slot

    def settle(self) -> None:
        for _ in range(PARTITIONS + 2):
            self.projector.step()

    def claim(self, actor: str, **who: Any) -> str:
        lease = self.queue.claim(Claimant(actor, **who), f"token-{actor}").lease
        assert lease is not None
        return lease.slot.slot_id

    def is_busy(self) -> None:
        """Two lines and recipes, a skill, a lead's, one overdue, one dead, one skipped, one held, one parked."""
        for number in range(12):
            self.opens(
                number,
                line=f"line{number % 2 + 1}",
                part_id=f"SN-{number}",
                bin_slot="B1" if number < 3 else None,
                skill=Skill.LEAD if number == 5 else Skill.OPERATOR,
                needs="weld" if number == 6 else None,
                recipe=RecipeRef(recipe_id="bracket" if number % 3 else "cover", version=1),
                capacity_per_hour=1,
                max_age_ms=1000 if number == 9 else 3_600_000 if number % 4 else None,
                opened_ms=AT - 600_000 + number,
            )
        gone = self.opens(20, capacity_per_hour=1)
        self.send(record(closed(gone)))
        del self.slots[gone.slot_id]
        self.settle()
        for _ in range(TERMS.max_skips):
            self.queue.skip(self.claim("ada"), "token-ada")
            self.queue.skip(self.claim("bob"), "token-bob")
        self.clock.advance(2.0)
        self.settle()
        self.queue.reap()
        self.queue.park(self.claim("cyd"), "token-cyd", "d-1")
        self.claim("dee")
        self.queue.learn("dee", "v1")
        self.settle()


@pytest.fixture(scope="module")
def client(valkey_server: Any) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def busy(client: redis.Redis) -> tuple[Line, dict[bytes, bytes]]:
    line = Line(client)
    line.is_busy()
    keys = cast("list[bytes]", client.keys(f"{PREFIX}:*"))
    return line, {key: cast("bytes", client.dump(key)) for key in keys}


def restore(line: Line, kept: dict[bytes, bytes]) -> None:
    with line.client.pipeline() as pipe:
        pipe.flushall()
        pipe.set("test-clock", line.clock.now_ms())
        for key, raw in kept.items():
            pipe.restore(key, 0, raw)
        pipe.execute()
    line.projector.synchronise()


def some_of_each_kind(line: Line, keys: Iterable[bytes], most: int) -> list[bytes]:
    """Every key, but `most` of those that many have: slots in each state, pools, rows."""
    kinds: dict[bytes, list[bytes]] = {}
    for key in sorted(keys):
        kind = key.split(b":")[1]
        state = cast("bytes | None", line.client.hget(key, "st")) if kind == b"i" else b""
        kinds.setdefault(kind + (state or b""), []).append(key)
    return [key for alike in kinds.values() for key in alike[:most]]


def offered(line: Line) -> set[str]:
    """Every slot that a lead is given, after leases, parks and skips ran out."""
    line.clock.advance(5.0)
    line.settle()
    line.queue.reap()
    found: set[str] = set()
    for number in range(40):
        claim = line.queue.claim(Claimant(f"lead{number}", lead=True), f"token-lead-{number}")
        if claim.lease is None:
            return found
        found.add(claim.lease.slot.slot_id)
    raise AssertionError("slots without end")


def half(client: redis.Redis, key: bytes) -> None:
    kind = cast("bytes", client.type(key)).decode()
    pipe: dict[str, Callable[[], Any]] = {
        "zset": lambda: client.zremrangebyrank(key, 0, client.zcard(key) // 2),
        "hash": lambda: client.hdel(key, *sorted(client.hkeys(key))[: client.hlen(key) // 2 + 1]),
        "set": lambda: client.srem(key, *sorted(client.smembers(key))[: client.scard(key) // 2 + 1]),
        "stream": lambda: client.xtrim(key, 1),
        "string": lambda: client.delete(key),
    }
    pipe[kind]()


def other_kind(client: redis.Redis, key: bytes) -> None:
    is_list = client.type(key) != b"list"
    client.delete(key)
    client.rpush(key, "x") if is_list else client.set(key, "x")


def counted(line: Line) -> set[tuple[str, str, int, int]]:
    """What each line is asked for, with what was counted for it."""
    return {(one.line_id, one.recipe_id, one.waiting, one.opened_in_hour) for one in line.queue.summary().demands}


DAMAGES: dict[str, Damage] = {
    "deleted": lambda client, key: client.delete(key),
    "renamed": lambda client, key: client.rename(key, f"{PREFIX}:renamed"),
    "of another kind": other_kind,
    "cut in half": half,
    "about to expire": lambda client, key: client.expire(key, 60),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_key_that_is_damaged_is_noticed_and_every_slot_is_offered(
    busy: tuple[Line, dict[bytes, bytes]], damage: str
) -> None:
    line, kept = busy
    at_ms = line.clock.now_ms()
    restore(line, kept)
    for key in some_of_each_kind(line, kept, most=2 if damage == "deleted" else 1):
        line.clock.set_wall(at_ms)
        restore(line, kept)
        line.settle()
        before = counted(line)
        DAMAGES[damage](line.client, key)
        line.settle()
        told = f"{damage}: {key.decode()}"
        assert {name: dumped.slot for name, dumped in line.queue.dump().items()} == line.slots, told
        summary = line.queue.summary()
        waiting = sum(one.ready + one.leased + one.parked + one.dead for one in summary.lines.values())
        assert waiting == len(line.slots), told
        assert counted(line) == before, told
        if line.client.ttl(key) > 0:
            assert key.endswith((b":gate", b":v1")), told
        line.queue.revision()
        line.queue.events()
        line.queue.learn("eve", "v1")
        assert line.queue.knows("eve", "v1"), told
        if damage == "deleted":
            assert offered(line) == set(line.slots), told


def test_two_keys_lost_together_leave_nothing_that_a_rebuild_does_not_offer(
    busy: tuple[Line, dict[bytes, bytes]],
) -> None:
    line, kept = busy
    at_ms = line.clock.now_ms()
    for lost in (b":rows", b":pools", b":off", b":sums"):
        for also in (b":lease", b":open:line1|bracket", b":n"):
            line.clock.set_wall(at_ms)
            restore(line, kept)
            line.client.delete(PREFIX.encode() + lost, PREFIX.encode() + also)
            line.projector.rebuild()
            assert {name: dumped.slot for name, dumped in line.queue.dump().items()} == line.slots
            assert offered(line) == set(line.slots)


def test_redis_emptied_or_gone_back_to_an_old_copy_fills_itself_again(busy: tuple[Line, dict[bytes, bytes]]) -> None:
    line, kept = busy
    restore(line, kept)
    more = line.opens(30)
    line.settle()
    for keys in ({}, kept):
        line.client.flushall()
        line.clock.publish()
        for key, raw in keys.items():
            line.client.restore(key, 0, raw)
        line.settle()
        assert set(line.queue.dump()) == set(line.slots)
    line.send(record(closed(more)))
    line.settle()
    del line.slots[more.slot_id]
    assert set(line.queue.dump()) == set(line.slots)


def test_no_claim_is_confirmed_over_a_damaged_view(busy: tuple[Line, dict[bytes, bytes]]) -> None:
    line, kept = busy
    restore(line, kept)
    line.settle()
    line.client.delete(f"{PREFIX}:open:line1|bracket", f"{PREFIX}:gate")
    with pytest.raises(ViewMoved, match="DAMAGED"):
        line.queue.beat(line.projector._topic_id, line.projector._expected, 10_000)
    with pytest.raises(NotLive):
        line.queue.claim(Claimant("ada"), "t")


def test_what_another_tenant_keeps_is_left_alone(busy: tuple[Line, dict[bytes, bytes]]) -> None:
    line, kept = busy
    restore(line, kept)
    line.client.set("{line10.rq}:off", "another")
    line.client.set("{line1.rq}", "another")
    line.projector.rebuild()
    assert line.client.get("{line10.rq}:off") == line.client.get("{line1.rq}") == b"another"


def test_slots_are_looked_at_some_at_a_time_and_all_in_the_end(
    busy: tuple[Line, dict[bytes, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, kept = busy
    monkeypatch.setattr("linewarden_reinspect.queue.redis_queue._CHECKED", 5)
    for slot_id in line.slots:
        restore(line, kept)
        line.settle()
        line.client.hdel(f"{PREFIX}:i:{slot_id}", "open")
        line.settle()
        assert set(line.queue.dump()) == set(line.slots)
        assert line.client.hexists(f"{PREFIX}:i:{slot_id}", "open")


def test_a_refusal_of_the_server_is_no_damage(client: redis.Redis) -> None:
    client.flushall()
    clock = RedisClock(client, AT)
    queue = RedisQueue(client, PREFIX, TERMS, TEST_CLOCK)
    queue.wipe("t", {0: 0})
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(redis.RedisError):
            queue.apply("t", [Change(0, 0, opened(1))], {0: 0})
    finally:
        client.config_set("maxmemory", "0")
    assert clock.now_ms() == AT
