"""What the demo makes of the bins of its simulated PLC."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden.demo.gate import gate_figures
from linewarden_schemas.ids import visit_id
from linewarden_schemas.vocabulary import Routing

ROUTINGS = {
    visit_id("line1", "st1", 1_700_000_000_000, number): routing
    for number, routing in enumerate((Routing.TRUSTED_PASS, Routing.DIVERTED, Routing.REJECTED))
}


def told(*bins: str, missed: int = 0) -> dict[str, Any]:
    parts = {str(number): {"bin": name, "doubt": None} for number, name in enumerate(bins)}
    return {
        "bins": {name: bins.count(name) for name in set(bins)},
        "alarms": 0,
        "missed_triggers": missed,
        "parts": parts,
    }


def test_bins_that_hold_what_was_decided_agree() -> None:
    figures = gate_figures(told("pass", "divert", "reject"), ROUTINGS)
    assert (figures["agrees"], figures["wrong"], figures["passes_too_late"]) == (True, [], 0)


def test_parts_without_an_answer_lie_apart_and_passes_among_them_are_counted() -> None:
    figures = gate_figures(told("unknown", "unknown", "unknown", "unknown"), ROUTINGS)
    assert (figures["agrees"], figures["passes_too_late"]) == (True, 1)


@pytest.mark.parametrize(
    "bins",
    [
        ("pass", "pass", "reject"),
        ("pass", "divert", "pass"),
        ("divert", "divert", "reject"),
        ("pass", "divert"),
        ("pass", "divert", "reject", "pass"),
    ],
)
def test_a_part_in_another_bin_or_in_none_or_that_nobody_decided_does_not_agree(bins: tuple[str, ...]) -> None:
    figures = gate_figures(told(*bins), ROUTINGS)
    assert not figures["agrees"]
    assert len(figures["wrong"]) == 1


def test_a_missed_trigger_does_not_agree() -> None:
    assert not gate_figures(told("pass", "divert", "reject", missed=1), ROUTINGS)["agrees"]
