"""Pictures and figures of a run, where somebody wants to look at them: LINEWARDEN_SCREENSHOTS names a folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.chromium import Person


def picture(person: Person, name: str) -> None:
    """What is on the screen, where somebody wants to look at it."""
    folder = os.environ.get("LINEWARDEN_SCREENSHOTS")
    if folder:
        person.page.screenshot(path=Path(folder) / f"{name}.png")


def write_down(name: str, figures: list[int]) -> None:
    """Ascending figures of a run: told with `pytest -s`, and kept where somebody wants them."""
    middle, worst = figures[len(figures) // 2], figures[-1]
    sys.stdout.write(f"{name}: {len(figures)} figures, median {middle}, worst {worst}: {figures}\n")
    folder = os.environ.get("LINEWARDEN_SCREENSHOTS")
    if folder:
        (Path(folder) / f"{name}.json").write_text(json.dumps(figures), encoding="utf-8")


_CUT_OFF = """() => [...document.querySelectorAll('.sheet > *')].filter(one => one.scrollHeight > one.clientHeight + 1)
    .map(one => one.innerText.slice(0, 60))"""


def barriers(page: Page, name: str) -> list[str]:
    """Findings of axe-core that are serious or worse, with the elements, and panels of a sheet whose end is cut off."""
    results = Axe().run(page).response["violations"]
    grave = [one for one in results if one["impact"] in {"serious", "critical"}]
    cut_off = [f"{name}: cut off: {text}" for text in page.evaluate(_CUT_OFF)]
    return cut_off + [f"{name}: {one['id']} {[node['html'][:120] for node in one['nodes']]}" for one in grave]
