"""The station as a real process, killed at every transition; route, projector, Redis and Kafka are real too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.embedded import EmbeddedRedis
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.decision import QueueEvent
from linewarden_schemas.disposition import SlotClose, SlotOpen
from linewarden_schemas.vocabulary import CloseReason
from tests.support.mortal_station import POINTS
from tests.support.processes import ServiceProcess, wait_for
from tests.support.route_line import RouteLine

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(1800)]

SLOW_S = 180.0
VISITS_A_KILL = 3
TERMS = {"LEASE_S": "3", "PARK_S": "3", "SKIP_S": "1"}
PATIENT = {"max_skew_ms": 60_000}


@dataclass(slots=True)
class Hall:
    """A line that diverts everything, its queue, and one station."""

    line: RouteLine
    valkey: EmbeddedRedis
    environment: dict[str, str]
    folder: Path
    stack: ExitStack
    visits: list[str] = field(default_factory=list)

    def service(self, module: str, **more: str) -> ServiceProcess:
        log = self.folder / f"{module.rsplit('.', maxsplit=1)[-1]}.log"
        process = ServiceProcess(module, self.environment | more, log)
        self.stack.callback(process.close)
        process.start()
        return process

    def station(self, point: str = "", victim: int | None = None) -> ServiceProcess:
        more = {"MORTAL_POINT": point, "MORTAL_VICTIM": "" if victim is None else str(victim)}
        return self.service("tests.support.mortal_station", **more)

    def divert(self, name: str) -> None:
        fresh = [f"{name}.{number}".replace("_", "-") for number in range(VISITS_A_KILL)]
        self.line.whole_visits(*fresh, decide_in_ms=120_000, suspicion=0.9)
        self.visits += fresh

    def finals(self) -> Counter[str]:
        return Counter(one.visit_id for one in self.line.dispositions() if one.final)

    def waiting(self) -> set[str]:
        with redis.Redis.from_url(self.valkey.url) as client:
            return set(RedisQueue(client, self.line.namespace.redis_prefix()).dump())

    def settle(self) -> None:
        """Wait until every visit has its outcome; then nothing is lost, doubled, left over or untold."""
        wait_for(lambda: self.finals().keys() >= set(self.visits), "every visit has its outcome", SLOW_S)
        assert self.finals() == Counter(self.visits)
        wait_for(lambda: not self.waiting(), "the queue is empty", SLOW_S)
        slots = self.line.slots()
        closes = [slot for slot in slots if isinstance(slot, SlotClose)]
        decided = Counter(slot.slot_id for slot in closes if slot.reason is CloseReason.DECIDED)
        assert set(decided.values()) == {1}
        assert {slot.visit_id for slot in slots if isinstance(slot, SlotOpen)} == set(self.visits)
        wait_for(lambda: self.told("claimed") >= set(decided), "every claim is told", SLOW_S)

    def told(self, event: str) -> set[str]:
        events = [one for one in self.line.read("queue-events") if isinstance(one, QueueEvent)]
        return {one.slot_id for one in events if one.event == event}


@pytest.fixture
def hall(apache_kafka: KafkaBroker, apache_server: ApacheKafka, namespace: str, tmp_path: Path) -> Iterator[Hall]:
    line = RouteLine(apache_kafka, namespace, partitions=2, time=PATIENT, review={"undo_window_ms": 1500})
    with ExitStack() as stack:
        valkey = stack.enter_context(EmbeddedRedis(tmp_path / "valkey"))
        environment = {
            "LINEWARDEN_NAMESPACE": line.namespace.name,
            "LINEWARDEN_INSTANCE": "0",
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": apache_server.bootstrap_servers,
            "LINEWARDEN_REDIS__PORT": str(valkey.port),
        } | {f"LINEWARDEN_REINSPECT__{name}": value for name, value in TERMS.items()}
        hall = Hall(line, valkey, environment, tmp_path, stack)
        hall.service("linewarden_route")
        hall.service("linewarden_reinspect.projector")
        yield hall


def test_a_station_killed_at_every_transition_loses_nothing_and_decides_nothing_twice(hall: Hall) -> None:
    for point in POINTS:
        doomed = hall.station(point)
        hall.divert(f"station.{point}")
        assert doomed.wait(SLOW_S) == -9, point
    survivor = hall.station()
    hall.settle()
    assert survivor.stop() == 0
