"""What the demo makes of the bins of its simulated PLC."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden.demo.gate import acts_figures, gate_figures, gates_figures
from linewarden_schemas.ids import visit_id
from linewarden_schemas.operations import Actuation
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


def test_a_pass_without_a_permission_any_more_lies_with_the_diverted_and_is_counted() -> None:
    figures = gate_figures(told("divert", "divert", "reject"), ROUTINGS)
    assert (figures["agrees"], figures["passes_too_late"]) == (True, 1)


@pytest.mark.parametrize(
    "bins",
    [
        ("pass", "pass", "reject"),
        ("pass", "divert", "pass"),
        ("reject", "divert", "reject"),
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


def acts(**changed: Routing | None) -> dict[str, Actuation]:
    """What a gate reports that did as was decided, but for some visits by their numbers, `v1=...`."""
    found = {}
    for number, (visit, routing) in enumerate(ROUTINGS.items()):
        actual = changed.get(f"v{number}", routing)
        found[visit] = Actuation(visit_id=visit, intended=routing, actual=actual, at_ms=1)
    return found


def test_reports_that_say_where_the_parts_lie_agree_and_a_part_without_an_answer_was_diverted() -> None:
    assert acts_figures(told("pass", "divert", "reject"), ROUTINGS, acts())["agrees"]
    assert acts_figures(told("unknown", "divert", "reject"), ROUTINGS, acts(v0=Routing.DIVERTED))["agrees"]


def test_a_report_of_another_lane_and_one_that_is_missing_do_not_agree() -> None:
    another = acts_figures(told("pass", "divert", "reject"), ROUTINGS, acts(v1=Routing.TRUSTED_PASS))
    assert (another["agrees"], len(another["wrong"])) == (False, 1)
    reports = acts()
    del reports[next(iter(ROUTINGS))]
    missing = acts_figures(told("pass", "divert", "reject"), ROUTINGS, reports)
    assert (missing["agrees"], missing["unreported"]) == (False, [next(iter(ROUTINGS))])


def test_both_plcs_and_the_reports_must_agree() -> None:
    right, wrong = told("pass", "divert", "reject"), told("pass", "pass", "reject")
    assert gates_figures({"modbus": right, "opcua": right}, ROUTINGS, acts())["agrees"]
    assert not gates_figures({"modbus": right, "opcua": wrong}, ROUTINGS, acts())["agrees"]
    assert not gates_figures({"modbus": wrong, "opcua": right}, ROUTINGS, acts())["agrees"]
    assert not gates_figures({"modbus": right, "opcua": right}, ROUTINGS, {})["agrees"]
