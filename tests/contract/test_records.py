from collections.abc import Callable

import pytest

from linewarden_runtime.errors import DeliveryFailed, TooLarge
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import OutRecord, Position
from tests.contract.conftest import Traits
from tests.support.reading import take, values, visible, write

Topic = Callable[..., str]


def test_a_record_arrives_as_it_was_sent(broker: Broker, topic: Topic) -> None:
    name = topic()
    write(broker, [OutRecord(name, b"key", b"value", (("a", b"1"), ("empty", b""), ("a", b"2")))])
    (record,) = visible(broker, name)
    assert (record.topic, record.partition, record.offset) == (name, 0, 0)
    assert (record.key, record.value) == (b"key", b"value")
    assert record.headers == (("a", b"1"), ("empty", b""), ("a", b"2"))
    assert record.timestamp_ms > 0


def test_a_tombstone_arrives_as_none(broker: Broker, topic: Topic) -> None:
    name = topic()
    write(broker, [OutRecord(name, b"key", None)])
    assert values(visible(broker, name)) == [None]


def test_a_key_alone_chooses_the_partition_of_the_default_partitioner(broker: Broker, topic: Topic) -> None:
    name = topic(partitions=5)
    keys = [f"visit-{n}".encode() for n in range(30)]
    write(broker, [OutRecord(name, key, b"") for key in keys])
    assert {r.key: r.partition for r in visible(broker, name)} == {k: partition_of(k, 5) for k in keys}


def test_an_explicit_partition_wins_over_the_key(broker: Broker, topic: Topic) -> None:
    name = topic(partitions=3)
    write(broker, [OutRecord(name, b"slot", b"", partition=n) for n in range(3)])
    assert sorted(r.partition for r in visible(broker, name)) == [0, 1, 2]


def test_records_of_a_partition_keep_their_order(broker: Broker, topic: Topic) -> None:
    name = topic()
    sent = [str(n).encode() for n in range(200)]
    write(broker, [OutRecord(name, b"k", value) for value in sent])
    assert values(visible(broker, name)) == sent


def test_a_picture_of_four_mebibytes_passes(broker: Broker, topic: Topic) -> None:
    name = topic(max_message_bytes=str(6 << 20))
    picture = bytes(4 << 20)
    write(broker, [OutRecord(name, b"k", picture)])
    assert values(visible(broker, name)) == [picture]


def test_a_record_over_the_producers_limit_is_refused_as_too_large(broker: Broker, topic: Topic) -> None:
    name = topic()
    with broker.producer() as producer, pytest.raises(TooLarge):
        producer.send(OutRecord(name, b"k", bytes(20 << 20))).result(10)
    assert visible(broker, name) == []


def test_a_partition_that_does_not_exist_is_a_failed_delivery(broker: Broker, topic: Topic) -> None:
    name = topic()
    with broker.producer() as producer, pytest.raises(DeliveryFailed):
        producer.send(OutRecord(name, b"k", b"", partition=7)).result(10)


def test_a_delivery_tells_its_callbacks_and_carries_no_offset(broker: Broker, topic: Topic) -> None:
    name = topic()
    told: list[Exception | None] = []
    with broker.producer() as producer:
        delivery = producer.send(OutRecord(name, b"k", b""))
        delivery.add_done_callback(told.append)
        producer.flush(10)
        answer: object = delivery.result(10)  # type: ignore[func-returns-value]
        assert delivery.done()
    assert told == [None]
    assert answer is None


def test_a_reader_starts_where_it_is_told_and_seeks(broker: Broker, topic: Topic) -> None:
    name = topic()
    position = Position(name, 0)
    write(broker, [OutRecord(name, b"k", str(n).encode()) for n in range(6)])
    with broker.reader({position: 4}) as reader:
        assert values(take(reader, 2)) == [b"4", b"5"]
        reader.seek(position, 1)
        assert reader.position(position) == 1
        assert take(reader, 1)[0].value == b"1"
        assert reader.beginning_offsets([position]) == {position: 0}
        assert reader.end_offsets([position]) == {position: 6}
        assert reader.assignment() == {position}
        assert reader.partitions(name) == 1


def test_offsets_for_times_find_the_first_record_at_or_after(broker: Broker, topic: Topic, traits: Traits) -> None:
    name = topic()
    position = Position(name, 0)
    write(broker, [OutRecord(name, b"k", b"first")])
    first = visible(broker, name)[0].timestamp_ms
    with broker.reader({position: 0}) as reader:
        assert reader.offsets_for_times({position: first - 1000}) == {position: 0}
        after = reader.offsets_for_times({position: first + 3_600_000})[position]
    assert (after is None) == traits.none_after_last_time


def test_a_paused_partition_hands_out_nothing_and_loses_nothing(broker: Broker, topic: Topic) -> None:
    name = topic(partitions=2)
    write(broker, [OutRecord(name, b"k", str(n).encode(), partition=n % 2) for n in range(20)])
    with broker.reader({Position(name, 0): 0, Position(name, 1): 0}, max_records=3) as reader:
        first = take(reader, 1)
        reader.pause([Position(name, 0)])
        assert reader.paused() == {Position(name, 0)}
        rest = take(reader, 10 - sum(r.partition for r in first))
        assert {r.partition for r in rest} == {1}
        assert reader.poll(0.2) == []
        reader.resume([Position(name, 0)])
        last = take(reader, 20 - len(first) - len(rest))
    assert sorted(int(r.value or b"") for r in first + rest + last) == list(range(20))
