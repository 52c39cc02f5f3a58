"""The view in a real Redis, filled from a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from linewarden_reinspect.queue.errors import NotLive
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import Claimant, Terms
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import PARTITIONS, opened, record
from tests.unit.reinspect.sockets import UNCLOSED

pytestmark = UNCLOSED

Copy = dict[bytes, bytes]


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as one:
        yield one


@pytest.fixture
def made(tansu_broker: KafkaBroker, client: redis.Redis, namespace: str) -> Iterator[Rig]:
    queue = RedisQueue(client, Namespace(namespace).redis_prefix())
    with rig(tansu_broker, queue, SystemClock(), namespace) as one:
        yield one


def send(made: Rig, *numbers: int) -> None:
    for number in numbers:
        made.send_slot(opened(number))


def fresh(made: Rig, client: redis.Redis) -> object:
    """A second view of the same topic, built from its start."""
    other = RedisQueue(client, "{fresh.rq}")
    with rig(made.broker, other, made.clock, made.namespace.name) as second:
        second.projector.catch_up()
        return other.dump()


def copy_of(client: redis.Redis) -> Copy:
    return {key: client.dump(key) for key in client.keys("*")}  # type: ignore[misc]  # redis-py types for text and bytes


def fail_over(client: redis.Redis, copy: Copy) -> None:
    """What a promoted replica that lags behind looks like."""
    client.flushall()
    for key, value in copy.items():
        client.restore(key, 0, value)


def until(made: Rig, holds: Callable[[], bool]) -> None:
    """Step until it holds; the test's own timeout ends what never does."""
    while not holds():
        made.projector.step()


def test_after_a_total_loss_the_view_comes_back_equal_to_a_fresh_one(made: Rig, client: redis.Redis) -> None:
    send(made, *range(20))
    for number in range(0, 20, 3):
        made.send_close(opened(number))
    made.projector.catch_up()
    before = made.queue.dump()
    client.flushall()
    until(made, lambda: made.queue.standing().live)
    assert made.queue.dump() == before == fresh(made, client)
    assert set(before) == {opened(number).slot_id for number in range(20) if number % 3}


def test_an_older_copy_is_brought_up_to_date_without_losing_or_reviving_a_slot(made: Rig, client: redis.Redis) -> None:
    send(made, 1, 2, 3)
    made.projector.catch_up()
    copy = copy_of(client)
    made.send_close(opened(1))
    send(made, 4)
    made.projector.catch_up()
    fail_over(client, copy)
    until(made, lambda: set(made.queue.dump()) == {opened(number).slot_id for number in (2, 3, 4)})
    assert made.queue.dump() == fresh(made, client)


@pytest.mark.parametrize("count", [51, 500])
def test_strays_leave_following_and_rebuilding_whole(made: Rig, client: redis.Redis, count: int) -> None:
    send(made, 1)
    topic = made.topic("reinspections")
    for number in range(count):
        made.producer.send(OutRecord(topic, b"x", b"stray", (), number % PARTITIONS)).result(10)
    send(made, 2)
    made.projector.catch_up()
    assert set(made.queue.dump()) == {opened(number).slot_id for number in (1, 2)}
    assert made.projector.rebuild() == count + 2
    assert made.queue.standing().live
    assert made.queue.dump() == fresh(made, client)


def test_doubled_records_make_no_second_slot(made: Rig, client: redis.Redis) -> None:
    for _ in range(3):
        made.producer.send(record(opened(1), PARTITIONS, made.topic("reinspections"))).result(10)
    made.projector.catch_up()
    assert set(made.queue.dump()) == {opened(1).slot_id}
    lease = made.queue.claim(Claimant("ada"), "t1").lease
    assert lease is not None
    made.send_slot(opened(1))
    made.projector.catch_up()
    assert made.queue.claim(Claimant("bob"), "t2").lease is None


def test_a_projector_that_starts_again_goes_on_where_the_view_stands(made: Rig) -> None:
    send(made, 1, 2)
    made.projector.catch_up()
    lease = made.queue.claim(Claimant("ada"), "t1").lease
    assert lease is not None
    with rig(made.broker, made.queue, made.clock, made.namespace.name) as successor:
        assert successor.projector.synchronise() is None
        assert made.queue.renew(lease.slot.slot_id, "t1").slot == lease.slot


def test_a_rebuild_on_demand_closes_the_gate_until_the_view_is_whole(made: Rig) -> None:
    send(made, *range(5))
    made.queue.wipe("other-topic", dict.fromkeys(range(PARTITIONS), 0))
    with pytest.raises(NotLive):
        made.queue.claim(Claimant("ada"), "t1")
    assert made.projector.rebuild() == 5
    assert made.queue.claim(Claimant("ada"), "t1").lease is not None


def test_many_claimants_at_once_never_hold_the_same_slot(made: Rig) -> None:
    send(made, *range(30))
    made.projector.catch_up()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: made.queue.claim(Claimant(f"op{n % 8}"), f"t{n}").lease, range(40)))
    held = [lease.slot.slot_id for lease in claims if lease]
    assert len(held) == len(set(held)) == 30


def test_a_lease_ends_by_the_servers_clock(client: redis.Redis, made: Rig) -> None:
    send(made, 1)
    made.projector.catch_up()
    hasty = RedisQueue(client, made.namespace.redis_prefix(), Terms(lease_ms=1))
    first = hasty.claim(Claimant("ada"), "t1").lease
    assert first is not None
    while not (second := hasty.claim(Claimant("bob"), "t2").lease):
        pass
    assert second.slot == first.slot
