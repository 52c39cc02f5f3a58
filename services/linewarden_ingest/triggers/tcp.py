"""Lines over TCP: from a device that we connect to, or from one that connects to us."""

from __future__ import annotations

import select
import socket
from typing import Literal

from pydantic import Field

from linewarden_ingest.triggers.desk import LineSplitter, SourceAway, TriggerDesk
from linewarden_ingest.triggers.options import STEP_S, Address, TriggerOptions, family_of, host_and_port
from linewarden_runtime.lifecycle import Stop


class TcpTrigger(TriggerOptions):
    """A device at `address`; with `listen` it is ours, and of those that connect the last one counts."""

    kind: Literal["tcp"] = "tcp"
    address: Address
    listen: bool = False
    connect_s: float = Field(5.0, gt=0)

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        """Give the device's lines until the stop; raises SourceAway where it cannot be reached or closes."""
        try:
            if self.listen:
                self._serve(desk, until)
            else:
                with socket.create_connection(host_and_port(self.address), self.connect_s) as device:
                    self._follow(device, desk, until)
        except OSError as error:
            raise SourceAway(f"{self.address}: {error}") from error

    def _follow(self, device: socket.socket, desk: TriggerDesk, until: Stop) -> None:
        lines = _announced(device, desk)
        while not until.is_set():
            if _is_readable(device) and not _take(device, lines, desk):
                raise SourceAway(f"{self.address}: it closed the connection")

    def _serve(self, desk: TriggerDesk, until: Stop) -> None:
        address = host_and_port(self.address)
        device: socket.socket | None = None
        lines = LineSplitter()
        try:
            with socket.create_server(address, family=family_of(address[0])) as server:
                while not until.is_set():
                    if _is_readable(server, *([] if device is None else [device])) is server:
                        _close(device, lines, desk)
                        device, _ = server.accept()
                        lines = _announced(device, desk)
                    elif device is not None and _is_readable(device, wait_s=0) and not _take(device, lines, desk):
                        _close(device, lines, desk)
                        device = None
                        desk.away(f"{self.address}: the device closed its connection")
        finally:
            if device is not None:
                device.close()


def _announced(device: socket.socket, desk: TriggerDesk) -> LineSplitter:
    """Make a device that vanished noticed within half a minute, and tell that it is here."""
    device.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            device.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    desk.here()
    return LineSplitter()


def _is_readable(*sockets: socket.socket, wait_s: float = STEP_S) -> socket.socket | None:
    """The first of them that has something, after waiting for it."""
    ready, _, _ = select.select(sockets, [], [], wait_s)
    return next((one for one in sockets if one in ready), None)


def _take(device: socket.socket, lines: LineSplitter, desk: TriggerDesk) -> bool:
    """Give what has come; whether the connection is still there."""
    try:
        data = device.recv(4096)
    except OSError:
        data = b""
    for line in lines.feed(data):
        desk.line(line)
    if not data and lines.is_cut:
        desk.refuse("the connection ended within a line")
    return bool(data)


def _close(device: socket.socket | None, lines: LineSplitter, desk: TriggerDesk) -> None:
    if device is not None:
        device.close()
        if lines.is_cut:
            desk.refuse("another connection came within a line")
