"""On every topic keyed by visit the broker's own time comes back: in acknowledgements, transactions and records."""

from __future__ import annotations

import pytest

from linewarden_runtime.kafka.apart.producer import ApartProducer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.topics import CO_PARTITIONED
from tests.contract.conftest import Traits
from tests.support.reading import DEADLINE_S, visible


def test_acknowledgements_and_records_of_topics_keyed_by_visit_carry_the_brokers_time(
    broker: Broker, namespace: str, traits: Traits
) -> None:
    named = Namespace(namespace)
    with broker.admin() as admin:
        provision_topics(admin, named, 1)
    told = {}
    with broker.producer() as producer:
        for name in CO_PARTITIONED:
            delivery = producer.send(OutRecord(named.topic(name), b"k", b"v", partition=0))
            delivery.result(DEADLINE_S)
            told[name] = delivery.append_ms()
    for name in CO_PARTITIONED:
        (record,) = visible(broker, named.topic(name))
        if traits.append_time:
            assert told[name] == record.timestamp_ms, name
        else:
            assert told[name] is None, name


def test_a_transaction_tells_when_its_first_record_was_appended(broker: Broker, namespace: str, traits: Traits) -> None:
    named = Namespace(namespace)
    with broker.admin() as admin:
        provision_topics(admin, named, 1)
    topics = [named.topic(name) for name in ("dispositions", "route-state")]
    with broker.transactional_producer(named.transactional_id("t")) as producer:
        producer.init()
        stamp = producer.transact([OutRecord(topic, b"k", b"v", partition=0) for topic in topics])
    if traits.append_time:
        assert stamp == visible(broker, topics[0])[0].timestamp_ms
    else:
        assert stamp is None


@pytest.mark.kafka
def test_a_producer_in_a_process_of_its_own_tells_it_too(apache_kafka: KafkaBroker, namespace: str) -> None:
    named = Namespace(namespace)
    with apache_kafka.admin() as admin:
        provision_topics(admin, named, 1)
    with ApartProducer(apache_kafka.settings, "test") as producer:
        delivery = producer.send(OutRecord(named.topic("captures"), b"k", b"v", (), 0))
        delivery.result(DEADLINE_S)
    assert delivery.append_ms() == visible(apache_kafka, named.topic("captures"))[0].timestamp_ms
