"""An hour at the station of a running line is walked: nobody is shut out, nothing sticks out or is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import CHROMIUM, chromium
from tests.browser.walk import Lens, walk
from tests.support.shown_line import shown_line

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


def test_an_operator_and_an_administrator_get_through_an_hour_and_no_page_has_a_barrier(tmp_path: Path) -> None:
    pictures: dict[str, bytes] = {}
    lens = Lens(pictures.__setitem__)
    with chromium() as browser, shown_line(tmp_path, rate=1.0) as line:
        walk(browser, line, lens)
    assert lens.found == []
    assert len(pictures) > 10
