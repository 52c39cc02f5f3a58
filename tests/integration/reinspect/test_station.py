"""The station on a real broker and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.queue.types import SlotStatus
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker, EmbeddedRedis
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Judgement
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.sockets import UNCLOSED
from tests.unit.reinspect.test_web import Browser

pytestmark = UNCLOSED


@pytest.fixture
def queue(valkey: str, namespace: str) -> Iterator[RedisQueue]:
    with redis.Redis.from_url(valkey) as client:
        yield RedisQueue(client, Namespace(namespace).redis_prefix())


@pytest.fixture
def made(tansu_broker: KafkaBroker, queue: RedisQueue, namespace: str) -> Iterator[Rig]:
    with rig(tansu_broker, queue, SystemClock(), namespace) as one:
        yield one


def test_a_decision_lies_in_its_visits_partition_before_the_answer_is_200(made: Rig) -> None:
    slot = made.open_slot(1, size=96)
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    answer = browser.judge(visit, "OK", browser.look(visit))
    assert answer.status_code == 200
    (stored,) = made.read_records("decisions")
    (opened,) = made.read_records("reinspections")
    assert stored.partition == opened.partition
    assert made.decisions()[0].visit_id == slot.visit_id
    assert made.queue.dump()[slot.slot_id].status is SlotStatus.PARKED


def test_a_retried_decision_is_one(made: Rig) -> None:
    made.open_slot(1, size=96)
    made.settle()
    browser = Browser(made)
    visit = browser.claim()
    answers = [browser.judge(visit, "NG", browser.look(visit))]
    body = {"token": visit["token"], "judgement": "NG", "shown": []}
    answers += [browser.post(f"/api/slots/{visit['slot_id']}/decision", body) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    assert [decision.judgement for decision in made.decisions()] == [Judgement.NG]


def test_two_people_at_two_stations_get_different_visits(made: Rig, queue: RedisQueue) -> None:
    made.open_slot(1, size=96)
    made.open_slot(2, size=96)
    made.settle()
    with rig(made.broker, queue, made.clock, made.namespace.name) as other:
        assert Browser(made).claim()["slot_id"] != Browser(other, "bob").claim()["slot_id"]


def test_who_was_told_is_known_after_station_and_redis_were_killed(
    tansu_broker: KafkaBroker, namespace: str, tmp_path: Path
) -> None:
    with EmbeddedRedis(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            queue = RedisQueue(client, Namespace(namespace).redis_prefix())
            with rig(tansu_broker, queue, SystemClock(), namespace) as made:
                made.open_slot(1, size=96)
                made.settle()
                browser = Browser(made)
                visit = browser.claim()
                browser.first(visit, "NG", [])
                browser.post(f"/api/slots/{visit['slot_id']}/release", {"token": visit["token"]})
        server.process.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            queue = RedisQueue(client, Namespace(namespace).redis_prefix())
            with rig(tansu_broker, queue, SystemClock(), namespace) as made:
                made.settle()
                again = Browser(made).claim()
                assert (again["slot_id"], again["told"]["blind"]) == (visit["slot_id"], False)


def test_while_kafka_is_silent_the_answer_is_503_and_the_visit_stays(valkey: str) -> None:
    with EmbeddedBroker() as server, redis.Redis.from_url(valkey) as client:
        timeouts = {"bootstrap_timeout_ms": 1000, "close_timeout_s": 0.5}
        broker = KafkaBroker(KafkaSettings(bootstrap_servers=server.bootstrap_servers).model_copy(update=timeouts))
        with rig(broker, RedisQueue(client, "{line1.rq}"), SystemClock()) as made:
            slot = made.open_slot(1, size=96)
            made.settle()
            browser = Browser(made)
            visit = browser.claim()
            shown = browser.look(visit)
            server.process.pause()
            answer = browser.judge(visit, "OK", shown)
            server.process.resume()
            assert (answer.status_code, answer.json()["error"]) == (503, "not_recorded")
            assert made.queue.dump()[slot.slot_id].status is SlotStatus.LEASED
            assert browser.claim()["slot_id"] == slot.slot_id
            assert browser.judge(visit, "OK", shown).status_code == 200
            assert len({decision.decision_id for decision in made.decisions()}) == 1
