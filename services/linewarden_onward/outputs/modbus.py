"""Modbus TCP: the results as one block of holding registers, and what the PLC answers. There is no pass coil."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from linewarden_onward.interface import GateAct, Notice, OutputAway, OutputRun
from linewarden_onward.options import OutputOptions
from linewarden_onward.outputs.gate_block import GateBlock, GateLanes
from linewarden_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from linewarden_onward.outputs.register_server import RegisterServer


class ModbusOptions(OutputOptions):
    """A Modbus TCP server that a PLC reads; the registers are in the guide "Connect a PLC".

    `allow` lists networks whose clients are answered: the protocol itself knows no password. A result stays for
    `hold_ms` where the PLC does not acknowledge it.
    """

    kind: Literal["modbus"] = "modbus"
    host: str = "127.0.0.1"
    port: int = Field(5020, ge=0, le=65535)
    allow: tuple[IPv4Network | IPv6Network, ...] = (ip_network("127.0.0.0/8"),)
    lanes: GateLanes = GateLanes()
    hold_ms: int = Field(500, ge=20)
    idle_s: float = Field(5.0, gt=0)

    @property
    def has_gate(self) -> bool:
        """Always: the PLC writes what its gate did."""
        return True

    def open(self, run: OutputRun) -> ModbusOutput:
        """The server, listening; until it is told something it says nothing of any part."""
        # What listens is imported where it is opened: a plant without Modbus does without the library.
        from linewarden_onward.outputs.register_server import RegisterServer  # noqa: PLC0415

        block = GateBlock(run, self.lanes, self.hold_ms / 1_000)
        return ModbusOutput(block, RegisterServer(_bound(self), self.allow, self.idle_s, block.registers, block.wrote))


class ModbusOutput:
    """The block, and the server that shows it on `port`."""

    def __init__(self, block: GateBlock, server: RegisterServer) -> None:
        self._block, self._server = block, server
        self.port = server.port

    def tell(self, notices: Sequence[Notice]) -> None:
        """Show each result until the PLC has acknowledged it; raises OutputAway and OutputRefused as the block does."""
        self._block.tell(notices)

    def beat(self) -> Sequence[GateAct]:
        """Move the heartbeat, and bring what the gate did."""
        if not self._server.is_alive:
            raise OutputAway("the Modbus server has ended")
        return self._block.beat()

    def close(self) -> None:
        """Take what is shown back and end every connection."""
        self._block.withdraw()
        self._server.close()


def _bound(options: ModbusOptions) -> socket.socket:
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((options.host, options.port), family=family, reuse_port=False)
    except PermissionError as refused:
        raise ConfigurationError(
            f"output {options.output_id}: port {options.port} needs rights that this process lacks; take one above 1023"
        ) from refused
    except socket.gaierror as unknown:
        raise ConfigurationError(f"output {options.output_id}: host {options.host!r}: {unknown.strerror}") from unknown
    except OSError as busy:
        raise OutputAway(f"cannot listen on {options.host}:{options.port}: {busy.strerror}") from busy
