"""Who sends triggers in a plant: an MQTT broker with users, and an OPC UA server with a node that changes."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import ServerProcess, free_port, is_listening

_PASSWORDS = {"plc": "written", "ingest": "read"}
_START_S = 20.0


class TriggerBroker:
    """Debian's Mosquitto: `plc` may write below `cell/`, `ingest` may read `cell/trigger` alone."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            raise ConfigurationError("mosquitto is missing: sudo apt-get install mosquitto mosquitto-clients")
        self._folder, self.port = folder, free_port()
        users, rights, settings = folder / "users", folder / "rights", folder / "settings"
        users.touch(mode=0o700)
        for user, password in _PASSWORDS.items():
            subprocess.run(["mosquitto_passwd", "-b", users, user, password], check=True, capture_output=True)
        rights.write_text("user plc\ntopic write cell/#\nuser ingest\ntopic read cell/trigger\n")
        rights.chmod(0o700)
        # The broker gives up root for a user who may not read a test's folder.
        lines = ("user root", f"listener {self.port} 127.0.0.1", "allow_anonymous false")
        settings.write_text("\n".join([*lines, f"password_file {users}", f"acl_file {rights}", ""]))
        self._process = ServerProcess([program, "-c", str(settings)], folder / "log")

    def password_file(self, user: str) -> Path:
        """A file with a user's password."""
        file = self._folder / f"{user}.password"
        file.write_text(_PASSWORDS[user] + "\n")
        return file

    def publish(self, text: str, *more: str) -> None:
        """Send one message as the PLC does."""
        command = ["mosquitto_pub", "-p", str(self.port), "-u", "plc", "-P", _PASSWORDS["plc"], "-t", "cell/trigger"]
        subprocess.run([*command, "-q", "2", "-m", text, *more], check=True, capture_output=True, timeout=_START_S)

    def start(self) -> Self:
        """Start, or start again, and wait until it listens."""
        self._process.start(lambda: is_listening(self.port), _START_S)
        return self

    def stop(self) -> None:
        """Stop it; its port stays its own."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class TriggerServer:
    """An OPC UA server whose node `node` holds the trigger, first the one of before."""

    def __init__(self) -> None:
        self.port, self.node = free_port(), "ns=2;s=Trigger"
        self.url = f"opc.tcp://127.0.0.1:{self.port}/plc"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="opcua", daemon=True)
        self._thread.start()
        self._server: Any = None

    def start(self) -> Self:
        """Start it, or another of the same address."""
        self._wait(self._start())
        return self

    def write(self, value: object) -> None:
        """Change the node, as the PLC does for each part."""
        self._wait(self._variable.write_value(value))

    def write_bad(self) -> None:
        """Tell that the node's value is not to be used."""
        bad = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadDeviceFailure)))
        self._wait(self._server.write_attribute_value(self._variable.nodeid, bad))

    def stop(self) -> None:
        """Stop it; sessions end."""
        server, self._server = self._server, None
        if server is not None:
            self._wait(server.stop())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = Server()
        await self._server.init()
        self._server.set_endpoint(self.url)
        self._server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self._server.register_namespace("urn:test:plc")
        self._variable: Any = await self._server.nodes.objects.add_variable(
            ua.NodeId(ua.String("Trigger"), ua.Int16(2)), "Trigger", "counter=1 serial=SN-1"
        )
        await self._server.start()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_S)
