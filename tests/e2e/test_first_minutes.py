"""From the end of `make demo`'s install to a person's first informed decision, in a real browser on a running demo."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
from playwright.sync_api import Page

from linewarden.demo.line import OPENING, demo_plan
from linewarden_vision.synthetic.part import make_view
from tests.browser.chromium import CHROMIUM, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]
PART = "P0000000"


class RunningDemo:
    """What `linewarden demo` says while it runs."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "linewarden", "demo", "--work", "work", *words]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._said: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def said(self, words: str) -> str:
        """What comes behind these words on a line."""
        while (line := self._said.get(timeout=300.0)) and words not in line:
            pass
        return line.partition(words)[2].strip()

    def end(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=180.0)
        return self.process.returncode

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self._said.put(line)
        self._said.put("")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path)
    yield running
    if running.process.poll() is None:
        running.end()  # in order, or its broker and services would outlive it


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 1366, "height": 768}, locale="en")


_SPOT = """() => {
    const view = document.querySelector('.tile[data-marked] .plane').getBoundingClientRect();
    const spot = document.querySelector('.tile[data-marked] .spot').getBoundingClientRect();
    return [(spot.left - view.left) / view.width, (spot.top - view.top) / view.height,
        (spot.right - view.left) / view.width, (spot.bottom - view.top) / view.height];
}"""


def on_the_defect(box: list[float]) -> float:
    """How much of the true scratch lies within the marked box (shares of the picture)."""
    plan = demo_plan(1)
    mask = make_view(OPENING[0], 0, views=plan.views, size=plan.size, defect_rate=1.0, difficulty=plan.difficulty).mask
    left, top, right, bottom = (round(share * plan.size) for share in box)
    return float(mask[top:bottom, left:right].sum() / mask.sum())


def test_two_keys_lead_from_the_demo_to_an_informed_decision_about_a_miss_that_trust_caught(
    demo: RunningDemo, page: Page
) -> None:
    command = demo.said("ask the line from another terminal: ")
    page.goto(demo.said("station: "))
    page.wait_for_selector('#review[data-state="ready"]', timeout=120_000)
    assert page.inner_text("#part") == PART
    assert page.locator(".tile img").count() >= 3
    assert page.is_hidden("#why")

    page.keyboard.press("n")
    page.wait_for_selector('#review[data-step="last"][data-state="ready"]')
    assert page.inner_text("#why") == "Possible missed defect in view top, marked. Look closely."
    assert page.get_attribute(".tile[data-first]", "aria-label") == "View top"
    page.wait_for_selector(".tile[data-marked] .spot")
    assert on_the_defect(page.evaluate(_SPOT)) > 0.3
    page.click("#figures summary")
    assert "OK" in page.inner_text("#figures")

    page.keyboard.press("n")
    page.wait_for_function("part => document.querySelector('#part').textContent !== part", arg=PART)

    asked = re.sub(r"P\d{7}$", PART, command)
    told = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "Demo" in told.stdout
    assert "NG" in told.stdout
    assert demo.end() == 0
