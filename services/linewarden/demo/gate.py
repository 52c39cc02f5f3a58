"""The demo's gate: onward with the output `modbus`, a simulated PLC as a child process, and what its bins must hold."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from linewarden.demo import line
from linewarden_onward.outputs.registers import HANDSHAKE_AT, HANDSHAKE_WORDS, handshake_of
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import free_port
from linewarden_schemas.ids import trigger_in
from linewarden_schemas.vocabulary import Routing

_BIN_OF = {Routing.TRUSTED_PASS: "pass", Routing.DIVERTED: "divert", Routing.REJECTED: "reject"}


class DemoPlc:
    """The simulated PLC as a process, whose gate lies `window_ms` behind its light barrier."""

    def __init__(self, folder: Path, window_ms: int) -> None:
        self._told, self._log = folder / "plc.json", folder / "plc.log"
        self._window_ms, self._port = window_ms, free_port()
        self._process: Popen[bytes] | None = None

    def env(self) -> dict[str, str]:
        """What onward has to know."""
        output = {"kind": "modbus", "output_id": "gate", "port": self._port}
        return {
            "LINEWARDEN_ONWARD__LINE_ID": line.LINE,
            "LINEWARDEN_ONWARD__OUTPUT": json.dumps(output),
            "LINEWARDEN_ONWARD__START": "earliest",
            "LINEWARDEN_ONWARD__SIMULATED_OPENS": "true",
            "LINEWARDEN_ONWARD__RETRY_AT_MOST_S": "0.5",
        }

    def start(self, env: Mapping[str, str]) -> None:
        """Start it beside a line of that environment; it sees the parts that are captured once this returns.

        Raises:
            ConfigurationError: with the end of its log, where it ends or is not ready in time.
        """
        command = [sys.executable, "-m", "linewarden", "gate", "simulate", "--follow", "--json"]
        command += ["--address", f"127.0.0.1:{self._port}", "--window-ms", str(self._window_ms)]
        with self._told.open("wb") as told, self._log.open("wb") as log:
            self._process = Popen(command, env={**os.environ, **env}, stdout=told, stderr=log, start_new_session=True)
        self._await_ready()

    def finish(self) -> dict[str, Any]:
        """Let the belt run empty; what it tells then.

        Raises:
            ConfigurationError: with the end of its log, where it ended otherwise.
        """
        if self._process is None:
            raise ConfigurationError("the simulated PLC was never started")
        self._process.terminate()
        try:
            code = self._process.wait(self._window_ms / 1_000 + 15.0)
            told: dict[str, Any] = json.loads(self._told.read_text(encoding="utf-8"))
        except (TimeoutExpired, json.JSONDecodeError) as failure:
            tail = self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise ConfigurationError(
                f"the simulated PLC did not end in order; {self._log} ends with\n{tail}"
            ) from failure
        if code:
            raise ConfigurationError(f"the simulated PLC ended with code {code}; see {self._log}")
        return told

    def _await_ready(self, ready_s: float = 60.0) -> None:
        from linewarden_onward.simulated_plc import PlcLink  # noqa: PLC0415 - a demo without a gate does without pymodbus

        link, deadline = PlcLink("127.0.0.1", self._port), time.monotonic() + ready_s
        while True:
            written = link.registers(HANDSHAKE_AT, HANDSHAKE_WORDS)
            if written is not None and handshake_of(written).ready:
                link.close()
                return
            if time.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                raise ConfigurationError(f"the simulated PLC is not ready; {self._tail()}")
            time.sleep(0.1)

    def _tail(self) -> str:
        return f"{self._log} ends with\n{self._log.read_text(encoding='utf-8', errors='replace')[-2_000:]}"

    def kill(self) -> None:
        """End it at once, where it runs still."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def gate_figures(told: Mapping[str, Any], routings: Mapping[str, Routing]) -> dict[str, Any]:
    """Whether each visit's part lies where its first disposition says, or, without an answer in time, in `unknown`."""
    parts: Mapping[str, Mapping[str, Any]] = told["parts"]
    wrong, too_late, left = [], 0, set(parts)
    for visit, routing in sorted(routings.items()):
        trigger = trigger_in(visit)
        counter = "" if trigger is None else str(trigger[1])
        bin_ = parts.get(counter, {}).get("bin")
        left.discard(counter)
        if bin_ not in {_BIN_OF[routing], "unknown"}:
            wrong.append(f"{visit} ({routing.value}) in {bin_ or 'no bin'}")
        too_late += routing is Routing.TRUSTED_PASS and bin_ == "unknown"
    wrong += [f"part {counter} was never decided" for counter in sorted(left) if parts[counter]["bin"] != "unknown"]
    return {
        "bins": told["bins"],
        "passes_too_late": too_late,
        "alarms": told["alarms"],
        "missed_triggers": told["missed_triggers"],
        "wrong": wrong,
        "agrees": not wrong and not told["missed_triggers"],
    }
