"""Mutators of bytes, text and JSON; everything follows from the dice that they are given."""

from __future__ import annotations

from random import Random
from typing import Any

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 1 << 31, (1 << 32) - 1, 1 << 53, (1 << 63) - 1)
WEIRD: tuple[Any, ...] = (
    None, True, False, "", " ", "\0", "x" * 300, "../../x", "NaN", "é\u2028\ud7ff", [], {}, [[]], [None], {"": None},
    -1, 0, 1.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, *NUMBERS,
)  # fmt: skip
SIGNS = ("", ",", ";", "\t", '"', "\n", "\r", "\0", "\ufeff", "=1+1", " ", "0", "-1", "é", "\u2028", "x" * 200)


def mutated(data: bytes, dice: Random) -> bytes:
    """Bytes after one to six changes: flips, numbers, cuts, repeats, swaps, noise."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        if not found:
            found += dice.randbytes(4)
        at = dice.randrange(len(found))
        end = min(len(found), at + dice.choice((1, 2, 4, 16, 64, 400)))
        match dice.randrange(8):
            case 0:
                found[at] ^= 1 << dice.randrange(8)
            case 1:
                width = dice.choice((1, 2, 4))
                value = dice.choice(NUMBERS) % (1 << 8 * width)
                found[at : at + width] = value.to_bytes(width, dice.choice(("big", "little")))
            case 2:
                del found[at:end]
            case 3:
                found[at:at] = found[at:end]
            case 4:
                del found[at:]
            case 5:
                found[at:end] = dice.randbytes(end - at)
            case 6:
                other = dice.randrange(len(found))
                found[at:end] = found[other : other + end - at]
            case _:
                found[at] = dice.choice((0, 255, 0xD8, 0xD9, 0xDA, 0xC0, 0xC2))
    return bytes(found)


def mutated_json(value: Any, dice: Random) -> Any:
    """A document after one to three changes anywhere in it: values replaced, keys dropped, renamed or doubled."""
    for _ in range(dice.randint(1, 3)):
        value = _changed(value, dice, 0.25)
    return value


def _changed(value: Any, dice: Random, stop: float) -> Any:  # noqa: PLR0911 - one for each way to change it
    if dice.random() < stop or not isinstance(value, dict | list) or not value:
        return _replaced(value, dice)
    if isinstance(value, list):
        at = dice.randrange(len(value))
        match dice.randrange(5):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value + [value[at]] * dice.choice((1, 3, 50))
            case _:
                return [*value[:at], _changed(value[at], dice, stop), *value[at + 1 :]]
    key = dice.choice(list(value))
    match dice.randrange(6):
        case 0:
            return {name: one for name, one in value.items() if name != key}
        case 1:
            return {**value, dice.choice((key + "x", key.upper(), "")): value[key]}
        case _:
            return {**value, key: _changed(value[key], dice, stop)}


def _replaced(value: Any, dice: Random) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and dice.random() < 0.5:
        return dice.choice((value + 1, -value, value * 1000, value / 3))
    if isinstance(value, str) and value and dice.random() < 0.5:
        return mutated_text(value, dice)
    return dice.choice(WEIRD)


def mutated_text(text: str, dice: Random) -> str:
    """A text after one to four changes: signs put in, pieces cut, repeated or moved."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(text))
        end = min(len(text), at + dice.choice((1, 3, 20)))
        match dice.randrange(4):
            case 0:
                text = text[:at] + dice.choice(SIGNS) + text[at:]
            case 1:
                text = text[:at] + text[end:]
            case 2:
                text = text[:at] + text[at:end] * dice.choice((2, 5)) + text[end:]
            case _:
                text = text[:at].upper() + text[at:].strip()
    return text
