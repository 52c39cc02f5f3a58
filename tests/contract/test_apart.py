"""A producer in a process of its own does what one in this process does, and tells when that process is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from linewarden_runtime.errors import BrokerUnavailable, DeliveryFailed, TooLarge
from linewarden_runtime.kafka.apart.producer import ApartProducer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.processes import free_port
from linewarden_runtime.records import OutRecord, Position
from tests.support.reading import take


@pytest.fixture
def topic(tansu_broker: KafkaBroker, request: pytest.FixtureRequest) -> str:
    name = f"apart.{request.node.name}"
    with tansu_broker.admin() as admin:
        admin.create_topics([TopicSpec(name, 1)])
    return name


def test_records_arrive_whole_and_in_order_and_each_is_answered_once(tansu_broker: KafkaBroker, topic: str) -> None:
    sent = [OutRecord(topic, b"k", os.urandom(300_000), (("n", str(n).encode()),), 0) for n in range(90)]
    answers: list[Exception | None] = []
    with ApartProducer(tansu_broker.settings, "test") as producer:
        for record in sent:
            producer.send(record).add_done_callback(answers.append)
        producer.send(OutRecord(topic, b"k", None, (), 0)).result(10.0)
        producer.flush(10.0)
    assert answers == [None] * len(sent)
    with tansu_broker.reader({Position(topic, 0): 0}) as reader:
        found = take(reader, len(sent) + 1)
    assert [(one.value, one.headers) for one in found[:-1]] == [(one.value, one.headers) for one in sent]
    assert found[-1].value is None


def test_a_record_beyond_the_limit_is_refused_at_once(tansu_broker: KafkaBroker, topic: str) -> None:
    with ApartProducer(tansu_broker.settings, "test") as producer:
        with pytest.raises(TooLarge):
            producer.send(OutRecord(topic, b"k", bytes(tansu_broker.settings.max_record_bytes)))
        producer.send(OutRecord(topic, b"k", b"v")).result(10.0)


def _send_on(producer: ApartProducer, topic: str, answers: list[Exception | None]) -> None:
    for _ in range(1_000):
        producer.send(OutRecord(topic, b"k", b"v" * 100_000)).add_done_callback(answers.append)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_when_its_process_is_gone_everything_pending_fails_and_nothing_hangs(
    tansu_broker: KafkaBroker, topic: str, end: signal.Signals
) -> None:
    settings = tansu_broker.settings.model_copy(update={"request_timeout_ms": 500, "close_timeout_s": 0.5})
    answers: list[Exception | None] = []
    producer = ApartProducer(settings, "test")
    producer._process.send_signal(end)
    with pytest.raises(DeliveryFailed):
        _send_on(producer, topic, answers)
    producer.close()
    assert all(isinstance(one, DeliveryFailed) for one in answers)
    assert producer._process.poll() is not None
    assert not producer._pending


USER = """
import sys
from linewarden_runtime.kafka.apart.producer import ApartProducer
from linewarden_runtime.kafka.settings import KafkaSettings
producer = ApartProducer(KafkaSettings.model_validate_json(sys.argv[1]), "test")
print(producer._process.pid, flush=True)
sys.stdin.read()
"""


def test_the_process_ends_with_its_user_whatever_ends_it(tansu_broker: KafkaBroker) -> None:
    command = [sys.executable, "-c", USER, tansu_broker.settings.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        child = psutil.Process(int(user.stdout.readline()))
        user.kill()
    child.wait(10.0)


def test_without_a_broker_it_says_so() -> None:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", bootstrap_timeout_ms=500)
    with pytest.raises(BrokerUnavailable):
        ApartProducer(settings, "test")
