"""The output over real sockets: what a client reads and may write, who is sent away, and Debian's mbpoll."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.constants import ExcCodes

from linewarden_onward.gate import GateControl, GateLimits, GateVerdict
from linewarden_onward.interface import OutputAway
from linewarden_onward.outputs.gate_block import GateLanes
from linewarden_onward.outputs.modbus import ModbusOptions, ModbusOutput
from linewarden_onward.outputs.registers import (
    HANDSHAKE_AT,
    HANDSHAKE_WORDS,
    RESULT_WORDS,
    Handshake,
    handshake_registers,
    result_of,
)
from linewarden_onward.simulated_plc import PlcLink, SimulatedPlc
from linewarden_runtime.clock import ManualClock, SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import notice
from tests.support.plant_modbus import WIDE_MS, opened
from tests.support.processes import wait_for

READ_REQUEST = bytes([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, RESULT_WORDS])


@pytest.fixture
def output() -> Iterator[ModbusOutput]:
    made = opened(hold_ms=60_000)
    yield made
    made.close()


@pytest.fixture
def client(output: ModbusOutput) -> Iterator[ModbusTcpClient]:
    made = ModbusTcpClient("127.0.0.1", port=output.port, timeout=5, retries=0)
    yield made
    made.close()  # type: ignore[no-untyped-call]


def told(output: ModbusOutput, counter: int, routing: Routing = Routing.TRUSTED_PASS) -> None:
    """Tell one result, with a control that acknowledges what it reads."""
    link = PlcLink("127.0.0.1", output.port, 5.0)
    assert link.write(Handshake(ready=1, trigger=counter))
    seen = SystemClock().now_ms()
    args = [notice(counter, routing, seen_ms=seen, window_ms=WIDE_MS)]
    telling = threading.Thread(target=output.tell, args=(args,))
    telling.start()
    while telling.is_alive():
        image = link.read()
        assert image is not None
        link.write(Handshake(1, counter, acknowledged=image.counter, acknowledged_verdict=image.verdict))
    link.close()


def test_one_request_reads_the_whole_block(output: ModbusOutput, client: ModbusTcpClient) -> None:
    told(output, 70_000)
    image = result_of(client.read_holding_registers(0, count=RESULT_WORDS).registers)
    assert (image.counter, image.counter_again, image.verdict, image.lane) == (70_000, 70_000, GateVerdict.PASS, 1)
    assert (image.window_ms, image.sequence, image.epoch) == (WIDE_MS, 70_001, 1)
    assert image.trigger_acknowledged == 70_000


def test_the_block_itself_and_what_lies_beside_the_handshake_cannot_be_written(
    output: ModbusOutput, client: ModbusTcpClient
) -> None:
    told(output, 5, Routing.REJECTED)
    handshake_end = HANDSHAKE_AT + HANDSHAKE_WORDS
    for address in (0, 2, RESULT_WORDS - 1, RESULT_WORDS, HANDSHAKE_AT - 1, handshake_end):
        answer = client.write_register(address, GateVerdict.PASS)
        assert answer.exception_code == ExcCodes.ILLEGAL_ADDRESS
    across = client.write_registers(HANDSHAKE_AT - 1, [1, 1])
    assert across.exception_code == ExcCodes.ILLEGAL_ADDRESS
    beyond = client.write_registers(handshake_end - 1, [1, 1])
    assert beyond.exception_code == ExcCodes.ILLEGAL_ADDRESS
    both = client.readwrite_registers(read_address=0, read_count=2, write_address=2, values=[1])
    assert both.exception_code == ExcCodes.ILLEGAL_ADDRESS
    image = result_of(client.read_holding_registers(0, count=RESULT_WORDS).registers)
    assert image.verdict == GateVerdict.REJECT


def test_there_is_no_coil_and_no_other_function(output: ModbusOutput, client: ModbusTcpClient) -> None:
    assert client.read_coils(0, count=1).isError()
    assert client.read_discrete_inputs(0, count=1).isError()
    assert client.read_input_registers(0, count=2).exception_code == ExcCodes.ILLEGAL_FUNCTION
    assert client.write_coil(HANDSHAKE_AT, value=True).isError()
    masked = client.mask_write_register(address=HANDSHAKE_AT, and_mask=0, or_mask=1)
    assert masked.exception_code == ExcCodes.ILLEGAL_FUNCTION


def test_what_the_control_writes_can_be_read_back(output: ModbusOutput, client: ModbusTcpClient) -> None:
    written = handshake_registers(Handshake(1, 70_000, 2, 69_999, 1, 3, 69_998, 2, 1, 2))
    assert not client.write_registers(HANDSHAKE_AT, written).isError()
    assert client.read_holding_registers(HANDSHAKE_AT, count=HANDSHAKE_WORDS).registers == written


def test_the_sensor_of_a_bin_is_reported_beside_what_the_gate_did() -> None:
    output = opened(hold_ms=60_000)
    clock, link, found = ManualClock(), PlcLink("127.0.0.1", output.port, 5.0), []
    plc = SimulatedPlc(link, GateControl(GateLimits(WIDE_MS)), GateLanes(), clock, belt_ms=1_000, bin_holds=2)
    for counter, routing in enumerate((Routing.REJECTED, Routing.DIVERTED, Routing.REJECTED, Routing.REJECTED), 1):
        plc.trigger(counter)
        plc.scan()
        args = [notice(counter, routing, seen_ms=SystemClock().now_ms(), window_ms=WIDE_MS)]
        telling = threading.Thread(target=output.tell, args=(args,))
        telling.start()
        while telling.is_alive():
            plc.scan()
        clock.advance(1.0)
        plc.scan()
        found += [(one.actual, one.bin_full) for one in output.beat()]
    assert found == [
        (Routing.REJECTED, False),
        (Routing.DIVERTED, False),
        (Routing.REJECTED, True),
        (Routing.REJECTED, True),
    ]
    link.close()
    output.close()


def test_a_program_that_writes_thirteen_registers_reports_no_sensor(
    output: ModbusOutput, client: ModbusTcpClient
) -> None:
    told(output, 7, Routing.REJECTED)
    written = handshake_registers(Handshake(1, 7, 0, 7, 3, 1, 7, 3, 0))[:13]
    assert not client.write_registers(HANDSHAKE_AT, written).isError()
    (act,) = output.beat()
    assert (act.actual, act.bin_full) == (Routing.REJECTED, None)


def test_a_client_that_is_not_allowed_gets_no_answer() -> None:
    output = opened(allow=["192.0.2.0/24"])
    with socket.create_connection(("127.0.0.1", output.port), timeout=5) as stranger:
        assert silent(stranger)
    output.close()


def silent(one: socket.socket) -> bool:
    """Whether the connection ends without a byte."""
    try:
        one.sendall(READ_REQUEST)
        return one.recv(100) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("said", [b"", READ_REQUEST[:7], b"\x00\x01\xff\xff\x00\x06\x01\x03"])
def test_a_connection_that_says_nothing_whole_is_ended(said: bytes) -> None:
    output = opened(idle_s=0.2)
    with socket.create_connection(("127.0.0.1", output.port), timeout=10) as half:
        half.sendall(said)
        with contextlib.suppress(ConnectionError):
            assert half.recv(100) == b""
    output.close()


def test_a_client_that_does_not_read_its_answers_is_ended_and_few_of_them_wait_for_it() -> None:
    output = opened(idle_s=600)
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
        stalled.connect(("127.0.0.1", output.port))
        wait_for(lambda: is_ended_by_asking(stalled), "the connection is ended")
        with contextlib.suppress(ConnectionError):
            assert len(stalled.recv(1 << 20, socket.MSG_WAITALL)) < 20_000
    output.close()


def is_ended_by_asking(stalled: socket.socket) -> bool:
    """Ask once more; the answers stay where they are."""
    try:
        stalled.sendall(READ_REQUEST)
    except ConnectionError:
        return True
    return False


def test_the_port_is_bound_to_this_machine_alone_unless_told_otherwise() -> None:
    assert ModbusOptions(output_id="gate").host == "127.0.0.1"


def test_a_port_that_is_taken_is_tried_again_and_one_that_may_not_be_bound_is_told() -> None:
    output = opened()
    with pytest.raises(OutputAway, match="listen"):
        opened(port=output.port)
    output.close()
    wait_for(lambda: can_open(output.port), "the port is free again")
    with pytest.raises(ConfigurationError, match=r"host"):
        opened(host="no.such.host.invalid")


def can_open(port: int) -> bool:
    """Whether an output can listen there; anybody on this machine may have taken the port meanwhile."""
    try:
        opened(port=port).close()
    except OutputAway:
        return False
    return True


def test_a_client_of_a_closed_output_reads_nothing_any_more(output: ModbusOutput) -> None:
    made = opened()
    link = PlcLink("127.0.0.1", made.port, 2.0)
    assert link.read() is not None
    made.close()
    wait_for(lambda: link.read() is None, "the connection ends")


@pytest.mark.plant
@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="needs Debian's mbpoll")
def test_mbpoll_reads_the_block_and_writes_the_handshake(output: ModbusOutput) -> None:
    told(output, 70_000)
    poll = ["mbpoll", "-m", "tcp", "-a", "1", "-0", "-1", "-p", str(output.port), "-t"]
    read = said(*poll, "4:hex", "-r", "0", "-c", str(RESULT_WORDS), "127.0.0.1")
    registers = [int(word, 16) for word in re.findall(r"^\[\d+\]:\s+0x([0-9A-F]{4})$", read, re.MULTILINE)]
    assert result_of(registers).counter == 70_000
    assert result_of(registers).verdict == GateVerdict.PASS
    assert "Illegal data address" in said(*poll, "4", "-r", "2", "127.0.0.1", "1")
    assert "Written 1 references" in said(*poll, "4", "-r", str(HANDSHAKE_AT), "127.0.0.1", "1")


def said(*command: str) -> str:
    """What a program prints, on either stream."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr
