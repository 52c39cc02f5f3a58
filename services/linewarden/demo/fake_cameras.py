"""GigE Vision cameras that are none: what they show is drawn, and they fail as they are told to.

Registers and description are those of Aravis' fake camera, whose own server takes only addresses that an interface has
as its own; these take any, as all of 127/8.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Self

from linewarden_ingest.cameras.aravis import aravis
from linewarden_ingest.cameras.block_ids import LAST_SHORT_ID
from linewarden_ingest.cameras.simulation import LinePlan, draw_view, plan_visit
from linewarden_runtime.errors import ConfigurationError

_PORT = 3956
_REGISTERS_BYTES = 0x10000  # the camera's description follows
_DISCOVERY_BYTES = 0xF8
_HEADER_BYTES = 36  # of IP, UDP and GVSP: a packet's size counts them
_ADDRESS, _CAPABILITY, _HEARTBEAT_MS, _PRIVILEGE = 0x24, 0x934, 0x938, 0xA00
_WIDTH, _HEIGHT, _ACQUIRES, _PIXEL_FORMAT, _PERIOD_US = 0x100, 0x104, 0x124, 0x128, 0x138
_TRIGGER_MODE, _TRIGGER_SOURCE, _TRIGGER_SOFTWARE = 0x300, 0x304, 0x30C
_STREAM_PORT, _PACKET_SIZE, _STREAM_ADDRESS = 0xD00, 0xD04, 0xD18
_RESENDS = 1 << 2
_COMMAND, _REFUSED, _ACCESS_DENIED = 0x42, 0x80, 0x06
_DISCOVER, _RESEND, _READ_REGISTER, _WRITE_REGISTER, _READ, _WRITE = 0x02, 0x40, 0x80, 0x82, 0x84, 0x86
_LEADER, _TRAILER, _PAYLOAD = 1, 2, 3
_KEPT_BLOCKS = 4
_STEP_S = 0.02


class FakeGigeCamera:
    """A camera at `address` that shows what `picture` gives for the n-th block, from 0 on; used as a context manager.

    `loses` tells of block and packet (0 is the leader) whether it is lost; asked for again, it is sent where `resends`.

    Raises:
        OSError: where the address is taken.
    """

    def __init__(self, address: str, serial: str, picture: Callable[[int], bytes], first_id: int = 1) -> None:
        self.address, self.sent, self.resends = address, 0, True
        self.loses: Callable[[int, int], bool] = lambda _block, _packet: False
        self._picture, self._next_id = picture, first_id
        self._memory = _memory_of_a_fake(serial)
        self._memory[_ADDRESS : _ADDRESS + 4] = socket.inet_aton(address)
        self._put(_CAPABILITY, _RESENDS)
        self._blocks: dict[int, list[bytes]] = {}
        self._controller: tuple[str, int] | None = None
        self._heard_s = self._due_s = 0.0
        self._lock, self._stop = threading.RLock(), threading.Event()
        self._socket, self._searched = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._thread = threading.Thread(target=self._serve, name=f"fake camera {address}")
        try:
            self._socket.bind((address, _PORT))
            self._searched.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._searched.bind(("255.255.255.255", _PORT))
        except OSError:
            self._close()
            raise

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._close()

    @property
    def is_taking(self) -> bool:
        """Whether somebody has control of it and asked for pictures."""
        return bool(self._get(_PRIVILEGE) and self._get(_ACQUIRES))

    def fire(self) -> bool:
        """Trigger its line; whether it took a picture."""
        with self._lock:
            by_line = self._get(_TRIGGER_MODE) == 1 and self._get(_TRIGGER_SOURCE) == 0
            if by_line and self.is_taking:
                self._send()
                return True
        return False

    def skip(self, blocks: int) -> None:
        """Count so many block ids further without sending them."""
        with self._lock:
            self._next_id = (self._next_id + blocks - 1) % LAST_SHORT_ID + 1

    def _close(self) -> None:
        self._socket.close()
        self._searched.close()

    def _get(self, register: int) -> int:
        return int.from_bytes(self._memory[register : register + 4], "big")

    def _put(self, register: int, value: int) -> None:
        self._memory[register : register + 4] = value.to_bytes(4, "big")

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._socket, self._searched], [], [], _STEP_S)
            with self._lock:
                for one in ready:
                    self._answer(*one.recvfrom(2048))
                if time.monotonic() > self._heard_s + self._get(_HEARTBEAT_MS) / 1000:
                    self._put(_PRIVILEGE, 0)
                self._follow_control(None)
                if self.is_taking and not self._get(_TRIGGER_MODE) and time.monotonic() >= self._due_s:
                    self._due_s = max(self._due_s, time.monotonic() - 1) + self._get(_PERIOD_US) / 1e6
                    self._send()

    def _answer(self, packet: bytes, who: tuple[str, int]) -> None:
        kind, _, command, _, number = struct.unpack_from(">BBHHH", packet)
        if kind != _COMMAND:
            return
        self._heard_s = time.monotonic() if who == self._controller or self._controller is None else self._heard_s
        if command == _RESEND:
            self._send_again(*struct.unpack_from(">III", packet, 8))
            return
        refused = self._controller not in {None, who} and command in {_WRITE, _WRITE_REGISTER}
        answer = b"" if refused else self._done(command, packet[8:])
        head = struct.pack(
            ">BBHHH", *((_REFUSED, _ACCESS_DENIED) if refused else (0, 0)), command + 1, len(answer), number
        )
        self._socket.sendto(head + answer, who)
        self._follow_control(who)
        if self._get(_TRIGGER_SOFTWARE):
            self._put(_TRIGGER_SOFTWARE, 0)
            if self.is_taking and (self._get(_TRIGGER_MODE), self._get(_TRIGGER_SOURCE)) == (1, 1):
                self._send()

    def _done(self, command: int, data: bytes) -> bytes:
        """What a command's acknowledgement carries."""
        if command == _DISCOVER:
            return bytes(self._memory[:_DISCOVERY_BYTES])
        (address,) = struct.unpack_from(">I", data)
        if command == _READ_REGISTER:
            return bytes(self._memory[address : address + 4])
        if command == _READ:
            size = struct.unpack_from(">I", data, 4)[0] & 0xFFFF
            return data[:4] + bytes(self._memory[address : address + size]).ljust(size, b"\0")
        self._memory[address : address + len(data) - 4] = data[4:]
        return struct.pack(">I", 1)

    def _follow_control(self, who: tuple[str, int] | None) -> None:
        if not self._get(_PRIVILEGE):
            self._controller = None
            self._put(_ACQUIRES, 0)
        elif self._controller is None and who is not None:
            self._controller, self._heard_s = who, time.monotonic()

    def _send(self) -> None:
        data, room = self._picture(self.sent), (self._get(_PACKET_SIZE) & 0xFFFF) - _HEADER_BYTES
        leader = struct.pack(
            ">HHQIIIIIHH",
            *(0, 1, time.time_ns(), self._get(_PIXEL_FORMAT), self._get(_WIDTH), self._get(_HEIGHT), 0, 0, 0, 0),
        )
        parts = [(_PAYLOAD, data[start : start + room]) for start in range(0, len(data), room)]
        parts = [(_LEADER, leader), *parts, (_TRAILER, struct.pack(">II", 1, self._get(_HEIGHT)))]
        block = [
            struct.pack(">HHI", 0, self._next_id, kind << 24 | number) + part
            for number, (kind, part) in enumerate(parts)
        ]
        self._blocks[self._next_id] = block
        while len(self._blocks) > _KEPT_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        for number, packet in enumerate(block):
            if not self.loses(self.sent, number):
                self._stream(packet)
        self.sent, self._next_id = self.sent + 1, self._next_id % LAST_SHORT_ID + 1

    def _send_again(self, block: int, first: int, last: int) -> None:
        if self.resends:
            for packet in self._blocks.get(block & 0xFFFF, [])[first : (last & 0xFFFFFF) + 1]:
                self._stream(packet)

    def _stream(self, packet: bytes) -> None:
        where = bytes(self._memory[_STREAM_ADDRESS : _STREAM_ADDRESS + 4])
        self._socket.sendto(packet, (socket.inet_ntoa(where), self._get(_STREAM_PORT)))


@contextmanager
def fake_station(plan: LinePlan, rate_per_s: float, visits: int | None) -> Iterator[list[str]]:
    """A camera for each view of a line at an address of its own, all triggered at once, `rate_per_s` times a second.

    The first trigger comes when all cameras wait for it; block id n shows visit n of the plan, from 1 on. Yields the
    addresses in order of the views.

    Raises:
        ConfigurationError: where Aravis is missing, or the addresses are taken.
    """
    until = threading.Event()
    with ExitStack() as stack:
        cameras: list[FakeGigeCamera] = []
        for address in (f"127.0.0.{last}" for last in range(2, 255)):
            with suppress(OSError):  # the next one may be free
                made = FakeGigeCamera(address, f"VIEW{len(cameras)}", partial(_drawn, plan, len(cameras)))
                cameras.append(stack.enter_context(made))
            if len(cameras) == plan.views:
                break
        else:
            raise ConfigurationError(f"port {_PORT} is taken on 127.0.0.2 and all further addresses: no fake camera")
        line = threading.Thread(target=_fire, args=(cameras, rate_per_s, visits, until), name="trigger")
        line.start()
        stack.callback(line.join)
        stack.callback(until.set)
        yield [one.address for one in cameras]


def _drawn(plan: LinePlan, view: int, number: int) -> bytes:
    return draw_view(plan, plan_visit(plan, number + 1), view).picture.tobytes()


def _fire(cameras: list[FakeGigeCamera], rate_per_s: float, visits: int | None, until: threading.Event) -> None:
    while not all(one.is_taking for one in cameras) and not until.wait(_STEP_S):
        pass
    begun, fired = time.monotonic(), 0
    while fired != visits and not until.wait(max(0.0, begun + fired / rate_per_s - time.monotonic())):
        for one in cameras:
            one.fire()
        fired += 1


def _memory_of_a_fake(serial: str) -> bytearray:
    """Registers and description of a fresh fake camera of Aravis; raises ConfigurationError where Aravis is missing."""
    library = aravis()
    library.declare("arv_fake_camera_new", ctypes.c_void_p, [ctypes.c_char_p])
    taken = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p]
    library.declare("arv_fake_camera_read_memory", ctypes.c_int, taken)
    library.declare(
        "arv_fake_camera_get_genicam_xml", ctypes.c_void_p, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
    )
    camera, registers = (
        library.plain.arv_fake_camera_new(serial.encode()),
        ctypes.create_string_buffer(_REGISTERS_BYTES),
    )
    try:
        library.plain.arv_fake_camera_read_memory(camera, 0, _REGISTERS_BYTES, registers)
        size = ctypes.c_size_t()
        description = library.plain.arv_fake_camera_get_genicam_xml(camera, ctypes.byref(size))
        return bytearray(registers.raw + ctypes.string_at(description, size.value))
    finally:
        library.gobject.g_object_unref(camera)
