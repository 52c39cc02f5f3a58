"""docs/adding/routing-rule.md, followed: the rule is put into a copy of the tree, and its tests run there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import follow, run_in

pytestmark = pytest.mark.slow
TESTS = (
    "tests/unit/route/test_lot_on_hold.py",
    "tests/unit/audit/test_passed_wrongly.py",
    "tests/unit/domain/test_words.py",
)


def test_with_the_page_done_its_tests_and_those_of_words_and_balance_pass(tmp_path: Path) -> None:
    follow("routing-rule", tmp_path)
    ran = run_in(tmp_path, "pytest", "-q", *TESTS)
    assert ran.returncode == 0, ran.stdout


def test_each_step_that_is_left_out_is_missed(tmp_path: Path) -> None:
    route, balance = "services/linewarden_route/faults.py", "services/linewarden_audit/passing.py"
    follow("routing-rule", tmp_path, left_out={route, balance, "services/linewarden_domain/words/de.json"})
    ran = run_in(tmp_path, "pytest", "-q", *TESTS)
    missed = ran.stdout.partition("short test summary")[2]
    assert "test_a_lot_on_hold_diverts" in missed
    assert "is_unsafe[a lot on hold]" in missed
    assert "test_the_languages_say_the_same_codes" in missed
