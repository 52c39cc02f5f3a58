"""The line's process on real brokers: alarms from what others write, people by the command line, kills and heirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linewarden.cli import app
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.events import event_record
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import CameraCondition
from tests.support.processes import ServiceProcess, wait_for
from tests.support.topics import provisioned, publish

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class LineAtWork:
    """A namespace on a real broker, its line's processes, and the command line beside them."""

    namespace: str
    broker: KafkaBroker
    environment: dict[str, str]
    folder: Path

    def start(self, number: int) -> ServiceProcess:
        made = ServiceProcess("linewarden_line", self.environment, self.folder / f"log{number}")
        made.start()
        return made

    def beat(self, *conditions: CameraCondition) -> None:
        now = SystemClock().now_ms()
        told = CameraHeartbeat(
            line_id="line1",
            station_id="st1",
            camera_id="cam1",
            spool_epoch=1,
            last_sequence=7,
            at_ms=now,
            conditions=conditions,
        )
        topic = Namespace(self.namespace).topic("captures")
        publish(self.broker, event_record(topic, "cam1", told, id=f"cam1.{now}", source="/test", time_ms=now))

    def call(self, *words: str) -> Result:
        return CliRunner(env=self.environment).invoke(app, ["alarm", *words])

    def listed(self) -> dict[str, str]:
        rows = json.loads(self.call("list", "--json").stdout or "[]")
        return {row["alarm"]: row["stage"] for row in rows}


@pytest.fixture(params=["tansu", pytest.param("apache", marks=pytest.mark.kafka)])
def line(request: pytest.FixtureRequest, namespace: str, tmp_path: Path) -> LineAtWork:
    server, fixture = {"tansu": ("tansu", "tansu_broker"), "apache": ("apache_server", "apache_kafka")}[request.param]
    broker = request.getfixturevalue(fixture)
    provisioned(broker, Namespace(namespace), 2)
    environment = {
        "LINEWARDEN_NAMESPACE": namespace,
        "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": request.getfixturevalue(server).bootstrap_servers,
        "LINEWARDEN_KAFKA__APPEND_TIME": str(request.param == "apache").lower(),
        "LINEWARDEN_LINE__ALARMS__CAMERA_SILENT_S": "600",
        "LINEWARDEN_KAFKA__ENDS_BY_FETCH": str(request.param == "tansu").lower(),
    }
    return LineAtWork(namespace, broker, environment, tmp_path)


@pytest.fixture
def started(line: LineAtWork) -> Iterator[Callable[[], ServiceProcess]]:
    made: list[ServiceProcess] = []

    def start() -> ServiceProcess:
        made.append(line.start(len(made)))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_an_alarm_lives_through_the_death_of_the_process_that_keeps_it(
    line: LineAtWork, started: Callable[[], ServiceProcess]
) -> None:
    unkept = line.call("list")
    assert (unkept.exit_code, "nobody keeps these alarms" in unkept.output) == (1, True)
    first = started()
    wait_for(lambda: line.call("list").exit_code == 0, "somebody keeps the alarms")
    line.beat(CameraCondition.DARK)
    name = "line1.camera_dark.cam1"
    wait_for(lambda: line.listed() == {name: "unacknowledged"}, "the alarm stands")
    assert line.call("ack", name, "--actor", "lead-02").exit_code == 0
    again = line.call("ack", name, "--actor", "op-1")
    assert "lead-02 has acknowledged it" in str(again.exception)
    assert line.call("shelve", name, "--for", "60", "--actor", "lead-02", "--reason", "lamp is ordered").exit_code == 0
    first.kill()
    wait_for(lambda: line.call("list").exit_code == 1, "its death is seen")
    assert line.listed() == {name: "shelved"}
    second = started()
    wait_for(lambda: line.call("list").exit_code == 0, "an heir keeps them")
    assert line.listed() == {name: "shelved"}
    assert line.call("unshelve", name).exit_code == 0
    line.beat()
    wait_for(lambda: line.listed() == {}, "it ends", 90)
    told = json.loads(line.call("history", "--json").stdout)
    assert [(one["step"], one["by"]) for one in told if one["step"] not in {"unshelved", "refused"}] == [
        ("raised", ""),
        ("acknowledged", "lead-02"),
        ("shelved", "lead-02"),
        ("returned", ""),
    ]
    second.stop()


def test_a_second_process_takes_the_line_and_the_first_ends(
    line: LineAtWork, started: Callable[[], ServiceProcess]
) -> None:
    first = started()
    wait_for(lambda: line.call("list").exit_code == 0, "somebody keeps the alarms")
    started()
    assert first.wait() == 75


def test_what_nobody_keeps_is_written_down_and_said(line: LineAtWork, started: Callable[[], ServiceProcess]) -> None:
    refused = line.call("ack", "line1.camera_dark.cam1")
    assert "there is no alarm line1.camera_dark.cam1" in str(refused.exception)
