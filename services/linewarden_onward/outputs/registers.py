"""The registers of the output `modbus`, as data: what lies where, for the server, the simulated control and the guide.

Every number is unsigned; one of 32 bits lies in two registers, the high word first, and each register is big-endian as
Modbus has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from linewarden_onward.gate import GateImage


class Register(NamedTuple):
    """One number of the block: its field's name, its first address from 0, its width in registers, what it means."""

    name: str
    address: int
    words: int
    meaning: str


RESULT = (
    Register("counter", 0, 2, "The part that the result is of, by the number of its trigger"),
    Register("verdict", 2, 1, "0 no result, 1 pass, 2 divert, 3 reject"),
    Register("lane", 3, 1, "Lane for that part, as the output's settings name it; 0 without a result"),
    Register("window_ms", 4, 2, "How long a pass holds after the part's trigger, in ms; 0 where it is no pass"),
    Register("sequence", 6, 2, "Number of the last pass of this epoch; a new pass has a higher one"),
    Register("counter_again", 8, 2, "The same as `counter`; where they differ nothing was read"),
    Register("epoch", 10, 2, "Who writes: an older epoch than the newest seen is refused"),
    Register("heartbeat", 12, 1, "Counts up and begins again at 0; must change within the stated time"),
    Register("trigger_acknowledged", 13, 2, "The last trigger that the PLC wrote, echoed"),
)
"""What the PLC reads, in one request."""

RESULT_WORDS = 15

HANDSHAKE = (
    Register("ready", 100, 1, "1 while the PLC takes results"),
    Register("trigger", 101, 2, "Number of the last trigger"),
    Register("missed", 103, 2, "Triggers that it saw and could not take, since it started"),
    Register("acknowledged", 105, 2, "`counter` of the result that it read last, echoed, whatever it does with it"),
    Register("acknowledged_verdict", 107, 1, "`verdict` of the same result"),
    Register("acts", 108, 1, "Counts what the gate did; written in one request with the four below"),
    Register("act_counter", 109, 2, "The part that was at the gate"),
    Register("act_lane", 111, 1, "Lane that it went to; 0 where no part was seen"),
    Register("act_doubt", 112, 1, "0 by its result, 1 no answer in the window, 2 the heartbeat stood still"),
    Register("act_bin", 113, 1, "The sensor of the bin that it went to: 0 there is none, 1 not full, 2 full"),
)
"""What the PLC writes; nothing else can be written."""

HANDSHAKE_AT = 100
HANDSHAKE_WORDS = 14

MOST = 2**32 - 1
"""The largest counter, epoch and sequence."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the PLC wrote, as `HANDSHAKE` lays it out."""

    ready: int = 0
    trigger: int = 0
    missed: int = 0
    acknowledged: int = 0
    acknowledged_verdict: int = 0
    acts: int = 0
    act_counter: int = 0
    act_lane: int = 0
    act_doubt: int = 0
    act_bin: int = 0


def result_registers(image: GateImage) -> list[int]:
    """The block from address 0."""
    return _packed(RESULT, image)


def result_of(registers: Sequence[int]) -> GateImage:
    """What `RESULT_WORDS` registers from address 0 say."""
    return GateImage(**_unpacked(RESULT, registers))


def handshake_registers(handshake: Handshake) -> list[int]:
    """The PLC's block from `HANDSHAKE_AT`."""
    return _packed(HANDSHAKE, handshake)


def handshake_of(registers: Sequence[int]) -> Handshake:
    """What `HANDSHAKE_WORDS` registers from `HANDSHAKE_AT` say."""
    return Handshake(**_unpacked(HANDSHAKE, registers))


def guide_table(registers: Sequence[Register]) -> str:
    """The rows of the guide, in Markdown."""
    rows = [f"| {one.address} | {16 * one.words} bit | `{one.name}` | {one.meaning} |" for one in registers]
    return "\n".join(("| address | width | name | meaning |", "|---:|---|---|---|", *rows))


def _packed(layout: Sequence[Register], values: GateImage | Handshake) -> list[int]:
    words: list[int] = []
    for one, field in zip(layout, fields(values), strict=True):
        value: int = getattr(values, field.name)
        words += [value & 0xFFFF] if one.words == 1 else [value >> 16, value & 0xFFFF]
    return words


def _unpacked(layout: Sequence[Register], registers: Sequence[int]) -> dict[str, int]:
    first = layout[0].address
    values = {}
    for one in layout:
        words = registers[one.address - first : one.address - first + one.words]
        values[one.name] = words[0] if one.words == 1 else words[0] << 16 | words[1]
    return values
