"""The pictures of docs/guides/station.md: python -m scripts.walk takes them of a running line and from tests."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser.chromium import chromium
from tests.browser.walk import Lens, walk
from tests.support.shown_line import shown_line

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs/images/station"
SEEN_BY_TESTS = {
    "tests/browser/test_roles.py": ("trust-bright-pc", "approve-dark-pc", "history-bright-pc", "acts-dark-pc"),
    "tests/browser/test_line_acts.py": ("line-acts-changeover-dark-pc",),
    "tests/browser/test_alarms.py": ("alarms-dark-pc",),
}
"""Pictures that tests of other roles take anyway, kept by their names."""
_COLOURS, _GREYS = 160, 48
"""Colours as the picture has them, and greys of their own: few enough that all pictures together stay small."""


def keep(name: str, png: bytes) -> None:
    """Write one picture with fewer colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    own = picture.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).getpalette() or []
    greys = [value for step in range(_GREYS) for value in [round(255 * step / (_GREYS - 1))] * 3]
    wanted = Image.new("P", (1, 1))
    wanted.putpalette(own[: 3 * _COLOURS] + greys)
    picture.quantize(palette=wanted, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)


def keep_seen(folder: Path) -> None:
    """Keep what tests saw in a folder."""
    for name in (one for names in SEEN_BY_TESTS.values() for one in names):
        keep(name.rsplit("-", 2)[0], (folder / f"{name}.png").read_bytes())


def take() -> list[str]:
    """Walk and keep what is on the screen; what is wrong with the pages."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    lens = Lens(keep)
    with tempfile.TemporaryDirectory() as folder:
        with chromium() as browser, shown_line(Path(folder), rate=1.0) as line:
            walk(browser, line, lens)
        seen = Path(folder, "seen")
        seen.mkdir()
        tests = [sys.executable, "-m", "pytest", "-q", *SEEN_BY_TESTS]
        subprocess.run(tests, cwd=ROOT, env={**os.environ, "LINEWARDEN_SCREENSHOTS": str(seen)}, check=True)
        keep_seen(seen)
    return lens.found


if __name__ == "__main__":
    sys.exit("\n".join(take()) or None)
