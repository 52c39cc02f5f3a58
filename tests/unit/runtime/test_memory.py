"""What the in-memory broker has beyond the contract that every broker keeps."""

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import DeliveryFailed, Fenced, TransactionFailed
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_runtime.testing.producer import MemoryProducer


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.create_topics([TopicSpec("t", 1)])
    return made


def test_faults_happen_in_the_order_they_were_ordered(broker: MemoryBroker) -> None:
    broker.faults.order(Fault.DELIVERY, Fault.SEND)
    with broker.producer() as producer, pytest.raises(DeliveryFailed):
        producer.send(OutRecord("t", b"k", b"")).result()
    with broker.transactional_producer("id") as producer:
        producer.init()
        with pytest.raises(TransactionFailed):
            producer.transact([OutRecord("t", b"k", b"")])
    assert broker.records("t") == []


def test_a_commit_whose_answer_is_lost_is_in_the_log_all_the_same(broker: MemoryBroker) -> None:
    broker.faults.order(Fault.COMMIT_LOST)
    producer = broker.transactional_producer("id")
    producer.init()
    with pytest.raises(TransactionFailed):
        producer.transact([OutRecord("t", b"k", b"v")])
    assert [r.value for r in broker.records("t")] == [b"v"]


def test_markers_take_offsets_as_on_a_real_broker(broker: MemoryBroker) -> None:
    with broker.transactional_producer("id") as producer:
        producer.init()
        producer.transact([OutRecord("t", b"k", b"a")])
        producer.transact([OutRecord("t", b"k", b"b")])
    assert [record.offset for record in broker.records("t")] == [0, 2]
    position = Position("t", 0)
    with broker.reader({position: 0}) as reader:
        reader.poll(0)
        assert reader.position(position) == 4


def test_compaction_keeps_the_newest_of_each_key(broker: MemoryBroker) -> None:
    for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", None)):
        broker.append(OutRecord("t", key.encode(), value))
    broker.log(Position("t", 0)).compact()
    assert [(r.offset, r.value) for r in broker.records("t")] == [(2, b"3"), (3, None)]


def test_an_evicted_member_joins_again_at_its_next_poll(broker: MemoryBroker) -> None:
    consumer = broker.consumer(group="g", topics=["t"])
    consumer.poll(0)
    broker.evict("g")
    assert not consumer.group().may_commit
    consumer.poll(0)
    assert consumer.group().may_commit


def test_a_static_member_taken_over_is_fenced_at_its_commit(broker: MemoryBroker) -> None:
    old, new = (broker.consumer(group="g", topics=["t"], instance="s") for _ in range(2))
    old.poll(0)
    generation = old.group().generation
    new.poll(0)
    assert new.group().generation == generation
    with pytest.raises(Fenced):
        old.commit({Position("t", 0): 1})


def test_the_markers_of_a_transaction_may_reach_its_partitions_one_by_one(broker: MemoryBroker) -> None:
    broker.create_topics([TopicSpec("u", 1)])
    broker.faults.order(Fault.APART)
    producer = broker.transactional_producer("id")
    producer.init()
    producer.transact([OutRecord("t", b"k", b"1"), OutRecord("u", b"k", b"2")])
    assert broker.records("t") == broker.records("u") == []
    broker.write_markers("id", 1)
    assert [[record.value for record in broker.records(topic)] for topic in ("t", "u")] == [[b"1"], []]
    broker.transactional_producer("id").init()
    assert [record.value for record in broker.records("u")] == [b"2"]


def test_a_torn_transaction_is_visible_in_a_part_of_its_partitions_and_commits_no_offsets(
    broker: MemoryBroker,
) -> None:
    broker.create_topics([TopicSpec("u", 1)])
    broker.faults.order(Fault.TORN)
    consumer = broker.consumer(group="g", topics=["u"])
    consumer.poll(0)
    producer = broker.transactional_producer("id")
    producer.init()
    outputs = [OutRecord("t", b"k", b"1"), OutRecord("u", b"k", b"2")]
    with pytest.raises(TransactionFailed):
        producer.transact(outputs, {Position("u", 0): 7}, consumer.group())
    assert [[record.value for record in broker.records(topic)] for topic in ("t", "u")] == [[b"1"], []]
    assert consumer.committed([Position("u", 0)]) == {Position("u", 0): 0}


def test_each_topic_is_stamped_by_the_clock_that_it_is_configured_for() -> None:
    broker, camera = MemoryBroker(ManualClock(5_000)), ManualClock(1_000)
    settings = {"message.timestamp.type": "LogAppendTime"}
    broker.create_topics([TopicSpec("append", 1, settings), TopicSpec("create", 1)])
    producer = MemoryProducer(broker, camera)
    for topic in ("append", "create"):
        producer.send(OutRecord(topic, b"k", b"v")).result()
    assert [broker.records(topic)[0].timestamp_ms for topic in ("append", "create")] == [5_000, 1_000]
