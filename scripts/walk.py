"""The pictures of docs/guides/station.md, taken on a walk through each role's hour: python -m scripts.walk."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser.chromium import chromium
from tests.browser.walk import Lens, walk
from tests.support.shown_line import shown_line

PICTURES = Path(__file__).parent.parent / "docs/images/station"
_COLOURS = 96
"""Few enough that all pictures together stay small, and enough for heat over grey."""


def keep(name: str, png: bytes) -> None:
    """Write one picture with fewer colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    fewer = picture.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    fewer.save(PICTURES / f"{name}.png", optimize=True)


def take() -> list[str]:
    """Walk and keep what is on the screen; what is wrong with the pages."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    lens = Lens(keep)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, shown_line(Path(folder), rate=1.0) as line:
        walk(browser, line, lens)
    return lens.found


if __name__ == "__main__":
    sys.exit("\n".join(take()) or None)
