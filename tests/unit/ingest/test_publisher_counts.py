"""Nothing lost, nothing sent twice without need, and everything that is missing counted once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from linewarden_ingest.metrics import Losses
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.spool.reader import Record
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import DeliveryFailed, TooLarge
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.producer import MemoryDelivery
from linewarden_schemas.capture import Capture
from linewarden_schemas.envelope import decode
from linewarden_schemas.vocabulary import Loss
from tests.simulation.filesystem import SimulatedFiles
from tests.unit.ingest.lines import NAMESPACE, PLACE, captures, heartbeats
from tests.unit.ingest.test_publisher import Held, Mute, broker, clock, drain, picture, publisher, take
from tests.unit.ingest.test_publisher_pace import acknowledge, counted, spool

__all__ = ["broker", "clock", "spool"]
LIMITS = SpoolLimits(capacity_bytes=1 << 20, segment_bytes=8_000)
GAPS, PUBLISHED, REPLACED = (
    ("linewarden_ingest_gap_sequences_total", {"camera": "cam0"}),
    ("linewarden_ingest_published_total", {"camera": "cam0"}),
    ("linewarden_producers_replaced_total", {"sender": "cam0"}),
)


def counting(spool: Spool, new: Callable[[], Producer], clock: ManualClock) -> tuple[Publisher, Losses]:
    losses = Losses("cam0")
    outbound = Outbound(NAMESPACE, PLACE, spool.epoch, 4)
    return Publisher(spool, new, outbound, place=PLACE, losses=losses, clock=clock), losses


def sequences(records: list[OutRecord]) -> list[int]:
    """Of the captures among them."""
    found = [decode(one.headers, one.value).message for one in records]
    return [one.sequence for one in found if isinstance(one, Capture)]


class Noting(Held):
    """Notes what it is asked to send."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.records: list[OutRecord] = []

    def send(self, record: OutRecord) -> MemoryDelivery:
        self.records.append(record)
        return super().send(record)


def test_each_record_that_was_acknowledged_counts_as_published_once(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer)
    before = counted(PUBLISHED[0], **PUBLISHED[1])
    found = []
    for _ in range(3):
        take(spool, 2)
        publishing.step(0.0)
        acknowledge(producer)
        publishing.step(0.0)
        found.append(counted(PUBLISHED[0], **PUBLISHED[1]) - before)
    assert found == [2, 4, 6]


def test_what_was_acknowledged_before_the_producer_broke_is_not_sent_again(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 3)
    old, new = Noting(broker), Noting(broker)
    made: list[Producer] = [new, old]
    publishing = publisher(spool, broker, clock, made.pop)
    publishing.step(0.0)
    for _, delivery in old.sent[:2]:  # frame and capture of the first record
        delivery.settle()
    old.sent[3][1].settle(DeliveryFailed("broken"))
    for _ in range(3):
        publishing.step(0.0)
    assert spool.acked_next == 1
    assert sequences([one for one in new.records if one.topic.endswith("captures")]) == [1, 2]


def test_a_producer_is_not_replaced_at_the_last_moment_that_it_is_believed(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 1)
    mute = Mute(broker)
    publishing = publisher(spool, broker, clock, lambda: mute, unacked_age_s=60.0)
    publishing.step(0.0)
    clock.advance(60.0)
    publishing.step(0.0)
    assert not mute._closed


def test_a_heartbeat_that_cannot_be_sent_replaces_the_producer_though_nothing_else_is_sent(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = broker.producer()
    made: list[Producer] = [broker.producer(), broken]
    publishing = publisher(spool, broker, clock, made.pop, heartbeat_s=5.0)
    before = counted(REPLACED[0], **REPLACED[1])
    publishing.step(0.0)

    def send(_record: object) -> None:
        raise DeliveryFailed("closed")

    monkeypatch.setattr(broken, "send", send)
    for _ in range(2):
        clock.advance(5.0)
        publishing.step(0.0)
    assert broken._closed
    assert counted(REPLACED[0], **REPLACED[1]) == before + 1
    assert len(heartbeats(broker)) == 1


def test_a_heartbeat_that_the_broker_refuses_costs_the_producer_and_no_sequence(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 1)
    refusing = Held(broker)
    made: list[Producer] = [broker.producer(), refusing]
    publishing = publisher(spool, broker, clock, made.pop, heartbeat_s=5.0)
    gaps, replaced = counted(GAPS[0], **GAPS[1]), counted(REPLACED[0], **REPLACED[1])
    publishing.step(0.0)
    clock.advance(5.0)
    publishing.step(0.0)
    refusing.sent[-1][1].settle(TooLarge("MESSAGE_TOO_LARGE"))
    publishing.step(0.0)
    drain(publishing)
    assert counted(GAPS[0], **GAPS[1]) == gaps
    assert counted(REPLACED[0], **REPLACED[1]) == replaced + 1
    assert [one.sequence for one in captures(broker)] == [0]


def test_a_damaged_picture_is_counted_as_lost_and_a_damaged_header_as_a_gap(
    tmp_path: Path, broker: MemoryBroker, clock: ManualClock
) -> None:
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        take(spool, 4)
        path = spool.segments[0].path
    raw = bytearray(path.read_bytes())
    raw[raw.index(picture(1)) + 500] ^= 1
    raw[raw.index(picture(2)) - 20] ^= 1
    path.write_bytes(bytes(raw))
    before = counted(GAPS[0], **GAPS[1])
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        publishing, losses = counting(spool, broker.producer, clock)
        drain(publishing)
    assert losses.by_cause() == {Loss.SPOOL_CORRUPT.value: 1}
    assert counted(GAPS[0], **GAPS[1]) == before + 1


def test_a_picture_that_was_cut_off_is_counted_as_lost(
    tmp_path: Path, broker: MemoryBroker, clock: ManualClock
) -> None:
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        take(spool, 2)
        path = spool.segments[0].path
    path.write_bytes(path.read_bytes()[:-100])
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        publishing, losses = counting(spool, broker.producer, clock)
        drain(publishing)
    assert [one.lost for one in captures(broker)] == [None, Loss.SPOOL_CORRUPT]
    assert losses.by_cause() == {Loss.SPOOL_CORRUPT.value: 1}


def test_sequences_lost_at_the_end_are_told_once_and_passed_by_for_good(
    tmp_path: Path, broker: MemoryBroker, clock: ManualClock
) -> None:
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        take(spool, 1)
        spool.append(b"rubbish", b"")
    before = counted(GAPS[0], **GAPS[1])
    for _ in range(2):
        with Spool(tmp_path / "s", LIMITS, clock) as spool:
            drain(publisher(spool, broker, clock))
            assert spool.acked_next == 2
    assert counted(GAPS[0], **GAPS[1]) == before + 1


def test_a_picture_of_a_kind_unknown_here_is_counted_as_lost(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 1)
    record = spool.reader().next()
    assert isinstance(record, Record)
    other = record.header.replace(b"image/png", b"image/jxl").replace(b'"sequence":0', b'"sequence":1')
    spool.append(other, picture(1))
    spool.sync()
    publishing, losses = counting(spool, broker.producer, clock)
    drain(publishing)
    assert losses.by_cause() == {Loss.UNREADABLE.value: 1}


def test_closing_leaves_no_segment_open(broker: MemoryBroker, clock: ManualClock) -> None:
    files = SimulatedFiles(3)
    with Spool(Path("/spool"), LIMITS, clock, files=files) as spool:
        take(spool, 3)
    spool = Spool(Path("/spool"), LIMITS, clock, files=files)
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer)
    before = files.descriptors
    publishing.step(0.0)
    publishing.close()
    assert files.descriptors == before
    spool.close()
    assert files.descriptors == 0
