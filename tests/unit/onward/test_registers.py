"""The layout of the registers: data in one place, and the guide says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewarden_onward.gate import GateImage
from linewarden_onward.outputs.registers import (
    HANDSHAKE,
    HANDSHAKE_AT,
    HANDSHAKE_WORDS,
    MOST,
    RESULT,
    RESULT_WORDS,
    Handshake,
    Register,
    guide_table,
    handshake_of,
    handshake_registers,
    result_of,
    result_registers,
)

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "connect-a-plc.md"


@pytest.mark.parametrize(
    ("layout", "first", "words"), [(RESULT, 0, RESULT_WORDS), (HANDSHAKE, HANDSHAKE_AT, HANDSHAKE_WORDS)]
)
def test_the_registers_lie_one_behind_the_other(layout: tuple[Register, ...], first: int, words: int) -> None:
    ends = [one.address + one.words for one in layout]
    assert [one.address for one in layout] == [first, *ends[:-1]]
    assert ends[-1] == first + words


def test_the_guide_shows_the_registers_as_they_are() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert guide_table(RESULT) in guide
    assert guide_table(HANDSHAKE) in guide


def test_a_number_of_32_bits_has_its_high_word_first() -> None:
    image = GateImage(0x00012345, 1, 2, 0x0002FFFF, 3, 0x00012345, MOST, 65_535, 70_000)
    registers = result_registers(image)
    assert registers[:4] == [0x0001, 0x2345, 1, 2]
    assert registers[10:13] == [0xFFFF, 0xFFFF, 65_535]
    assert result_of(registers) == image


def test_the_handshake_reads_as_it_was_written() -> None:
    written = Handshake(1, 70_000, 2, 69_999, 3, 65_535, MOST, 2, 1, 2)
    assert handshake_of(handshake_registers(written)) == written
