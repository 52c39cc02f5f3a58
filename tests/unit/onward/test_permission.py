"""A permission is for a trusted pass of a real part in production, in time; for nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_onward.interface import GatePermission, Notice
from linewarden_onward.permission import permission_of
from linewarden_onward.testing import BUDGET_MS, decided
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.vocabulary import Cause, LineMode, Outcome, Routing

AT = 1_764_000_000_000
PASS = decided(7, AT)


def permission(disposition: Disposition, append_ms: int = AT + 100, now_ms: int | None = AT + 200) -> Any:
    return permission_of(disposition, append_ms, now_ms, epoch=3, sequence=12)


def test_a_trusted_pass_in_time_has_one_with_the_triggers_counter_and_window() -> None:
    assert permission(PASS) == GatePermission(PASS.visit_id, 7, 12, 3, AT + BUDGET_MS, BUDGET_MS)


def test_the_window_is_the_time_from_the_trigger_not_from_the_first_picture() -> None:
    late = PASS.model_copy(update={"first_captured_ms": AT + 300, "decide_by_ms": AT + 700})
    assert permission(late).window_ms == 700


@pytest.mark.parametrize("mode", [mode for mode in LineMode if mode is not LineMode.PRODUCTION])
def test_no_state_but_production_opens(mode: LineMode) -> None:
    state = LineStateRef(mode=mode, since_ms=1)
    assert permission(PASS.model_copy(update={"line_state": state})) is None


@pytest.mark.parametrize(
    "other",
    [
        decided(7, AT, Routing.DIVERTED, causes=(Cause.LOW_TRUST,)),
        decided(7, AT, Routing.REJECTED),
        decided(7, AT, revision=1),
        decided(7, AT, revision=1, outcome=Outcome.ACCEPT),
        decided(7, AT, is_simulated=True),
        decided(7, AT, line_state=None),
        decided(7, AT, visit_id="part-7"),
    ],
    ids=["diverted", "rejected", "revision 1", "accepted later", "simulated", "state unknown", "no trigger"],
)
def test_nothing_else_opens(other: Disposition) -> None:
    assert permission(other) is None


@pytest.mark.parametrize(
    ("append_ms", "now_ms", "opens"),
    [
        (AT + BUDGET_MS - 1, AT + BUDGET_MS - 1, True),
        (AT + BUDGET_MS, AT + BUDGET_MS - 1, False),
        (AT + 1, AT + BUDGET_MS, False),
        (AT + 1, None, False),
    ],
    ids=["in time", "written too late", "told too late", "time unknown"],
)
def test_written_and_told_before_decide_by_or_not_at_all(append_ms: int, now_ms: int | None, opens: bool) -> None:
    assert (permission(PASS, append_ms, now_ms) is not None) is opens


def test_simulated_parts_open_where_a_demo_says_so() -> None:
    simulated = decided(7, AT, is_simulated=True)
    assert permission_of(simulated, AT, AT, 1, 1, simulated_opens=True) is not None


@pytest.mark.parametrize(("now_ms", "opens"), [(AT + BUDGET_MS - 1, True), (AT + BUDGET_MS, False), (None, False)])
def test_a_notice_loses_its_permission_when_that_expires(now_ms: int | None, opens: bool) -> None:
    notice = Notice(PASS, permission(PASS))
    assert (notice.as_of(now_ms).permission is not None) is opens
    assert notice.as_of(now_ms).key == notice.key == f"{PASS.visit_id}:0"
