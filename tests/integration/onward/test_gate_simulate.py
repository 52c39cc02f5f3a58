"""`linewarden gate simulate` against a server: what it shows at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from linewarden_onward.gate import GateDoubt
from linewarden_schemas.vocabulary import Routing
from tests.support.plant_modbus import opened, routing_of

SEED = 5
BINS = {Routing.TRUSTED_PASS: "pass", Routing.DIVERTED: "divert", Routing.REJECTED: "reject"}


def simulated(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "linewarden", "gate", "simulate", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_parts_that_nobody_answers_for_are_counted_apart_and_alarmed() -> None:
    output = opened()
    told = simulated("--address", f"127.0.0.1:{output.port}", "--parts", "5", "--rate", "50", "--window-ms", "100")
    output.close()
    assert told["bins"] == {"pass": 0, "divert": 0, "reject": 0, "unknown": 5}
    assert told["alarms"] == 1
    assert {part["doubt"] for part in told["parts"].values()} == {GateDoubt.NO_ANSWER}


@pytest.mark.slow
def test_parts_lie_where_the_server_says_and_a_plc_that_dies_passes_nothing_more() -> None:
    command = [sys.executable, "-m", "tests.support.plant_modbus", "0", "1", str(SEED), "0", "9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = f"127.0.0.1:{int(server.stdout.readline())}"
        told = simulated(
            "--address", address, "--parts", "30", "--rate", "10", "--window-ms", "2000", "--dead-after", "20"
        )
        server.kill()
    for counter, part in told["parts"].items():
        assert part["bin"] in {BINS[routing_of(SEED, int(counter))], "unknown"}
    assert [told["parts"][str(counter)]["bin"] for counter in range(21, 31)] == ["unknown"] * 10
    assert len(told["parts"]) == 30


def test_an_address_without_a_port_is_wrong_usage() -> None:
    command = [sys.executable, "-m", "linewarden", "gate", "simulate", "--address", "plc"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "HOST:PORT" in done.stderr
