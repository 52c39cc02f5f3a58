"""Everything durable is published at least once with the same ids; the pointer follows acknowledgements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linewarden_ingest.cameras.interface import EncodedPicture, Shot
from linewarden_ingest.captures import build_capture
from linewarden_ingest.losses import Losses
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.publisher import Publisher, PublisherRules
from linewarden_ingest.spool.format import Kind
from linewarden_ingest.spool.limits import Limits
from linewarden_ingest.spool.spool import Spool
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable, TooLarge
from linewarden_runtime.memory import MemoryBroker
from linewarden_runtime.memory.faults import Fault
from linewarden_runtime.memory.producer import MemoryDelivery, MemoryProducer
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_schemas.vocabulary import Loss
from tests.unit.ingest.lines import NAMESPACE, PINS, PLACE, captures, frames, heartbeats, set_up_line

LIMITS = Limits(capacity_bytes=1 << 20, segment_bytes=8_000)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(clock: ManualClock) -> MemoryBroker:
    broker = MemoryBroker(clock)
    set_up_line(broker)
    return broker


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> Iterator[Spool]:
    with Spool(tmp_path, LIMITS, clock) as spool:
        yield spool


def picture(number: int, size: int = 1000) -> bytes:
    return b"\x89PNG" + bytes([number]) * size


def take(spool: Spool, count: int, size: int = 1000) -> None:
    for _ in range(count):
        number = spool.next_sequence
        encoded = EncodedPicture(picture(number, size), "image/png")
        capture = build_capture(
            Shot(number, 5_000 + number, encoded),
            encoded,
            loss=None,
            place=PLACE,
            pins=PINS,
            spool_epoch=spool.epoch,
            sequence=number,
        )
        spool.append(Ticket(capture, number, 3, "image/png").to_bytes(), encoded.data)
    spool.sync()


class Mute(MemoryProducer):
    """A producer that accepts everything and never answers, as one that is wedged does."""

    class _Pending(MemoryDelivery):
        def __init__(self) -> None:
            super().__init__(None)

        def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
            pass

    def send(self, record: OutRecord) -> MemoryDelivery:
        return self._Pending()


def publisher(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, new: Callable[[], Producer] | None = None, **rules: float
) -> Publisher:
    return Publisher(
        spool,
        new or broker.producer,
        Outbound(NAMESPACE, PLACE, spool.epoch, 4),
        place=PLACE,
        losses=Losses("cam0"),
        clock=clock,
        rules=PublisherRules(**rules),  # type: ignore[arg-type]
    )


def drain(publisher: Publisher) -> None:
    for _ in range(200):
        if publisher.is_drained:
            publisher.close()
            return
        publisher.step(0.0)
    raise AssertionError("not drained")


def test_frames_and_captures_arrive_untouched_in_the_partition_of_their_visit(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 12)
    drain(publisher(spool, broker, clock))
    assert [one.sequence for one in captures(broker)] == list(range(12))
    found = {frame.meta.frame_id: frame for frame in frames(broker)}
    for capture in captures(broker):
        assert found[capture.frame_id].picture == picture(capture.sequence)
        assert found[capture.frame_id].meta.sha256 == capture.sha256
    for record in [*broker.records("line1.frames"), *broker.records("line1.captures")]:
        assert record.key is not None
        assert record.partition == partition_of(record.key, 4)
    assert spool.acked_next == 12


def test_the_pointer_stays_before_a_record_without_acknowledgement(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 3)
    publishing = publisher(spool, broker, clock, lambda: Mute(broker))
    for _ in range(10):
        publishing.step(0.0)
    assert spool.acked_next == 0
    assert not publishing.is_drained


def test_a_producer_that_stopped_delivering_is_replaced_and_everything_sent_again(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 3)
    made: list[Producer] = [broker.producer(), Mute(broker)]
    publishing = publisher(spool, broker, clock, made.pop, unacked_age_s=60.0)
    for _ in range(5):
        publishing.step(0.0)
    clock.advance(61)
    drain(publishing)
    assert [one.sequence for one in captures(broker)] == [0, 1, 2]


def test_a_failed_delivery_is_sent_again_under_the_same_id(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 3)
    broker.faults.order(Fault.DELIVERY, Fault.DELIVERY)
    drain(publisher(spool, broker, clock))
    assert {one.sequence for one in captures(broker)} == {0, 1, 2}
    assert len({frame.meta.frame_id for frame in frames(broker)}) == 3


def test_the_next_process_sends_again_what_was_not_acknowledged(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 2)
    publisher(spool, broker, clock, lambda: Mute(broker)).step(0.0)
    drain(publisher(spool, broker, clock))
    assert [one.sequence for one in captures(broker)] == [0, 1]


def test_without_a_broker_it_waits_and_goes_on(spool: Spool, broker: MemoryBroker, clock: ManualClock) -> None:
    take(spool, 2)
    answers: list[Producer | None] = [broker.producer(), None, None]

    def new() -> Producer:
        made = answers.pop()
        if made is None:
            raise BrokerUnavailable("down")
        return made

    drain(publisher(spool, broker, clock, new))
    assert len(captures(broker)) == 2


def test_a_picture_that_the_client_refuses_for_its_size_is_a_capture_with_its_loss(
    spool: Spool, clock: ManualClock
) -> None:
    small = MemoryBroker(clock, max_record_bytes=3_000)
    set_up_line(small)
    take(spool, 1)
    take(spool, 1, size=4_000)
    drain(publisher(spool, small, clock))
    assert [one.lost for one in captures(small)] == [None, Loss.OVERSIZE]
    assert len(frames(small)) == 1


class Late(MemoryDelivery):
    """A failure that is not known at once."""

    def done(self) -> bool:
        return False


class Refusing(MemoryProducer):
    """The broker refuses frames for their size, as a topic with a smaller limit does: after the send."""

    def send(self, record: OutRecord) -> MemoryDelivery:
        if record.topic.endswith("frames"):
            return Late(TooLarge("MESSAGE_TOO_LARGE"))
        return super().send(record)


def test_a_picture_that_the_broker_refuses_for_its_size_is_told_and_does_not_stop_the_rest(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 3)
    drain(publisher(spool, broker, clock, lambda: Refusing(broker)))
    assert {one.sequence for one in captures(broker) if one.lost is Loss.OVERSIZE} == {0, 1, 2}
    assert spool.acked_next == 3


def test_a_damaged_picture_is_a_capture_with_its_loss_and_a_damaged_header_a_gap(
    tmp_path: Path, broker: MemoryBroker, clock: ManualClock
) -> None:
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        take(spool, 4)
        path = spool.segments[0].path
    raw = bytearray(path.read_bytes())
    raw[raw.index(picture(1)) + 500] ^= 1
    raw[raw.index(picture(2)) - 20] ^= 1
    path.write_bytes(bytes(raw))
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        drain(publisher(spool, broker, clock))
        assert spool.acked_next == 4
    assert [(one.sequence, one.lost) for one in captures(broker)] == [(0, None), (1, Loss.SPOOL_CORRUPT), (3, None)]


def test_a_dropped_picture_says_so(spool: Spool, broker: MemoryBroker, clock: ManualClock) -> None:
    take(spool, 2)
    spool.shed()
    drain(publisher(spool, broker, clock))
    assert [one.lost for one in captures(broker)] == [Loss.DROPPED_OLDEST] * 2
    assert not frames(broker)


def test_a_capture_without_picture_is_published_alone(spool: Spool, broker: MemoryBroker, clock: ManualClock) -> None:
    capture = build_capture(
        Shot(0, 1, None), None, loss=Loss.CAMERA_FAULT, place=PLACE, pins=PINS, spool_epoch=spool.epoch, sequence=0
    )
    spool.append(Ticket(capture, 0, 3, None).to_bytes(), b"", Kind.BARE)
    spool.sync()
    drain(publisher(spool, broker, clock))
    assert [one.lost for one in captures(broker)] == [Loss.CAMERA_FAULT]
    assert not frames(broker)


def test_the_heartbeat_tells_the_last_durable_sequence_even_if_its_capture_never_arrives(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 3)
    publishing = publisher(spool, broker, clock, heartbeat_s=5.0, unacked_bytes=1)  # one picture a step
    publishing.step(0.0)
    clock.advance(6)
    publishing.step(0.0)
    (beat,) = heartbeats(broker)
    assert (beat.camera_id, beat.spool_epoch, beat.last_sequence) == ("cam0", spool.epoch, 2)
    assert len(captures(broker)) < 3
    records = [r for r in broker.records("line1.captures") if r.key == b"cam0"]
    assert [r.partition for r in records] == [partition_of("cam0", 4)]
