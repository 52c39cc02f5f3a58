"""A Modbus server under test: opened as onward opens it, in this process or as one that can be killed and frozen.

    python -m tests.support.plant_modbus PORT EPOCH SEED FAULT_AT SIGNAL

tells each part whose trigger the control writes, as `routing_of` says, and at its `FAULT_AT`th look at the time sends
itself the signal: directly before or after a write, while it waits, or in the middle of an answer.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from linewarden_onward.interface import OutputAway, OutputRun
from linewarden_onward.outputs.modbus import ModbusOptions, ModbusOutput
from linewarden_onward.outputs.registers import HANDSHAKE_AT, HANDSHAKE_WORDS, handshake_of
from linewarden_onward.simulated_plc import PlcLink
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import notice

WIDE_MS = 600_000
"""A server's window that never ends, so that only the control's own rule is at work."""


def opened(
    clock: Clock | None = None, now_ms: Callable[[], int | None] | None = None, epoch: int = 1, **options: Any
) -> ModbusOutput:
    """The output on a free port of this machine, or as the options say."""
    clock = clock or SystemClock()
    run = OutputRun("line1", epoch, clock, threading.Event(), now_ms or clock.now_ms)
    return ModbusOptions.model_validate({"output_id": "gate", "port": 0} | options).open(run)


def routing_of(seed: int, counter: int) -> Routing:
    """What is decided of a part; two of three pass."""
    return random.Random(f"{seed}:{counter}").choices(list(Routing), weights=(4, 1, 1))[0]


def main(port: int, epoch: int, seed: int, fault_at: int, number: int) -> None:
    """Serve until killed."""
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        if looks == fault_at:
            os.kill(os.getpid(), number)
        return time.time_ns() // 1_000_000

    output = opened(now_ms=look, epoch=epoch, port=port, hold_ms=200)
    reading = PlcLink("127.0.0.1", output.port)
    sys.stdout.write(f"{output.port}\n")
    sys.stdout.flush()
    told, sequence = None, 0
    while True:
        output.beat()
        written = reading.registers(HANDSHAKE_AT, HANDSHAKE_WORDS)
        trigger = 0 if written is None else handshake_of(written).trigger
        if trigger and trigger != told:
            sequence += 1
            seen = time.time_ns() // 1_000_000
            told = trigger
            routing = routing_of(seed, trigger)
            try:
                output.tell([notice(trigger, routing, seen_ms=seen, epoch=epoch, sequence=sequence, window_ms=WIDE_MS)])
            except OutputAway:
                told = None  # told again
        time.sleep(0.002)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
