"""Route as real processes on Apache Kafka: killed, frozen, restarted. Ids are checked as sets."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.vocabulary import Cause, Outcome, Routing
from tests.support.processes import ServiceProcess, wait_for
from tests.support.route_line import RouteLine

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(1200)]

SLOW_S = 180.0
"""A deadline for what takes seconds on a machine that does nothing else."""
KILLS = 10
VISITS_A_KILL = 40
FENCED = 75
PATIENT = {"max_skew_ms": 60_000, "decide_by_ms": 300_000}
"""Visits that wait for a restart are late by the line's rules; here it is to be seen that they are routed at all."""


@pytest.fixture
def line(apache_kafka: KafkaBroker, namespace: str) -> RouteLine:
    return RouteLine(apache_kafka, namespace, partitions=4, time=PATIENT, review={"undo_window_ms": 500})


@pytest.fixture
def route(line: RouteLine, apache_server: ApacheKafka, tmp_path: Path) -> Iterator[Callable[[str], ServiceProcess]]:
    made: list[ServiceProcess] = []

    def make(instance: str) -> ServiceProcess:
        environment = {
            "LINEWARDEN_NAMESPACE": line.namespace.name,
            "LINEWARDEN_INSTANCE": instance,
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": apache_server.bootstrap_servers,
        }
        made.append(ServiceProcess("linewarden_route", environment, tmp_path / f"route-{instance}.log"))
        return made[-1]

    yield make
    for process in made:
        process.close()


def routed(line: RouteLine) -> Counter[str]:
    """How often each visit has a revision 0."""
    return Counter(one.visit_id for one in line.dispositions() if one.revision == 0)


def wait_until_routed(line: RouteLine, visits: list[str]) -> None:
    """Wait for the first routing of all, and see that there is one of each."""
    wait_for(lambda: routed(line).keys() >= set(visits), "every visit is routed", SLOW_S)
    assert routed(line) == Counter(visits)


def restores(process: ServiceProcess) -> int:
    """How many partitions a process took over in its lives."""
    return process.log.read_text().count("partition restored")


def test_ten_kills_in_the_middle_of_work_lose_and_double_nothing(
    line: RouteLine, route: Callable[[str], ServiceProcess]
) -> None:
    dice = random.Random(20)
    visits: list[str] = []
    process = route("0")
    process.start()
    for kill in range(KILLS):
        fresh = [f"k{kill}.{number}" for number in range(VISITS_A_KILL)]
        half = VISITS_A_KILL // 2
        line.whole_visits(*fresh[:half], decide_in_ms=120_000)
        line.whole_visits(*fresh[half:], decide_in_ms=120_000, suspicion=0.9)
        visits += fresh
        wanted = len(visits) - VISITS_A_KILL + dice.randint(1, VISITS_A_KILL // 2)
        wait_for(lambda: len(routed(line)) >= wanted, "it is in the middle of its work", SLOW_S)  # noqa: B023 - called at once
        threading.Event().wait(dice.random() * 0.05)
        process.kill()
        lives = restores(process)
        process.start()
    wait_for(lambda: restores(process) > lives, "the last life works", SLOW_S)
    wait_until_routed(line, visits)
    opened = Counter(slot.slot_id for slot in line.slots() if isinstance(slot, SlotOpen))
    diverted = {one.visit_id for one in line.dispositions() if one.routing is Routing.DIVERTED}
    assert opened == Counter(f"{visit}.r0.g0" for visit in diverted)
    assert len(diverted) == KILLS * VISITS_A_KILL // 2
    assert process.stop() == 0


def test_kills_between_a_decision_and_its_outcome_strand_nothing(
    line: RouteLine, route: Callable[[str], ServiceProcess]
) -> None:
    visits = [f"v{number}" for number in range(10)]
    process = route("0")
    process.start()
    line.whole_visits(*visits, suspicion=0.9)
    wait_until_routed(line, visits)
    for visit in visits:
        line.decide(f"{visit}.r0.g0")
    process.kill()
    process.start()

    def outcomes() -> Counter[str]:
        return Counter(one.visit_id for one in line.dispositions() if one.outcome is Outcome.ACCEPT and one.final)

    wait_for(lambda: outcomes().keys() == set(visits), "every visit has its outcome", SLOW_S)
    assert outcomes() == Counter(visits)
    assert process.stop() == 0


def test_who_was_frozen_past_its_session_is_refused_and_leaves(
    line: RouteLine, route: Callable[[str], ServiceProcess]
) -> None:
    frozen, heir = route("0"), route("1")
    frozen.start()
    line.whole_visits("v0")
    wait_until_routed(line, ["v0"])
    waiting = [f"w{number}" for number in range(12)]
    for visit in waiting:
        line.capture(visit, decide_in_ms=20_000)
    wait_for(lambda: len(line.read("route-state")) > len(waiting), "the captures are taken in", SLOW_S)
    frozen.pause()
    heir.start()
    wait_until_routed(line, ["v0", *waiting])
    frozen.resume()
    later = [f"x{number}" for number in range(12)]
    line.whole_visits(*later, decide_in_ms=120_000)
    assert frozen.wait(SLOW_S) == FENCED
    wait_until_routed(line, ["v0", *waiting, *later])
    late = [one for one in line.dispositions() if one.visit_id in waiting and one.revision == 0]
    assert {one.routing for one in late} == {Routing.DIVERTED}
    assert heir.stop() == 0


def test_a_member_that_leaves_and_returns_diverts_nothing(
    line: RouteLine, route: Callable[[str], ServiceProcess]
) -> None:
    first, second = route("0"), route("1")
    first.start()
    second.start()
    visits: list[str] = []

    def send(name: str) -> None:
        fresh = [f"{name}.{number}" for number in range(16)]
        line.whole_visits(*fresh, decide_in_ms=120_000)
        visits.extend(fresh)

    send("both")
    wait_until_routed(line, visits)
    wait_for(lambda: restores(second) > 0, "both members work", SLOW_S)
    assert second.stop() == 0
    before = restores(second)
    send("one-left")
    wait_until_routed(line, visits)
    second.start()
    send("returning")
    wait_for(lambda: restores(second) > before, "the returned member works", SLOW_S)
    wait_until_routed(line, visits)
    send("both-again")
    wait_until_routed(line, visits)
    assert {one.routing for one in line.dispositions()} == {Routing.TRUSTED_PASS}
    assert first.stop() == 0
    assert second.stop() == 0


def test_a_visit_whose_deadline_falls_while_route_is_dead_is_late(
    line: RouteLine, route: Callable[[str], ServiceProcess]
) -> None:
    process = route("0")
    process.start()
    line.whole_visits("v0")
    wait_until_routed(line, ["v0"])
    deadline_ms = line.clock.now_ms() + 8_000
    line.capture("v1", decide_in_ms=8_000)
    wait_for(lambda: len(line.read("route-state")) > 1, "the capture is taken in", SLOW_S)
    process.kill()
    line.inspect("v1", decide_in_ms=8_000)
    line.wait_until(deadline_ms)
    process.start()
    wait_until_routed(line, ["v0", "v1"])
    (late,) = line.dispositions("v1")
    assert (late.routing, late.causes) == (Routing.DIVERTED, (Cause.LATE,))
    assert process.stop() == 0
