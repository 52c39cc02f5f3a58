"""A full bin, from a PLC's register to the line's alarm: onward and the line's process on a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient
from typer.testing import CliRunner

from linewarden.cli import app
from linewarden_onward.gate import GateVerdict
from linewarden_onward.outputs.registers import (
    HANDSHAKE_AT,
    RESULT_WORDS,
    Handshake,
    handshake_registers,
    result_of,
)
from linewarden_onward.testing import decided
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.events import event_record
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.processes import free_port, is_listening
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import LANES
from tests.support.processes import DEADLINE_S, ServiceProcess, wait_for
from tests.support.topics import Watcher, provisioned, publish

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PARTITIONS = 2
NOT_FULL, FULL = 1, 2
ALARM = "line1.bin_full.rejected"


class RejectingPlc:
    """A control behind a Modbus client, whose gate sends each part to the bin of rejects."""

    def __init__(self, client: ModbusTcpClient) -> None:
        self._client, self._written = client, Handshake(ready=1)

    def write(self, **changes: int) -> None:
        """Some registers anew, all in one request."""
        self._written = replace(self._written, **changes)
        assert not self._client.write_registers(HANDSHAKE_AT, handshake_registers(self._written)).isError()

    def reject(self, counter: int, sensor: int) -> None:
        """Wait for the word on a part, acknowledge it, and write what was done and what the bin's sensor said then."""
        wait_for(lambda: self._counter() == counter, f"the word on part {counter}")
        self.write(acknowledged=counter, acknowledged_verdict=int(GateVerdict.REJECT))
        act = {"act_counter": counter, "act_lane": LANES.rejected, "act_bin": sensor}
        self.write(acts=self._written.acts + 1, **act)

    def _counter(self) -> int:
        return result_of(self._client.read_holding_registers(0, count=RESULT_WORDS).registers).counter


@pytest.fixture
def environment(tansu: Any, tansu_broker: KafkaBroker, namespace: str) -> dict[str, str]:
    provisioned(tansu_broker, Namespace(namespace), PARTITIONS)
    return {
        "LINEWARDEN_NAMESPACE": namespace,
        "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": tansu.bootstrap_servers,
        "LINEWARDEN_KAFKA__APPEND_TIME": "false",
        "LINEWARDEN_KAFKA__ENDS_BY_FETCH": "true",
    }


@pytest.fixture
def plc(environment: dict[str, str], tmp_path: Path) -> Iterator[RejectingPlc]:
    """A control at the port of onward, which runs beside the line's process."""
    port = free_port()
    output = {"kind": "modbus", "output_id": "gate", "port": port, "idle_s": 100}
    onward = {"LINEWARDEN_ONWARD__START": "earliest", "LINEWARDEN_ONWARD__OUTPUT": json.dumps(output)}
    running = [
        ServiceProcess("linewarden_line", environment, tmp_path / "line"),
        ServiceProcess("linewarden_onward", environment | onward, tmp_path / "onward"),
    ]
    for one in running:
        one.start()
    try:
        wait_for(lambda: is_listening(port), "onward listens")
        with closing(ModbusTcpClient("127.0.0.1", port=port, timeout=5)) as client:
            yield RejectingPlc(client)
    finally:
        for one in running:
            one.close()


def test_a_bin_that_the_plc_says_is_full_is_an_alarm_until_it_says_otherwise(
    plc: RejectingPlc, environment: dict[str, str], tansu_broker: KafkaBroker, namespace: str
) -> None:
    def call(*words: str) -> str:
        return CliRunner(env=environment).invoke(app, ["alarm", *words]).stdout

    def alarm() -> dict[str, Any]:
        listed = json.loads(call("list", "--json") or "[]")
        return next((row for row in listed if row["alarm"] == ALARM), {})

    def reject(counter: int, sensor: int) -> None:
        plc.write(trigger=counter)
        at_ms = SystemClock().now_ms()
        told = decided(counter, at_ms, Routing.REJECTED, decide_by_ms=at_ms + 600_000)
        topic, partition = Namespace(namespace).topic("dispositions"), partition_of(told.visit_id, PARTITIONS)
        name = f"{told.visit_id}.0"
        publish(
            tansu_broker,
            event_record(topic, told.visit_id, told, id=name, source="/test", time_ms=at_ms, partition=partition),
        )
        plc.reject(counter, sensor)

    reject(1, NOT_FULL)
    reject(2, FULL)
    wait_for(lambda: alarm().get("stage") == "unacknowledged", "the alarm")
    assert alarm()["asks for"] == "stop"
    call("ack", ALARM, "--actor", "lead-02")
    wait_for(lambda: alarm().get("stage") == "acknowledged", "somebody has seen it")
    reject(3, NOT_FULL)
    wait_for(lambda: not alarm(), "the bin was emptied", 90)
    steps = [row["step"] for row in json.loads(call("history", "--json")) if row["alarm"] == ALARM]
    assert steps == ["raised", "acknowledged", "returned"]
    with Watcher(tansu_broker, Namespace(namespace).topic("actuations"), Actuation) as acts:
        told = acts.wait_for(lambda found: len(found) == 3, DEADLINE_S)
    assert [one.bin_full for one in sorted(told, key=lambda one: one.at_ms)] == [False, True, False]
