"""The demo's gate: for each of two outputs onward, a simulated PLC as a child process, and what its bins must hold."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from linewarden.commands.gate import OUTPUT_READ
from linewarden.demo import line
from linewarden_runtime.books import positions_of, readable
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Broker
from linewarden_runtime.processes import free_port
from linewarden_schemas.ids import trigger_in
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Routing

_READY_S = 60.0
_ROUTED_BY = {
    "pass": Routing.TRUSTED_PASS,
    "divert": Routing.DIVERTED,
    "reject": Routing.REJECTED,
    "unknown": Routing.DIVERTED,
}
_BIN_OF = {Routing.TRUSTED_PASS: "pass", Routing.DIVERTED: "divert", Routing.REJECTED: "reject"}


class DemoControl(ABC):
    """A simulated PLC as a process, told by an output of its own, whose gate lies `window_ms` behind its barrier."""

    name: str

    def __init__(self, folder: Path, window_ms: int) -> None:
        self._told, self._log = folder / f"plc-{self.name}.json", folder / f"plc-{self.name}.log"
        self._folder, self._window_ms, self._port = folder, window_ms, free_port()
        self._process: Popen[bytes] | None = None

    def env(self) -> dict[str, str]:
        """What its onward has to know."""
        return {
            "LINEWARDEN_ONWARD__LINE_ID": line.LINE,
            "LINEWARDEN_ONWARD__OUTPUT": json.dumps(self._output()),
            "LINEWARDEN_ONWARD__START": "earliest",
            "LINEWARDEN_ONWARD__SIMULATED_OPENS": "true",
            "LINEWARDEN_ONWARD__RETRY_AT_MOST_S": "0.5",
        }

    def start(self, env: Mapping[str, str]) -> None:
        """Start it beside a line of that environment; it sees the parts that are captured once this returns.

        Raises:
            ConfigurationError: with the end of its log, where it ends or is not ready in time.
        """
        command = [sys.executable, "-m", "linewarden", "gate", "simulate", "--follow", "--json", *self._address()]
        command += ["--window-ms", str(self._window_ms)]
        with self._told.open("wb") as told, self._log.open("wb") as log:
            self._process = Popen(command, env={**os.environ, **env}, stdout=told, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _READY_S
        while OUTPUT_READ.encode() not in self._log.read_bytes():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise ConfigurationError(f"the simulated PLC is not ready; {self._tail()}")
            time.sleep(0.1)

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
            raise ConfigurationError(f"the simulated PLC did not end in order; {self._tail()}") from failure
        if code:
            raise ConfigurationError(f"the simulated PLC ended with code {code}; see {self._log}")
        return told

    def kill(self) -> None:
        """End it at once, where it runs still."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _tail(self) -> str:
        return f"{self._log} ends with\n{self._log.read_text(encoding='utf-8', errors='replace')[-2_000:]}"

    @abstractmethod
    def _output(self) -> dict[str, object]: ...

    @abstractmethod
    def _address(self) -> list[str]: ...


class DemoPlc(DemoControl):
    """Over Modbus; it also tells what its gate did."""

    name = "modbus"

    def _output(self) -> dict[str, object]:
        return {"kind": "modbus", "output_id": "gate", "port": self._port}

    def _address(self) -> list[str]:
        return ["--address", f"127.0.0.1:{self._port}"]


class DemoUaPlc(DemoControl):
    """Over OPC UA, with a user of its own; nobody writes there, so it tells nothing."""

    name = "opcua"

    def __init__(self, folder: Path, window_ms: int) -> None:
        from argon2 import PasswordHasher  # noqa: PLC0415 - a demo without a gate does without it

        super().__init__(folder, window_ms)
        self._own, self._users, self._password = folder / "opcua", folder / "opcua-users", folder / "opcua-password"
        password = secrets.token_urlsafe(16)
        for path, text in ((self._users, f"plc:{PasswordHasher().hash(password)}\n"), (self._password, password)):
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")

    def _output(self) -> dict[str, object]:
        users, folder = str(self._users), str(self._own)
        return {"kind": "opcua", "output_id": "ua", "port": self._port, "users_file": users, "folder": folder}

    def _address(self) -> list[str]:
        address = ["--address", f"opc.tcp://127.0.0.1:{self._port}/linewarden", "--line-id", line.LINE]
        return [*address, "--password-file", str(self._password), "--trust", str(self._own / "server.der")]


def gate_figures(told: Mapping[str, Any], routings: Mapping[str, Routing]) -> dict[str, Any]:
    """Whether each visit's part lies where its first disposition says, or, without an answer in time, in `unknown`.

    A pass whose permission was over, or taken back, before the gate read it lies with the diverted: too late as well.
    """
    parts: Mapping[str, Mapping[str, Any]] = told["parts"]
    wrong, too_late, left = [], 0, set(parts)
    for visit, routing in sorted(routings.items()):
        trigger = trigger_in(visit)
        counter = "" if trigger is None else str(trigger[1])
        bin_ = parts.get(counter, {}).get("bin")
        left.discard(counter)
        is_too_late = routing is Routing.TRUSTED_PASS and bin_ in {"unknown", _BIN_OF[Routing.DIVERTED]}
        if not is_too_late and bin_ not in {_BIN_OF[routing], "unknown"}:
            wrong.append(f"{visit} ({routing.value}) in {bin_ or 'no bin'}")
        too_late += is_too_late
    wrong += [f"part {counter} was never decided" for counter in sorted(left) if parts[counter]["bin"] != "unknown"]
    return {
        "bins": told["bins"],
        "passes_too_late": too_late,
        "alarms": told["alarms"],
        "missed_triggers": told["missed_triggers"],
        "wrong": wrong,
        "agrees": not wrong and not told["missed_triggers"],
    }


def gates_figures(
    told: Mapping[str, Mapping[str, Any]], routings: Mapping[str, Routing], acts: Mapping[str, Actuation]
) -> dict[str, Any]:
    """What both PLCs have in their bins, and what the one over Modbus reported."""
    modbus, opcua = (gate_figures(told[name], routings) for name in (DemoPlc.name, DemoUaPlc.name))
    reports = acts_figures(told[DemoPlc.name], routings, acts)
    agrees = modbus["agrees"] and opcua["agrees"] and reports["agrees"]
    return modbus | {"opcua": opcua, "acts": reports, "agrees": agrees}


def acts_figures(
    told: Mapping[str, Any], routings: Mapping[str, Routing], acts: Mapping[str, Actuation]
) -> dict[str, Any]:
    """Whether what the gate reported of each visit is where the part lies; a part without an answer was diverted."""
    parts: Mapping[str, Mapping[str, Any]] = told["parts"]
    wrong, unreported = [], []
    for visit in sorted(routings):
        trigger = trigger_in(visit)
        bin_ = None if trigger is None else parts.get(str(trigger[1]), {}).get("bin")
        if bin_ is None:
            continue
        act = acts.get(visit)
        if act is None:
            unreported.append(visit)
        elif act.actual is not _ROUTED_BY[bin_]:
            wrong.append(f"{visit} in {bin_}, reported as {act.actual.value if act.actual else 'not known'}")
    return {"reported": len(acts), "unreported": unreported, "wrong": wrong, "agrees": not wrong and not unreported}


def read_acts(broker: Broker, wanted: int, seconds: float = 10.0) -> dict[str, Actuation]:
    """What the gate reported of each visit first, once so many are there or the time is over."""
    topic = line.NAMESPACE.topic("actuations")
    found: dict[str, Actuation] = {}
    until = time.monotonic() + seconds
    with broker.reader(dict.fromkeys(positions_of(broker, topic), 0)) as reader:
        while len(found) < wanted and time.monotonic() < until:
            for record in reader.poll(0.2):
                message = readable(record)
                if isinstance(message, Actuation):
                    found.setdefault(message.visit_id, message)
    return found
