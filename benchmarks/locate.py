"""How well and how fast a part is located, on drawn parts that were moved and turned by known amounts.

Prints a table: errors of shift and turn, the share of them within their stated uncertainty, what was not found, and the
processor time of a picture, on one thread.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from benchmarks.machine import machine
from linewarden_schemas.recipe import Region
from linewarden_schemas.vocabulary import LocateBy
from linewarden_vision.inspecting.locating import located
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.templates import template_of
from tests.support.placed_parts import placed_part

_BOX = Region(x=80, y=80, width=160, height=160)
_SHIFT_PX, _TURN_DEG = 20.0, 5.0
_KINDS = ("brushed plate", "turned ring", "cast face")
_LIGHTS = {"as taught": (1.0, 0.0), "half as bright": (0.5, 0.0), "falling by 60 % to the right": (1.0, 0.6)}


@dataclass
class Errors:
    """What was measured of one kind of part under one light."""

    shift_px: list[float] = field(default_factory=list)
    turn_deg: list[float] = field(default_factory=list)
    is_within: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    def row(self) -> str:
        """Its cells of the table."""
        if not self.shift_px:
            return f"- | - | - | {self.refused} | -"
        shift = f"{np.mean(self.shift_px):.3f} / {max(self.shift_px):.3f}"
        turn = f"{np.mean(self.turn_deg):.3f} / {max(self.turn_deg):.3f}"
        milliseconds = 1000 * float(np.median(self.seconds))
        return f"{shift} | {turn} | {np.mean(self.is_within):.0%} | {self.refused} | {milliseconds:.1f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locate", description=__doc__)
    parser.add_argument("--parts", type=int, default=100, help="pictures a row")
    count = parser.parse_args(argv).parts
    cv2.setNumThreads(1)
    print(
        f"{machine()}\n{count} pictures a row, 320 x 320, template 160 x 160, up to {_SHIFT_PX:g} px, {_TURN_DEG:g}°\n"
    )
    cells = ("part", "by", "light", "noise", "shift, px: mean / most", "turn, °: mean / most", "within", "refused")
    print(f"| {' | '.join(cells)} | ms of processor |")
    print("|---|---|---|---|---|---|---|---|---|")
    for by in LocateBy:
        for kind, name in enumerate(_KINDS):
            for light, (gain, fade) in _LIGHTS.items():
                for noise in (2.0, 10.0):
                    told = _measured(kind, by, gain, fade, noise, count)
                    print(f"| {name} | {by.value} | {light} | {noise:g} | {told} |", flush=True)


def _measured(kind: int, by: LocateBy, gain: float, fade: float, noise: float, count: int) -> str:
    chance, errors = np.random.default_rng(7), Errors()
    try:
        locate = template_of(placed_part(kind), _BOX, by, shift_px=_SHIFT_PX, turn_deg=_TURN_DEG, score=0.5)
    except ValueError:
        return "its template is refused | | | | "
    for number in range(count):
        far, way = 0.95 * _SHIFT_PX * math.sqrt(chance.random()), chance.uniform(0, 2 * math.pi)
        shift = (far * math.cos(way), far * math.sin(way))
        turn = 0.95 * chance.uniform(-_TURN_DEG, _TURN_DEG)
        picture = placed_part(kind, shift, turn, noise=noise, gain=gain, fade=fade, seed=number)
        began = time.process_time()
        try:
            found = located(picture, locate).location
        except PictureRefused:
            errors.refused += 1
            continue
        errors.seconds.append(time.process_time() - began)
        errors.shift_px.append(math.hypot(found.shift_x_px - shift[0], found.shift_y_px - shift[1]))
        errors.turn_deg.append(abs(found.turn_deg - turn))
        errors.is_within.append(errors.shift_px[-1] <= found.error_px and errors.turn_deg[-1] <= found.error_deg)
    return errors.row()


if __name__ == "__main__":
    main()
