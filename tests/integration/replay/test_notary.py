"""The notary on Apache Kafka: only what was committed is chained, markers or not, and a successor goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import make_key, read_key
from linewarden_audit.notary.verifying import Witness, verify_namespace
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import TransactionFailed
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace

pytestmark = pytest.mark.kafka


def test_committed_records_alone_are_chained_and_verified(
    apache_kafka: KafkaBroker, namespace: str, tmp_path: Path
) -> None:
    named = Namespace(namespace)
    topic = named.topic("dispositions")
    with apache_kafka.admin() as admin:
        provision_topics(admin, named, partitions=2)
    public = make_key(tmp_path / "key.pem")

    def decide(value: bytes, partition: int = 0) -> None:
        with apache_kafka.transactional_producer(f"{namespace}.t") as producer:
            producer.init()
            producer.transact([OutRecord(topic, b"v", value, (), partition)])

    def chain(until: int) -> None:
        notary = Notary(apache_kafka, named, read_key(tmp_path / "key.pem"), SystemClock(), NotaryLimits(records=1))
        notary.start()
        while (
            sum(
                one.chained
                for one in verify_namespace(apache_kafka, named, [public], Witness(SystemClock().now_ms())).partitions
            )
            < until
        ):
            notary.step()
        notary.close()

    decide(b"first")
    with apache_kafka.transactional_producer(f"{namespace}.t") as producer:
        producer.init()
        with pytest.raises(TransactionFailed):
            producer.transact([OutRecord(topic, b"v", b"aborted", (), 0), OutRecord(topic, b"v", b"?", (), 99)])
    decide(b"second")
    chain(until=2)
    decide(b"third")
    decide(b"other", partition=1)
    chain(until=4)
    reports = {
        (one.topic, one.partition): one
        for one in verify_namespace(apache_kafka, named, [public], Witness(SystemClock().now_ms())).partitions
    }
    assert all(one.holds for one in reports.values())
    assert (reports[topic, 0].verified, reports[topic, 0].unsealed) == (3, 0)
    assert reports[topic, 1].verified == 1
