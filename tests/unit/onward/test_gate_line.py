"""The output's block and a control together, on one simulated clock, with the server killed and frozen anywhere."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_onward.gate import GateBin
from linewarden_schemas.vocabulary import Routing
from tests.support.gates import WINDOW_MS, FaultyLine, seen_at

BINS = {Routing.TRUSTED_PASS: GateBin.PASS, Routing.DIVERTED: GateBin.DIVERT, Routing.REJECTED: GateBin.REJECT}


def mixed(parts: int, seed: int = 1) -> list[Routing]:
    chance = random.Random(seed)
    return chance.choices(list(Routing), weights=(6, 2, 2), k=parts)


def wrong_passes(line: FaultyLine) -> list[int]:
    passed = [number for number, step in line.plc.binned.items() if step.bin is GateBin.PASS]
    wrong = [number for number in passed if line.routings[number] is not Routing.TRUSTED_PASS]
    early = [number for number in passed if line.granted.get(number, 1e9) > seen_at(number) + WINDOW_MS]
    return wrong + early


def test_without_a_fault_the_bins_hold_exactly_what_was_decided_and_every_act_is_reported() -> None:
    line = FaultyLine(mixed(200))
    plc = line.run()
    assert {number: step.bin for number, step in plc.binned.items()} == {
        number: BINS[routing] for number, routing in enumerate(line.routings)
    }
    assert sorted((act.visit_id[-6:], act.intended, act.actual) for act in line.acts) == [
        (f"{number:06d}", routing, routing) for number, routing in enumerate(line.routings)
    ]
    assert plc.alarms == 0


def test_the_server_killed_at_any_look_at_its_time_passes_no_part_without_its_own_permission() -> None:
    for look in range(1, 400, 3):
        line = FaultyLine(mixed(8, seed=look), seed=look, kill_at=look)
        plc = line.run()
        assert wrong_passes(line) == []
        assert len(plc.binned) == 8


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kills=st.sampled_from([0.0, 0.002, 0.02]),
    freezes=st.sampled_from([0.0, 0.005, 0.05]),
    lates=st.sampled_from([0.0, 0.05, 0.5]),
    torn=st.sampled_from([0.0, 0.3]),
)
def test_whatever_is_killed_frozen_late_or_half_read_no_part_passes_without_its_own_permission(
    seed: int, kills: float, freezes: float, lates: float, torn: float
) -> None:
    line = FaultyLine(mixed(60, seed), seed=seed, kills=kills, freezes=freezes, lates=lates, torn=torn)
    plc = line.run()
    assert wrong_passes(line) == []
    assert set(plc.binned) == set(range(60))


@pytest.mark.parametrize("fault", ["kills", "freezes", "lates", "torn"])
def test_each_fault_happens_and_parts_still_pass_around_it(fault: str) -> None:
    line = FaultyLine(mixed(200), seed=3, **{fault: 0.003 if fault != "torn" else 0.3})  # type: ignore[arg-type]
    plc = line.run()
    assert wrong_passes(line) == []
    assert plc.control.bins[GateBin.PASS] > 50


def test_a_reported_act_says_where_the_part_went_and_not_where_it_was_meant_to_go() -> None:
    line = FaultyLine(mixed(200), seed=5, freezes=0.01)
    plc = line.run()
    meant = {f"{number:06d}": plc.binned[number] for number in plc.binned}
    for act in line.acts:
        step = meant[act.visit_id[-6:]]
        if step.bin is GateBin.UNKNOWN:
            assert act.actual is Routing.DIVERTED
            assert act.detail == step.doubt
        else:
            assert act.actual is not None
            assert BINS[act.actual] is step.bin
