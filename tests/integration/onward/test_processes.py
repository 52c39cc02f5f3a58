"""Onward as processes on real brokers, with real receivers: killed, frozen, taken over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from linewarden_onward.testing import decided
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.events import event_record
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import OutputState
from tests.support.plant_http import PlantHttp, Receiver, half_a_body, silent, status
from tests.support.processes import ServiceProcess, wait_for
from tests.support.topics import Watcher, provisioned, publish

pytestmark = pytest.mark.slow

PARTITIONS = 2
LONG_MS = 600_000
"""From trigger to decide-by: nothing expires in these tests."""


@dataclass(frozen=True)
class Bus:
    """A broker that a process reaches by its address, and whether it keeps append times."""

    bootstrap_servers: str
    broker: KafkaBroker
    append_time: bool


@pytest.fixture(params=["tansu", pytest.param("apache", marks=pytest.mark.kafka)])
def bus(request: pytest.FixtureRequest) -> Bus:
    server, broker = {"tansu": ("tansu", "tansu_broker"), "apache": ("apache_server", "apache_kafka")}[request.param]
    return Bus(
        request.getfixturevalue(server).bootstrap_servers, request.getfixturevalue(broker), request.param == "apache"
    )


@pytest.fixture
def server() -> Iterator[PlantHttp]:
    with PlantHttp() as made:
        yield made


@pytest.fixture
def start(bus: Bus, namespace: str, tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """Starts onward with an output, each time as a process of its own."""
    provisioned(bus.broker, Namespace(namespace), PARTITIONS)
    made: list[ServiceProcess] = []

    def begin(**output: object) -> ServiceProcess:
        environment = {
            "LINEWARDEN_NAMESPACE": namespace,
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": bus.bootstrap_servers,
            "LINEWARDEN_KAFKA__APPEND_TIME": str(bus.append_time).lower(),
            "LINEWARDEN_KAFKA__SESSION_TIMEOUT_MS": "6000" if bus.append_time else "2000",
            "LINEWARDEN_ONWARD__START": "earliest",
            "LINEWARDEN_ONWARD__OUTPUT": json.dumps({"output_id": "out1", **output}),
        }
        made.append(ServiceProcess("linewarden_onward", environment, tmp_path / f"log{len(made)}"))
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture
def say(bus: Bus, namespace: str) -> Callable[[range], list[str]]:
    """Lets route pass visits of these numbers, all of one partition; their keys in their order."""
    clock = SystemClock()

    def tell(numbers: range) -> list[str]:
        at_ms, said = clock.now_ms(), list[Disposition]()
        for number in numbers:
            one = decided(number, at_ms, decide_by_ms=at_ms + LONG_MS)
            said.append(one)
        publish(
            bus.broker,
            *(
                event_record(
                    Namespace(namespace).topic("dispositions"),
                    one.visit_id,
                    one,
                    id=f"{one.visit_id}.0",
                    source="/test",
                    time_ms=at_ms,
                    partition=partition_of(one.visit_id, PARTITIONS),
                )
                for one in said
            ),
        )
        return [f"{one.visit_id}:0" for one in said]

    return tell


def in_order(keys: list[str], said: list[str]) -> None:
    """Every one is there, and the first tellings of each partition are in its order."""
    first = list(dict.fromkeys(keys))
    assert sorted(first) == sorted(said)
    for number in range(PARTITIONS):
        here = [key for key in said if partition_of(key.partition(":")[0], PARTITIONS) == number]
        assert [key for key in first if key in here] == here


def test_what_a_bad_receiver_does_neither_loses_nor_reorders(
    start: Callable[..., ServiceProcess], say: Callable[[range], list[str]], server: PlantHttp
) -> None:
    server.replies = [
        *(status(200), status(503, retry_after="1"), half_a_body, silent, status(500)),
        *(status(200), status(429), status(302, location="http://127.0.0.1:1/")),
    ]
    said = say(range(12))
    process = start(kind="webhook", url=server.url, answer_s=1.0)
    wait_for(lambda: set(said) <= set(server.keys), "all are told")
    in_order(server.keys, said)
    assert process.stop() == 0, process.log.read_text()
    assert all(one.event["data"]["permission"] for one in server.received)


def test_who_is_killed_between_telling_and_commit_is_followed_by_the_same_again(
    start: Callable[..., ServiceProcess], say: Callable[[range], list[str]], server: PlantHttp
) -> None:
    running: list[ServiceProcess] = []

    def killing(to: Receiver) -> None:
        running[-1].kill()
        to.close_connection = True

    server.replies = [status(200), status(200), killing]
    said = say(range(6))
    running.append(start(kind="webhook", url=server.url))
    told = server.wait_for(3)
    running[-1].wait()
    server.replies = []
    running.append(start(kind="webhook", url=server.url))
    # What the killed one was told to is told again, which may come last: partitions are read in no order.
    wait_for(lambda: told[2].key in server.keys[3:] and set(said) <= set(server.keys), "all are told, that one again")
    in_order(server.keys, said)
    assert {one.event["epoch"] for one in server.received[:3]} == {1}
    assert {one.event["epoch"] for one in server.received[3:]} == {2}
    assert all(one.event["data"]["permission"] for one in server.received)
    assert running[-1].stop() == 0


def test_who_was_frozen_past_its_time_says_nothing_more_and_ends_with_75(
    start: Callable[..., ServiceProcess],
    say: Callable[[range], list[str]],
    server: PlantHttp,
    bus: Bus,
    namespace: str,
) -> None:
    said = say(range(2))
    old = start(kind="webhook", url=server.url)
    wait_for(lambda: set(said) <= set(server.keys), "the first are told")
    with Watcher(bus.broker, Namespace(namespace).topic("outputs"), OutputState) as outputs:
        old.pause()
        said += say(range(2, 5))
        heir = start(kind="webhook", url=server.url)
        outputs.wait_for(lambda states: any(state.epoch == 2 for state in states), 60)
    wait_for(lambda: set(said) <= set(server.keys), "the heir tells the rest")
    since = len(server.received)
    old.resume()
    assert old.wait() == 75, old.log.read_text()
    said += say(range(5, 8))
    wait_for(lambda: set(said) <= set(server.keys), "the heir goes on")
    assert {one.event["epoch"] for one in server.received[since:]} == {2}
    assert heir.stop() == 0


def test_of_two_that_run_at_once_the_second_takes_over(
    start: Callable[..., ServiceProcess], say: Callable[[range], list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "told.jsonl"
    old = start(kind="file", path=str(path))
    said = say(range(3))
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= 3, "the first are told")
    heir = start(kind="file", path=str(path))
    assert old.wait() == 75, old.log.read_text()
    said += say(range(3, 6))
    wait_for(lambda: path.read_text().count("\n") >= 6, "the rest is told")
    assert heir.stop() == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    in_order([one["id"] for one in lines], said)
    assert [one["epoch"] for one in lines] == sorted(one["epoch"] for one in lines)


def test_what_people_set_wrongly_ends_it_with_what_to_do(start: Callable[..., ServiceProcess], tmp_path: Path) -> None:
    process = start(kind="file", path=str(tmp_path / "missing" / "told.jsonl"))
    assert process.wait() == 78
    assert "make it first" in process.log.read_text()
