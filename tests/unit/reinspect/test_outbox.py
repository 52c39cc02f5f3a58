"""Transitions of the queue reach Kafka, whoever dies on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linewarden_reinspect.queue.types import Change, Claimant
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.outbox import Outbox
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.decision import QueueEvent
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from tests.support.queue_model.memory import MemoryQueue
from tests.support.reading import visible
from tests.unit.reinspect.slots import AT, PARTITIONS, opened

LINE = Namespace("line1")


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker(ManualClock(AT))
    with broker.admin() as admin:
        provision_topics(admin, LINE, PARTITIONS)
    return broker


@pytest.fixture
def queue() -> MemoryQueue:
    queue = MemoryQueue(ManualClock(AT))
    queue.wipe("topic", {0: 0})
    queue.beat("topic", {0: 0}, 60_000)
    return queue


@pytest.fixture
def bus(broker: MemoryBroker) -> Iterator[StationBus]:
    bus = StationBus(lambda: broker.producer(client="station"), LINE, PARTITIONS, ManualClock(AT), 3.0)
    yield bus
    bus.close()


def carry(outbox: Outbox, bus: StationBus) -> None:
    outbox.carry()
    bus.drain()


def told(broker: MemoryBroker) -> list[tuple[str, str]]:
    records = visible(broker, LINE.topic("queue-events"))
    events = [decode(record.headers, record.value) for record in records if record.value is not None]
    return [(one.id, one.message.event) for one in events if isinstance(one.message, QueueEvent)]


def claim(queue: MemoryQueue, number: int = 1) -> None:
    queue.apply("topic", [Change(0, number, opened=opened(number))], {0: 0})
    assert queue.claim(Claimant("ada"), f"t{number}").lease is not None


def test_every_transition_is_carried_once_and_then_dropped(
    broker: MemoryBroker, queue: MemoryQueue, bus: StationBus
) -> None:
    outbox = Outbox(queue, bus, ManualClock(AT))
    claim(queue)
    carry(outbox, bus)
    carry(outbox, bus)
    assert [event for _, event in told(broker)] == ["opened", "claimed"]
    assert queue.events() == ()


def test_what_kafka_does_not_confirm_is_sent_again(broker: MemoryBroker, queue: MemoryQueue, bus: StationBus) -> None:
    outbox = Outbox(queue, bus, ManualClock(AT))
    claim(queue)
    broker.faults.order(Fault.DELIVERY)
    carry(outbox, bus)
    carry(outbox, bus)
    carry(outbox, bus)
    assert sorted(event for _, event in told(broker)) == ["claimed", "opened"]
    assert queue.events() == ()


def test_a_station_that_died_before_it_dropped_them_leaves_doubles_with_the_same_ids(
    broker: MemoryBroker, queue: MemoryQueue, bus: StationBus
) -> None:
    claim(queue)
    carry(Outbox(queue, bus, ManualClock(AT)), bus)
    assert len(queue.events()) == 2
    carry(Outbox(queue, bus, ManualClock(AT)), bus)
    names = [name for name, _ in told(broker)]
    assert (len(names), len(set(names))) == (4, 2)
