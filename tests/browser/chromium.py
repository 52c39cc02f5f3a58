"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        yield browser
        browser.close()


class Person:
    """Somebody at a screen, of 1366 x 768 unless told, with everything that went wrong in the page written down."""

    def __init__(
        self,
        browser: Browser,
        link: str,
        name: str,
        *,
        width: int = 1366,
        height: int = 768,
        language: str = "en",
        wait_ms: int = 30_000,
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height}, locale=language, has_touch=width < 1000
        )
        self.context.set_default_timeout(wait_ms)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._noted)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(link)
        self.page.fill("#name", name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/line")
        self.page.click('nav a[href="/"]')
        self.page.wait_for_url("**/")

    def _noted(self, message: ConsoleMessage) -> None:
        """Keep an error; that a part made up for a test has no picture on the line's page is none."""
        if message.type == "error" and "/api/line/frames/" not in message.location["url"]:
            self.problems.append(message.text)

    def press(self, key: str) -> None:
        """One key, and what it does: the page holds keys back until they cannot be a scanner's."""
        self.page.keyboard.press(key)
        self.page.wait_for_selector("html:not([data-keys-held])")

    def scan(self, code: str) -> None:
        """What a scanner types wherever the focus is, faster than anybody can."""
        self.page.evaluate(
            """code => [...code, "Enter"].forEach((key) => document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })))""",
            code,
        )

    def review(self) -> None:
        """Go to the next visit, and wait until it may be accepted."""
        self.press("Enter")
        self.page.wait_for_url("**/review")
        self.ready()

    def ready(self) -> None:
        """Wait until the visit in hand may be accepted."""
        self.page.wait_for_selector('#review[data-state="ready"]')

    def part(self) -> str:
        """The serial on the screen."""
        return self.page.inner_text("#part")

    def look(self, key: str) -> None:
        """Say what is seen, and wait for what the machine thinks."""
        self.press(key)
        self.page.wait_for_selector(
            '#review[data-step="last"][data-state="ready"], #review[data-step="last"][data-state="waiting"]'
        )

    def decide(self, key: str) -> None:
        """Say it at first sight and again, and wait for the next visit or the end."""
        before = self.part()
        self.look(key)
        self.press(key)
        self.page.wait_for_function("before => document.querySelector('#part').textContent !== before", arg=before)
        self.page.wait_for_selector('#review:not([data-state="sending"])')
