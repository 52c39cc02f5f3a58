"""Everything durable is published at least once with the same ids; the pointer follows acknowledgements."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linewarden_ingest.cameras.interface import EncodedPicture, Shot
from linewarden_ingest.captures import build_capture
from linewarden_ingest.metrics import GAPS, Losses
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.spool.format import Kind
from linewarden_ingest.spool.reader import Record
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable, DeliveryFailed, TooLarge
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Producer
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.faults import Fault
from linewarden_runtime.testing.producer import MemoryDelivery, MemoryProducer
from linewarden_schemas.vocabulary import Loss
from tests.simulation.filesystem import SimulatedFiles
from tests.unit.ingest.lines import NAMESPACE, PINS, PLACE, captures, frames, heartbeats, set_up_line

LIMITS = SpoolLimits(capacity_bytes=1 << 20, segment_bytes=8_000)


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
        **rules,  # type: ignore[arg-type]
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


class Waiting(MemoryDelivery):
    """Acknowledged when the test says so."""

    def __init__(self) -> None:
        super().__init__(None)
        self.callbacks: list[Callable[[Exception | None], None]] = []

    def done(self) -> bool:
        return False

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        self.callbacks.append(callback)

    def settle(self, error: Exception | None = None) -> None:
        for callback in self.callbacks:
            callback(error)


class Held(MemoryProducer):
    """Keeps every record until the test acknowledges it."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.sent: list[tuple[str, Waiting]] = []

    def send(self, record: OutRecord) -> MemoryDelivery:
        self.sent.append((record.topic.rpartition(".")[2], Waiting()))
        return self.sent[-1][1]


@pytest.mark.parametrize("first", ["frames", "captures"])
def test_the_pointer_moves_when_frame_and_capture_are_both_acknowledged(
    spool: Spool, broker: MemoryBroker, clock: ManualClock, first: str
) -> None:
    take(spool, 1)
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer)
    publishing.step(0.0)
    for topic in (first, ({"frames", "captures"} - {first}).pop()):
        assert spool.acked_next == 0
        dict(producer.sent)[topic].settle()
        publishing.step(0.0)
    assert spool.acked_next == 1


def test_what_a_replaced_producer_says_later_counts_for_nothing(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 2)
    old, new = Held(broker), Held(broker)
    made: list[Producer] = [new, old]
    publishing = publisher(spool, broker, clock, made.pop)
    publishing.step(0.0)
    old.sent[1][1].settle(DeliveryFailed("broken"))
    for _ in range(3):
        publishing.step(0.0)
    for _, delivery in old.sent:
        delivery.settle()
        delivery.settle(DeliveryFailed("closed"))
    publishing.step(0.0)
    assert spool.acked_next == 0
    for _, delivery in new.sent:
        delivery.settle()
    publishing.step(0.0)
    assert spool.acked_next == 2


def test_a_capture_that_the_broker_refuses_for_its_size_stops_nothing(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 2)
    producer = Held(broker)
    publishing = publisher(spool, broker, clock, lambda: producer)
    publishing.step(0.0)
    for number, (topic, delivery) in enumerate(producer.sent):
        delivery.settle(TooLarge("MESSAGE_TOO_LARGE") if topic == "captures" and number < 2 else None)
    publishing.step(0.0)
    assert spool.acked_next == 2


def test_where_the_producer_breaks_while_a_loss_is_told_it_is_told_by_the_next(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 1)
    broken = Held(broker)
    made: list[Producer] = [broker.producer(), broken]
    publishing = publisher(spool, broker, clock, made.pop)
    publishing.step(0.0)
    broken.send = lambda _record: (_ for _ in ()).throw(DeliveryFailed("closed"))  # type: ignore[method-assign,assignment]
    broken.sent[0][1].settle(TooLarge("MESSAGE_TOO_LARGE"))
    drain(publishing)
    assert [one.sequence for one in captures(broker)] == [0]


def newer(raw: bytes, **fields: object) -> bytes:
    """A ticket as a newer version wrote it."""
    line, _, value = raw.partition(b"\n")
    return line + b"\n" + json.dumps(json.loads(value) | fields).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"part_id_source": "smelled"},
        {"line_state": {"mode": "sleeping", "since_ms": 5}},
        {"returned": {"previous_visit_id": "v1", "authority": 5}},
        {"size_bytes": "many", "decide_by_ms": "soon"},
        {"sha256": None, "lost": "lens_cap"},
    ],
)
def test_a_capture_that_only_another_version_understands_is_told_as_lost_and_stops_nothing(
    tmp_path: Path, broker: MemoryBroker, clock: ManualClock, fields: dict[str, object]
) -> None:
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        take(spool, 1)
        ticket = spool.reader().next()
        assert isinstance(ticket, Record)
        spool.append(newer(ticket.header, sequence=1, frame_id="f1", **fields), picture(1))
        take(spool, 1)
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        losses = Losses("cam0")
        publishing = publisher(spool, broker, clock)
        publishing._losses = losses
        drain(publishing)
        assert spool.acked_next == 3
    assert [(one.sequence, one.lost) for one in captures(broker)] == [(0, None), (1, Loss.UNREADABLE), (2, None)]
    assert len(frames(broker)) == 2
    assert losses.by_cause() == {"unreadable": 1}


@pytest.mark.parametrize("header", [b"rubbish", b"1 2 -\n[]", b"1 2 -\nrubbish", b"\xff", b"x y z\n{}", b"1 2 -\n{}"])
def test_a_ticket_of_which_nothing_can_be_used_is_a_gap_and_stops_nothing(
    tmp_path: Path, broker: MemoryBroker, clock: ManualClock, header: bytes
) -> None:
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        take(spool, 1)
        spool.append(header, b"")
        take(spool, 1)
    with Spool(tmp_path / "s", LIMITS, clock) as spool:
        before = GAPS.labels(camera="cam0")._value.get()
        drain(publisher(spool, broker, clock))
        assert spool.acked_next == 3
        assert GAPS.labels(camera="cam0")._value.get() == before + 1
    assert [one.sequence for one in captures(broker)] == [0, 2]


def test_a_picture_of_a_kind_unknown_here_is_a_capture_with_its_loss(
    spool: Spool, broker: MemoryBroker, clock: ManualClock
) -> None:
    take(spool, 1)
    record = spool.reader().next()
    assert isinstance(record, Record)
    other = record.header.replace(b"image/png", b"image/jxl").replace(b'"sequence":0', b'"sequence":1')
    spool.append(other, picture(1))
    spool.sync()
    drain(publisher(spool, broker, clock))
    assert [one.lost for one in captures(broker)] == [None, Loss.UNREADABLE]
    assert len(frames(broker)) == 1


def test_what_a_heartbeat_tells_is_durable_before_it_is_told(broker: MemoryBroker, clock: ManualClock) -> None:
    files = SimulatedFiles(3)
    folder = Path("/spool")
    spool = Spool(folder, LIMITS, clock, files=files)
    take(spool, 3)
    producer = Held(broker)
    sends = producer.send

    def send(record: OutRecord) -> MemoryDelivery:
        if record.key == b"cam0":
            files.cut_power()
        return sends(record)

    producer.send = send  # type: ignore[method-assign]
    publisher(spool, broker, clock, lambda: producer).beat(0.0)
    publishing = publisher(spool, broker, clock, lambda: producer, heartbeat_s=0.0)
    publishing.step(0.0)
    (newest,) = [name for name in files.names(folder) if name.endswith(".seg")]
    files.damage(folder / newest, b"")
    assert Spool(folder, LIMITS, clock, files=files).next_sequence == 3


def test_without_room_to_remember_it_nothing_is_told(broker: MemoryBroker, clock: ManualClock) -> None:
    files = SimulatedFiles(3)
    spool = Spool(Path("/spool"), LIMITS, clock, files=files)
    take(spool, 2)
    publishing = publisher(spool, broker, clock, heartbeat_s=5.0)
    publishing.step(0.0)
    clock.advance(6)
    files.fail("write", errno.ENOSPC, "marks", times=2)  # the pointer is saved too
    publishing.step(0.0)
    assert not heartbeats(broker)
    clock.advance(6)
    publishing.step(0.0)
    assert [one.last_sequence for one in heartbeats(broker)] == [1]
