"""A Modbus TCP server in a thread of its own: one block to read, one to write, and connections that do not linger."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import structlog
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from linewarden_onward.outputs.registers import HANDSHAKE_AT, HANDSHAKE_WORDS, RESULT_WORDS

_log = structlog.get_logger(__name__)

_READ, _WRITE_ONE, _WRITE, _READ_WRITE = 3, 6, 16, 23
_MOST_CONNECTIONS = 16


class RegisterServer:
    """Serves what `read` gives at each request, and tells `wrote` the whole handshake after each write.

    Both are called in the server's thread, one at a time, and must not block. `listening` is bound and taken over. Only
    clients of `allow` are answered; a connection without a whole request for `idle_s`, or that leaves answers unread,
    is ended.
    """

    def __init__(
        self,
        listening: socket.socket,
        allow: Sequence[IPv4Network | IPv6Network],
        idle_s: float,
        read: Callable[[], list[int]],
        wrote: Callable[[list[int]], None],
    ) -> None:
        self.allow, self.idle_s = allow, idle_s
        self._read, self._wrote = read, wrote
        # A connection inherits it: what a stalled client has not taken of its answers would reach it late.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_024)
        self.port: int = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="modbus", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(listening), self._loop).result(10.0)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs; where not, nobody is answered."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Close every connection and the port."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    async def _serve(self, listening: socket.socket) -> _Listener:
        blocks = [
            SimData(0, values=[0] * RESULT_WORDS, datatype=DataType.REGISTERS, readonly=True),
            SimData(HANDSHAKE_AT, values=[0] * HANDSHAKE_WORDS, datatype=DataType.REGISTERS),
        ]
        server = _Listener(self, SimDevice(0, simdata=blocks, action=self._access))
        # pymodbus logs why it cannot listen and forgets it: the socket is bound where that can be told.
        server.call_create = partial(
            asyncio.get_running_loop().create_server, server.handle_new_connection, sock=listening
        )
        await server.serve_forever(background=True)
        return server

    async def _stop(self) -> None:
        await self._server.shutdown()  # type: ignore[no-untyped-call]

    async def _access(
        self, function: int, start: int, address: int, _count: int, registers: list[int], values: list[Any] | None
    ) -> ExcCodes | None:
        """One request, between whose parts nothing else runs: what it reads is one state of the block."""
        if function not in {_READ, _WRITE_ONE, _WRITE, _READ_WRITE}:
            return ExcCodes.ILLEGAL_FUNCTION
        if values is None:
            registers[:RESULT_WORDS] = self._read()
            return None
        at = address - start  # the block of results is read-only, which pymodbus has held by now
        registers[at : at + len(values)] = values
        self._wrote(registers[HANDSHAKE_AT - start :])
        return None


class _Listener(ModbusTcpServer):
    def __init__(self, served: RegisterServer, device: SimDevice) -> None:
        super().__init__(device)
        self.served = served

    def callback_new_connection(self) -> ServerRequestHandler:
        return _RegisterClient(self)


class _RegisterClient(ServerRequestHandler):
    """One client; ended where it is not allowed, says nothing, or does not read."""

    def __init__(self, owner: _Listener) -> None:
        super().__init__(owner, None, None, None)  # type: ignore[no-untyped-call]
        self._owner = owner
        self._ending: asyncio.TimerHandle | None = None

    def callback_connected(self) -> None:
        super().callback_connected()
        peer = ip_address(self.transport.get_extra_info("peername")[0])
        if not any(peer in network for network in self._owner.served.allow):
            self._end("refused a client that is not allowed")
        elif len(self._owner.active_connections) > _MOST_CONNECTIONS:
            self._end("refused a client: too many connections")
        else:
            self._wait()

    def callback_data(self, data: bytes, addr: tuple[str, int] | None = None) -> int:
        used: int = super().callback_data(data, addr)
        if self.last_pdu is not None:
            self._wait()
        return used

    def server_send(self, pdu: ModbusPDU, addr: tuple[str, int] | None) -> None:
        transport = self.transport
        if isinstance(transport, asyncio.Transport) and transport.get_write_buffer_size():
            self._end("ended a connection that leaves its answers unread")
        else:
            super().server_send(pdu, addr)  # type: ignore[no-untyped-call]

    def callback_disconnected(self, exc: Exception | None) -> None:
        super().callback_disconnected(exc)
        self._forget()

    def _wait(self) -> None:
        self._forget()
        idle = self._owner.served.idle_s
        self._ending = self.loop.call_later(idle, self._end, "ended an idle connection")

    def _forget(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end(self, why: str) -> None:
        self._forget()
        transport = self.transport
        if isinstance(transport, asyncio.Transport):
            _log.warning("a client of the registers was sent away", why=why, peer=transport.get_extra_info("peername"))
            self.close()
            transport.abort()  # what it has not read yet must not be delivered late
