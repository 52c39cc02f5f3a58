"""How much the publisher sends at a time, how long it waits, what it counts, and what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.metrics import Losses
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable, DeliveryFailed, TooLarge
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.producer import MemoryDelivery
from linewarden_schemas.vocabulary import Loss
from tests.unit.ingest.lines import NAMESPACE, PLACE, captures, heartbeats, set_up_line
from tests.unit.ingest.test_publisher import Held, Mute, Refusing, broker, clock, drain, publisher, take

__all__ = ["broker", "clock"]


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> Iterator[Spool]:
    with Spool(tmp_path, SpoolLimits(capacity_bytes=1 << 20, segment_bytes=8_000), clock) as spool:
        yield spool


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def sent(producer: Held) -> int:
    return [topic for topic, _ in producer.sent].count("frames")


def acknowledge(producer: Held) -> None:
    for _, delivery in producer.sent:
        delivery.settle()
    producer.sent.clear()


def test_no_more_is_on_its_way_than_allowed_and_that_much_is(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 9, size=996)  # 1000 bytes each
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer, unacked_bytes=3000)
    publishing.step(0.0)
    publishing.step(0.0)
    assert sent(producer) == 3
    assert counted("linewarden_unacked_bytes", sender="cam0") == 3000
    clock.advance(7.0)
    publishing.step(0.0)
    assert counted("linewarden_unacked_age_seconds", sender="cam0") == 7.0
    before = counted("linewarden_ingest_published_total", camera="cam0")
    acknowledge(producer)
    publishing.step(0.0)
    assert sent(producer) == 3
    assert counted("linewarden_ingest_published_total", camera="cam0") == before + 3
    assert counted("linewarden_unacked_age_seconds", sender="cam0") == 0.0
    drained = [publishing.is_drained]
    for _ in range(2):
        acknowledge(producer)
        publishing.step(0.0)
        drained.append(publishing.is_drained)
    assert drained == [False, False, True]
    assert counted("linewarden_unacked_bytes", sender="cam0") == 0
    assert spool.acked_next == 9


def test_what_is_durable_and_not_sent_is_not_drained(spool: Spool, broker: MemoryBroker, clock: ManualClock) -> None:
    publishing = publisher(spool, broker, clock)
    drained = [publishing.is_drained]
    take(spool, 1)
    drained.append(publishing.is_drained)
    assert drained == [True, False]
    drain(publishing)


def test_a_producer_is_believed_for_as_long_as_the_rules_say(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 1)
    made: list[Producer] = [broker.producer(), Mute(broker)]
    mute = made[-1]
    publishing = publisher(spool, broker, clock, made.pop, unacked_age_s=60.0)
    before = counted("linewarden_producers_replaced_total", sender="cam0")
    publishing.step(0.0)
    clock.advance(60.0)
    publishing.step(0.0)
    assert len(made) == 1
    clock.advance(0.001)
    publishing.step(0.0)
    assert isinstance(mute, Mute)
    assert mute._closed
    publishing.step(0.0)
    assert not made
    assert counted("linewarden_producers_replaced_total", sender="cam0") == before + 1


def test_without_a_broker_it_asks_again_after_a_pause(spool: Spool, broker: MemoryBroker, clock: ManualClock) -> None:
    def none() -> Producer:
        raise BrokerUnavailable("down")

    publishing = publisher(spool, broker, clock, none, retry_s=1.0)
    publishing.step(0.2)
    assert clock.monotonic() == pytest.approx(1.0)
    publishing.step(3.0)
    assert clock.monotonic() == pytest.approx(4.0)
    publishing.beat(1.0)
    publishing.close()
    assert not heartbeats(broker)


def test_with_nothing_to_send_it_waits_unless_something_was_acknowledged_meanwhile(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(spool, 1)
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer, heartbeat_s=1e6)
    publishing.step(0.5)
    assert clock.monotonic() == 0.0
    publishing.step(0.5)
    assert clock.monotonic() == 0.5
    really = clock.wait

    def wait(event: threading.Event, seconds: float) -> bool:
        acknowledge(producer)
        return really(event, seconds)

    monkeypatch.setattr(clock, "wait", wait)
    publishing.step(0.5)
    assert clock.monotonic() == 0.5
    assert spool.acked_next == 1
    publishing.step(0.5)
    assert clock.monotonic() == 1.0


def test_the_last_heartbeat_is_waited_for_and_an_outage_costs_only_it(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(spool, 2)
    producer = broker.producer()
    flushed: list[float] = []

    def flush(timeout_s: float) -> None:
        flushed.append(timeout_s)
        raise BrokerUnavailable("down")

    monkeypatch.setattr(producer, "flush", flush)
    publishing = publisher(spool, broker, clock, lambda: producer)
    publishing.step(0.0)
    publishing.beat(7.0)
    assert flushed == [7.0]
    assert [one.last_sequence for one in heartbeats(broker)] == [1]


def test_closing_settles_what_was_acknowledged_and_closes_the_producer(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 2)
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer)
    publishing.step(0.0)
    acknowledge(producer)
    publishing.close()
    assert spool.acked_next == 2
    assert producer._closed


def test_a_heartbeat_comes_when_it_is_due_and_not_before(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    publishing = publisher(spool, broker, clock, heartbeat_s=5.0)
    found = []
    for seconds in (0.0, 4.9, 0.1, 4.9, 0.1):
        clock.advance(seconds)
        publishing.step(0.0)
        found.append(len(heartbeats(broker)))
    assert found == [0, 0, 1, 1, 2]


def test_a_heartbeat_that_cannot_be_sent_costs_the_producer_and_no_picture(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = broker.producer()
    made: list[Producer] = [broker.producer(), broken]
    publishing = publisher(spool, broker, clock, made.pop, heartbeat_s=5.0)
    publishing.step(0.0)

    def send(_record: object) -> None:
        raise DeliveryFailed("closed")

    monkeypatch.setattr(broken, "send", send)
    take(spool, 1)
    clock.advance(5.0)
    publishing.step(0.0)
    assert broken._closed
    drain(publishing)
    assert [one.sequence for one in captures(broker)] == [0]


@pytest.mark.parametrize("refusing", [True, False])
def test_a_picture_that_is_refused_for_its_size_is_counted_once(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, refusing: bool
) -> None:
    take(spool, 1, size=4_000)
    small = MemoryBroker(clock, max_record_bytes=3_000)
    new: Callable[[], Producer] = (lambda: Refusing(broker)) if refusing else small.producer
    losses = Losses("cam0")
    publishing = Publisher(
        spool, new, Outbound(NAMESPACE, PLACE, spool.epoch, 4), place=PLACE, losses=losses, clock=clock,
    )  # fmt: skip
    set_up_line(small)
    drain(publishing)
    assert losses.by_cause() == {Loss.OVERSIZE.value: 1}


def test_a_capture_that_nobody_takes_is_a_gap_that_is_counted(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    class Narrow(Held):
        def send(self, record: OutRecord) -> MemoryDelivery:
            if record.topic.endswith("captures"):
                raise TooLarge("MESSAGE_TOO_LARGE")
            return super().send(record)

    take(spool, 1)
    producer = Narrow(broker)
    before = counted("linewarden_ingest_gap_sequences_total", camera="cam0")
    publishing = publisher(spool, broker, clock, lambda: producer)
    publishing.step(0.0)
    acknowledge(producer)
    publishing.step(0.0)
    assert spool.acked_next == 1
    assert counted("linewarden_ingest_gap_sequences_total", camera="cam0") == before + 1
