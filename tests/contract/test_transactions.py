from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.producer.transaction_manager import TransactionalRequestResult, TxnOffsetCommitHandler

from linewarden_runtime.errors import BrokerUnavailable, Fenced, GroupNotStable, TooLarge, TransactionFailed
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.ports import Broker, Consumer, TransactionalProducer
from linewarden_runtime.records import OutRecord, Position, next_offsets
from linewarden_runtime.testing import Fault, MemoryBroker
from tests.contract.conftest import Traits
from tests.support.reading import take, values, visible, write

Topic = Callable[..., str]


@contextmanager
def _producer(broker: Broker, identity: str) -> Iterator[TransactionalProducer]:
    with broker.transactional_producer(identity) as producer:
        producer.init()
        yield producer


def test_outputs_and_offsets_come_together(broker: Broker, topic: Topic, namespace: str) -> None:
    source, sink = topic("in"), topic("out")
    write(broker, [OutRecord(source, b"k", str(n).encode()) for n in range(3)])
    with (
        broker.consumer(group=f"{namespace}.g", topics=[source]) as consumer,
        _producer(broker, f"{namespace}.t") as producer,
    ):
        records = take(consumer, 3)
        producer.transact([OutRecord(sink, b"k", b"result")], next_offsets(records[:2]), consumer.group())
        assert consumer.committed([Position(source, 0)]) == {Position(source, 0): 2}
    assert values(visible(broker, sink)) == [b"result"]


def test_one_producer_carries_many_transactions(broker: Broker, topic: Topic, namespace: str) -> None:
    sink = topic("out", partitions=2)
    with _producer(broker, f"{namespace}.t") as producer:
        for number in range(5):
            producer.transact([OutRecord(sink, b"k", str(number).encode(), partition=number % 2)])
    assert sorted(values(visible(broker, sink)), key=str) == [str(n).encode() for n in range(5)]


def _transact_under_an_old_generation(
    broker: Broker, producer: TransactionalProducer, consumer: Consumer, sink: str
) -> None:
    records = take(consumer, 1)
    group = consumer.group()
    raw = group.raw if group.raw is None else group.raw._replace(generation_id=group.generation + 7)  # type: ignore[attr-defined]
    stale = replace(group, generation=group.generation + 7, raw=raw)
    with pytest.raises(TransactionFailed):
        producer.transact([OutRecord(sink, b"k", b"zombie")], next_offsets(records), stale)


def test_a_commit_under_another_generation_is_refused_and_hides_its_outputs(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    source, sink = topic("in"), topic("out")
    write(broker, [OutRecord(source, b"k", b"")])
    with (
        broker.consumer(group=f"{namespace}.g", topics=[source]) as consumer,
        _producer(broker, f"{namespace}.t") as producer,
    ):
        if not traits.checks_generation_in_transactions:
            pytest.xfail("this broker does not look at the generation of transactional commits")
        _transact_under_an_old_generation(broker, producer, consumer, sink)
        assert consumer.committed([Position(source, 0)]) == {Position(source, 0): 0}
        with pytest.raises(TransactionFailed, match="make a new one"):
            producer.transact([OutRecord(sink, b"k", b"again")])
    assert visible(broker, sink) == []


def test_a_failed_record_fails_the_whole_transaction(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    sink = topic("out")
    with _producer(broker, f"{namespace}.t") as producer, pytest.raises(TransactionFailed):
        producer.transact([OutRecord(sink, b"k", b"good"), OutRecord(sink, b"k", b"bad", partition=9)])
    if traits.hides_aborted:
        assert visible(broker, sink) == []


def test_offsets_without_a_checkable_membership_are_refused_before_anything_is_sent(
    broker: Broker, topic: Topic, namespace: str
) -> None:
    source, sink = topic("in"), topic("out")
    with (
        broker.consumer(group=f"{namespace}.g", topics=[source]) as consumer,
        _producer(broker, f"{namespace}.t") as producer,
        pytest.raises(GroupNotStable),
    ):
        producer.transact([OutRecord(sink, b"k", b"")], {Position(source, 0): 1}, consumer.group())
    assert visible(broker, sink) == []


def test_an_output_too_large_is_refused_and_the_producer_lives_on(broker: Broker, topic: Topic, namespace: str) -> None:
    sink = topic("out")
    with _producer(broker, f"{namespace}.t") as producer:
        with pytest.raises(TooLarge):
            producer.transact([OutRecord(sink, b"k", b"a"), OutRecord(sink, b"k", bytes(20 << 20))])
        producer.transact([OutRecord(sink, b"k", b"b")])
    assert values(visible(broker, sink)) == [b"b"]


def test_a_later_producer_of_an_identity_fences_the_earlier(broker: Broker, topic: Topic, namespace: str) -> None:
    sink = topic("out")
    with _producer(broker, f"{namespace}.t") as early:
        early.transact([OutRecord(sink, b"k", b"early")])
        with _producer(broker, f"{namespace}.t") as late:
            with pytest.raises(Fenced):
                early.transact([OutRecord(sink, b"k", b"zombie")])
            late.transact([OutRecord(sink, b"k", b"late")])
    found = values(visible(broker, sink))
    assert found[0] == b"early"
    assert found[-1] == b"late"


def _leave_open(broker: Broker, identity: str, output: OutRecord) -> None:
    """Write inside a transaction and die before its end."""
    if isinstance(broker, MemoryBroker):
        broker.faults.order(Fault.DIED)
        with _producer(broker, identity) as producer, pytest.raises(TransactionFailed):
            producer.transact([output])
        return
    assert isinstance(broker, KafkaBroker)
    client = KafkaProducer(**broker.settings.transactional_producer(identity))
    client.init_transactions()
    client.begin_transaction()
    client.send(output.topic, output.value, key=output.key).get(10)
    _die(client)


def _leave_forgotten(broker: Broker, identity: str, output: OutRecord) -> None:
    """Write inside a transaction that the coordinator does not know, and die: nobody will ever end it."""
    if isinstance(broker, MemoryBroker):
        broker.faults.order(Fault.FORGOTTEN)
        with _producer(broker, identity) as producer, pytest.raises(TransactionFailed):
            producer.transact([output])
        return
    assert isinstance(broker, KafkaBroker)
    client = KafkaProducer(**broker.settings.transactional_producer(identity))
    client.init_transactions()
    client.begin_transaction()
    client._transaction_manager._partitions_in_transaction.add(TopicPartition(output.topic, 0))
    client.send(output.topic, output.value, key=output.key, partition=0).get(10)
    _die(client)


def test_records_of_a_transaction_that_the_broker_forgot_never_appear(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    sink = topic("out")
    at = Position(sink, 0)
    with _unverified(broker, traits):
        _leave_forgotten(broker, f"{namespace}.t", OutRecord(sink, b"k", b"forgotten"))
    with broker.reader({at: 0}) as reader, broker.transactional_producer(f"{namespace}.t", [at]) as heir:
        if traits.hides_aborted:
            assert reader.end_offsets([at]) == {at: 0}
        heir.init()
        heir.transact([OutRecord(sink, b"k", b"heir's")])
        found = values(visible(broker, sink))
    if not traits.hides_aborted:
        pytest.xfail("this broker does not hide aborted records")
    assert found == [b"heir's"]


def _die(client: KafkaProducer) -> None:
    client._sender.force_close()
    client._sender.join(5)
    client._closed = True


def _leave_pending(broker: Broker, identity: str, source: str, consumer: Consumer) -> None:
    """Send offsets that no transaction of the coordinator knows, and die: nobody will ever end them."""
    if isinstance(broker, MemoryBroker):
        broker.group(consumer.group().group).pending[Position(source, 0)] = identity
        return
    assert isinstance(broker, KafkaBroker)
    client = KafkaProducer(**broker.settings.transactional_producer(identity))
    client.init_transactions()
    client.begin_transaction()
    manager = client._transaction_manager
    offsets = manager._pending_txn_offset_commits
    offsets[TopicPartition(source, 0)] = OffsetAndMetadata(1, "", -1)
    sent = TxnOffsetCommitHandler(manager, consumer.group().raw, offsets, TransactionalRequestResult())
    manager._enqueue_request(sent)
    client._sender.wakeup()
    assert sent._result.wait(timeout_ms=10_000)
    _die(client)


@contextmanager
def _unverified(broker: Broker, traits: Traits) -> Iterator[None]:
    """Let Apache Kafka take transactional offsets and records without asking the coordinator of transactions."""
    if not isinstance(broker, KafkaBroker) or not traits.describes_configs:
        yield
        return
    _verify(broker, "false")
    try:
        yield
    finally:
        _verify(broker, "true")


def _verify(broker: KafkaBroker, value: str) -> None:
    configs = {"transaction.partition.verification.enable": value}
    with broker.admin() as admin:
        admin._client.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", configs=configs)])


def test_offsets_left_pending_for_ever_are_dropped_by_an_heir_of_their_identity(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    if not traits.keeps_offsets_pending:
        pytest.xfail("this broker takes transactional offsets at once")
    source = topic("in")
    at = Position(source, 0)
    write(broker, [OutRecord(source, b"k", str(n).encode()) for n in range(2)])
    with broker.consumer(group=f"{namespace}.g", topics=[source]) as consumer:
        records = take(consumer, 2)
        with _unverified(broker, traits):
            _leave_pending(broker, f"{namespace}.t", source, consumer)
        with _producer(broker, f"{namespace}.t") as heir:
            with pytest.raises(BrokerUnavailable):
                consumer.committed([at])
            heir.release_offsets([at], consumer.group())
            assert consumer.committed([at]) == {at: 0}
            heir.transact([], next_offsets(records), consumer.group())
            assert consumer.committed([at]) == {at: 2}


def test_an_open_transaction_is_hidden_until_its_heir_aborts_it(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    sink = topic("out")
    position = Position(sink, 0)
    _leave_open(broker, f"{namespace}.t", OutRecord(sink, b"k", b"open"))
    write(broker, [OutRecord(sink, b"k", b"after")])
    with broker.reader({position: 0}) as reader:
        assert reader.end_offsets([position]) == {position: 0}
        with _producer(broker, f"{namespace}.t"):
            assert take(reader, 1)[0].value == (b"after" if traits.hides_aborted else b"open")
