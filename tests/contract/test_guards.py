"""The guards against defects of the client library, seen on the wire, in front of the embedded broker.

Each test fails when its guard is taken out; the README's table says which guard is whose.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.protocol.producer import EndTxnRequest, InitProducerIdRequest, ProduceRequest, TxnOffsetCommitRequest
from kafka.structs import ConsumerGroupMetadata, MemberState

from linewarden_ingest.metrics import Losses
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.spool.spool import Spool
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.errors import ConfigurationError, DeliveryFailed, Fenced, TransactionFailed
from linewarden_runtime.kafka import producer as kafka_producer
from linewarden_runtime.kafka import transactional
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.producer import KafkaPlainProducer
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Producer, TopicSpec
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_runtime.watchdog import Watchdog
from linewarden_schemas.ids import Namespace
from tests.support.reading import poll_until, values, visible
from tests.support.wire import HOLD, LOSE, WireProxy, refuse_offsets, refuse_produce
from tests.unit.ingest.lines import PLACE
from tests.unit.ingest.test_publisher import LIMITS, picture, take

NOT_ENOUGH_REPLICAS = 19
ILLEGAL_GENERATION = 22
DUPLICATE_SEQUENCE_NUMBER = 46
INVALID_PRODUCER_EPOCH = 47


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[EmbeddedBroker, int]]:
    """A broker that advertises a port on which each test puts its own proxy."""
    port = free_port()
    with EmbeddedBroker(advertised_port=port) as broker:
        yield broker, port


@pytest.fixture
def proxy(server: tuple[EmbeddedBroker, int]) -> Iterator[WireProxy]:
    broker, port = server
    with WireProxy(port) as proxy:
        proxy.upstream_port = broker.port
        yield proxy


def _settings(proxy: WireProxy, **more: object) -> KafkaSettings:
    quick = {
        "request_timeout_ms": 500,
        "delivery_timeout_ms": 1_000,
        "transaction_timeout_ms": 2_000,
        "session_timeout_ms": 1_000,
        "close_timeout_s": 1.0,
        "ends_by_fetch": True,
    }
    return KafkaSettings.model_validate({"bootstrap_servers": proxy.bootstrap_servers} | quick | more)


@pytest.fixture
def broker(proxy: WireProxy) -> Iterator[KafkaBroker]:
    watchdog = Watchdog()
    yield KafkaBroker(_settings(proxy), watchdog)
    proxy.forget()
    watchdog.close()


@pytest.fixture
def names(broker: KafkaBroker, namespace: str) -> tuple[str, str]:
    """Topics `in` (two partitions) and `out`."""
    specs = [TopicSpec(f"{namespace}.in", 2), TopicSpec(f"{namespace}.out", 1)]
    with broker.admin() as admin:
        admin.create_topics(specs)
    return specs[0].name, specs[1].name


def _refuse(code: int, times: int = 10**9) -> Callable[[ProduceRequest], object]:
    left = [times]

    def rule(request: ProduceRequest) -> object:
        left[0] -= 1
        return refuse_produce(request, code) if left[0] >= 0 else None

    return rule


def test_d0_a_producer_outlives_a_leader_that_is_away_longer_than_any_delivery_timeout(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(ProduceRequest, _refuse(NOT_ENOUGH_REPLICAS, times=150))
    with broker.producer() as producer:
        delivery = producer.send(OutRecord(names[1], b"k", b"v"))
        delivery.result(30)
    assert len(proxy.sent(ProduceRequest)) > 150


@pytest.fixture
def spool(tmp_path: Path, broker: KafkaBroker, namespace: str) -> Iterator[Spool]:
    """A camera's spool, whose topics are there."""
    with broker.admin() as admin:
        provision_topics(admin, Namespace(namespace), 4)
    with Spool(tmp_path / "spool", LIMITS, SystemClock()) as spool:
        yield spool


def _publish(spool: Spool, namespace: str, new_producer: Callable[[], Producer], **rules: float) -> None:
    """Publish as ingest does until all of it is acknowledged."""
    publisher = Publisher(
        spool,
        new_producer,
        Outbound(Namespace(namespace), PLACE, spool.epoch, 4),
        place=PLACE,
        losses=Losses("cam0"),
        clock=SystemClock(),
        **rules,  # type: ignore[arg-type]
    )
    while not publisher.is_drained:
        publisher.step(0.1)
    publisher.close()


def test_d0_a_producer_that_wedged_is_replaced_and_nothing_is_lost(
    proxy: WireProxy, broker: KafkaBroker, namespace: str, spool: Spool
) -> None:
    made: list[Producer] = []

    def wedging() -> Producer:
        """As the library makes it by default, with the delivery timeout cut short; the second meets no fault."""
        producer = KafkaPlainProducer(broker.settings, "camera")
        if made:
            proxy.rule(ProduceRequest)
        else:
            producer._client.config["delivery_timeout_ms"] = 1_000
            producer._client._accumulator.config["delivery_timeout_ms"] = 1_000
        made.append(producer)
        return producer

    take(spool, 5)
    proxy.rule(ProduceRequest, _refuse(NOT_ENOUGH_REPLICAS))
    _publish(spool, namespace, wedging, unacked_age_s=2.0)
    assert len(made) == 2
    assert set(values(visible(broker, f"{namespace}.frames"))) == {picture(number) for number in range(5)}


def test_d1_a_transaction_with_a_lost_record_does_not_commit(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(ProduceRequest, _refuse(NOT_ENOUGH_REPLICAS))
    proxy.rule(EndTxnRequest)
    with broker.transactional_producer("d1") as producer:
        producer.init()
        with pytest.raises(TransactionFailed):
            producer.transact([OutRecord(names[1], b"k", b"lost")])
    assert [request.committed for request in proxy.sent(EndTxnRequest) if request.committed] == []


def _membership(group: str) -> GroupSnapshot:
    raw = ConsumerGroupMetadata(group, 1, "member", "instance-0", MemberState.STABLE)
    return GroupSnapshot(group, "member", 1, "instance-0", stable=True, raw=raw)


def test_d2_offsets_of_an_aborted_transaction_do_not_leak_into_the_next(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(TxnOffsetCommitRequest, lambda request: refuse_offsets(request, ILLEGAL_GENERATION))
    group = _membership(f"{names[0]}.g")
    first = broker.transactional_producer("d2")
    first.init()
    with pytest.raises(TransactionFailed):
        first.transact([OutRecord(names[1], b"k", b"1")], {Position(names[0], 0): 100}, group)
    proxy.rule(TxnOffsetCommitRequest, lambda request: refuse_offsets(request, 0))
    with pytest.raises(TransactionFailed, match="make a new one"):
        first.transact([OutRecord(names[1], b"k", b"2")], {Position(names[0], 1): 7}, group)
    with broker.transactional_producer("d2") as second:
        second.init()
        second.transact([OutRecord(names[1], b"k", b"2")], {Position(names[0], 1): 7}, group)
    last = proxy.sent(TxnOffsetCommitRequest)[-1]
    committed = [(p.partition_index, p.committed_offset) for topic in last.topics for p in topic.partitions]
    assert committed == [(1, 7)]


def test_d3_offsets_go_out_under_the_membership_of_their_poll_and_a_static_name(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(TxnOffsetCommitRequest, lambda request: refuse_offsets(request, 0))
    with broker.transactional_producer("d3") as producer:
        producer.init()
        producer.transact([], {Position(names[0], 0): 1}, _membership("d3"))
    (request,) = proxy.sent(TxnOffsetCommitRequest)
    assert (request.group_id, request.generation_id, request.member_id) == ("d3", 1, "member")
    assert request.group_instance_id == "instance-0"


def test_d4_closing_is_bounded_and_fails_what_is_pending(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(ProduceRequest, lambda _: HOLD)
    producer = broker.producer()
    delivery = producer.send(OutRecord(names[1], b"k", b"v"))
    producer.close()
    assert not producer._client._sender.is_alive()
    assert delivery.done()
    with pytest.raises(DeliveryFailed):
        delivery.result(0)
    producer.close()


def _commit_to_a_silent_broker(proxy: WireProxy, topic: str) -> bool:
    """Whether the watchdog struck while the commit hung; the broker answers again at the end."""
    ended = threading.Event()
    watchdog = Watchdog(lambda _: ended.set())
    broker = KafkaBroker(_settings(proxy, watchdog_margin_s=0.2, request_timeout_ms=900), watchdog)

    def fall_silent(_request: EndTxnRequest) -> object:
        proxy.go_silent()
        return LOSE

    proxy.rule(EndTxnRequest, fall_silent)
    with broker.transactional_producer("d6") as producer, ThreadPoolExecutor(1) as others:
        producer.init()
        hung = others.submit(producer.transact, [OutRecord(topic, b"k", b"v")])
        struck = ended.wait(30) and not hung.done()
        proxy.forget()
        hung.exception(30)
    watchdog.close()
    return struck


def test_d6_a_commit_that_does_not_come_back_ends_the_process(proxy: WireProxy, names: tuple[str, str]) -> None:
    assert _commit_to_a_silent_broker(proxy, names[1])


def test_d6_giving_up_comes_back_though_the_broker_answers_nothing_any_more(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:

    def fall_silent(_request: ProduceRequest) -> object:
        proxy.go_silent()
        return LOSE

    proxy.rule(ProduceRequest, fall_silent)
    producer = broker.transactional_producer("d6b")
    producer.init()
    with pytest.raises(TransactionFailed):
        producer.transact([OutRecord(names[1], b"k", b"v")])


def test_d7_an_acknowledgement_without_an_offset_is_an_acknowledgement_and_gives_none(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(ProduceRequest, _refuse(DUPLICATE_SEQUENCE_NUMBER))
    with broker.producer() as producer:
        answer: object = producer.send(OutRecord(names[1], b"k", b"v")).result(10)  # type: ignore[func-returns-value]
    assert answer is None


def test_d8_a_producer_made_anew_has_a_later_epoch_than_the_one_whose_commit_is_on_its_way(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(ProduceRequest)
    proxy.rule(TxnOffsetCommitRequest, lambda request: refuse_offsets(request, ILLEGAL_GENERATION))
    proxy.rule(EndTxnRequest)
    for number in range(2):
        producer = broker.transactional_producer("d8")
        producer.init()
        with pytest.raises(TransactionFailed):
            producer.transact([OutRecord(names[1], b"k", b"v")], {Position(names[0], 0): number}, _membership("d8"))
    epochs = [(request.producer_id, request.producer_epoch) for request in proxy.sent(EndTxnRequest)]
    assert len(set(epochs)) == 2


def test_d8_a_producer_that_failed_once_sends_nothing_more_into_a_transaction_of_doubtful_fate(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    proxy.rule(ProduceRequest)
    proxy.rule(TxnOffsetCommitRequest, lambda request: refuse_offsets(request, ILLEGAL_GENERATION))
    with broker.transactional_producer("d8") as producer:
        producer.init()
        with pytest.raises(TransactionFailed):
            producer.transact([OutRecord(names[1], b"k", b"v")], {Position(names[0], 0): 0}, _membership("d8"))
        sent = len(proxy.sent(ProduceRequest))
        with pytest.raises(TransactionFailed, match="make a new one"):
            producer.transact([OutRecord(names[1], b"k", b"next")])
        assert len(proxy.sent(ProduceRequest)) == sent


def test_d9_an_outdated_epoch_is_fencing_and_takes_nothing_back(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    with broker.transactional_producer("d9") as producer:
        producer.init()
        proxy.rule(ProduceRequest, _refuse(INVALID_PRODUCER_EPOCH))
        proxy.rule(InitProducerIdRequest, lambda _: HOLD)
        with pytest.raises(Fenced):
            producer.transact([OutRecord(names[1], b"k", b"zombie")])
        assert all(request.producer_epoch >= 0 for request in proxy.sent(InitProducerIdRequest))


def test_d9_brokers_that_let_a_zombie_back_in_are_refused(broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactional, "OLDEST_BROKER", (99, 0))
    with broker.transactional_producer("d9b") as producer, pytest.raises(ConfigurationError, match=r"99\.0"):
        producer.init()


def test_d10_a_record_failed_by_an_epoch_bump_is_sent_again(
    proxy: WireProxy, broker: KafkaBroker, namespace: str, spool: Spool
) -> None:
    take(spool, 1)
    proxy.rule(ProduceRequest, _refuse(INVALID_PRODUCER_EPOCH, times=1))
    _publish(spool, namespace, broker.producer)
    assert picture(0) in values(visible(broker, f"{namespace}.frames"))


def test_a_swallowed_acknowledgement_leaves_one_record(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    first = [LOSE]
    proxy.rule(ProduceRequest, lambda _: first.pop() if first else None)
    with broker.producer() as producer:
        producer.send(OutRecord(names[1], b"k", b"v")).result(30)
    assert len(proxy.sent(ProduceRequest)) == 2
    assert values(visible(broker, names[1])) == [b"v"]


def test_the_library_still_has_the_defects_that_the_guards_are_for(
    proxy: WireProxy, broker: KafkaBroker, names: tuple[str, str]
) -> None:
    """Without a look at each future a transaction commits without its record; drop the guard when this fails."""
    proxy.rule(ProduceRequest, _refuse(NOT_ENOUGH_REPLICAS))
    proxy.rule(EndTxnRequest)
    client = KafkaProducer(**broker.settings.transactional_producer("raw"))
    client.init_transactions()
    client.begin_transaction()
    lost = client.send(names[1], b"lost", key=b"k")
    client.flush(10)
    client.commit_transaction()
    assert lost.failed()
    assert [request.committed for request in proxy.sent(EndTxnRequest)] == [True]
    kafka_producer.close(client, 1.0)


def test_a_join_that_ended_between_two_polls_is_seen_through(proxy: WireProxy, namespace: str) -> None:
    """D11: the state in which the client is left, without a rejoin asked for and with its heartbeat off."""
    broker = KafkaBroker(_settings(proxy), Watchdog(look=False))
    with broker.admin() as admin:
        admin.create_topics([TopicSpec(f"{namespace}.in", 1)])
    with broker.consumer(group=f"{namespace}.g", topics=[f"{namespace}.in"]) as consumer:
        poll_until(consumer, lambda: consumer.group().may_commit)
        coordinator = consumer._client._coordinator
        coordinator.state, coordinator.rejoin_needed = MemberState.REBALANCING, False
        coordinator._disable_heartbeat()
        assert not consumer.group().may_commit
        poll_until(consumer, lambda: consumer.group().may_commit)


def test_a_member_whose_heartbeats_stopped_joins_again(proxy: WireProxy, namespace: str) -> None:
    """D11: a member that takes itself for stable while its broker has thrown it out."""
    broker = KafkaBroker(_settings(proxy), Watchdog(look=False))
    with broker.admin() as admin:
        admin.create_topics([TopicSpec(f"{namespace}.in", 1)])
    with broker.consumer(group=f"{namespace}.g", topics=[f"{namespace}.in"]) as consumer:
        poll_until(consumer, lambda: consumer.group().may_commit)
        coordinator = consumer._client._coordinator
        coordinator._disable_heartbeat()
        poll_until(consumer, lambda: coordinator._heartbeat_enabled and consumer.group().may_commit)
        assert consumer.assignment() == {Position(f"{namespace}.in", 0)}
