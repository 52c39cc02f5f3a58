"""docs/adding/station-page.md, followed: a copy of the station gets the page, and serves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import follow, run_in

pytestmark = pytest.mark.slow
STATION = "services/linewarden_reinspect/station/"
STEPS = {
    "access/permissions.py": "GET /handover stands in no line of station/access/permissions.py",
    "app.py": "assert (404, False) == (403, True)",
    "texts/de.json": "KeyError: 'bar.handover'",
    "templates/handover.html": "TemplateNotFound: 'handover.html'",
}
"""What is left out, and how it shows."""


def test_with_the_page_done_its_tests_and_those_of_routes_and_words_pass(tmp_path: Path) -> None:
    follow("station-page", tmp_path)
    tests = ("access/test_handover.py", "access/test_permissions.py", "test_texts.py")
    ran = run_in(tmp_path, "pytest", "-q", *(f"tests/unit/reinspect/{name}" for name in tests))
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(("forgotten", "shows"), STEPS.items(), ids=[Path(name).name for name in STEPS])
def test_a_step_that_is_left_out_shows(forgotten: str, shows: str, tmp_path: Path) -> None:
    follow("station-page", tmp_path, left_out={STATION + forgotten})
    ran = run_in(tmp_path, "pytest", "-q", "tests/unit/reinspect/access/test_handover.py")
    assert ran.returncode == 1, ran.stdout
    assert shows in ran.stdout
