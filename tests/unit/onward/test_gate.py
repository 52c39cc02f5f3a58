"""The rule of a gate, one reading at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewarden_onward.gate import GateBin, GateControl, GateDoubt, GateImage, GateLimits, GateStep, GateVerdict

LIMITS = GateLimits(window=300, heartbeat_ms=100)
PASS = GateImage(7, GateVerdict.PASS, 1, 300, 5, 7, 2, 11)


def waiting(limits: GateLimits = LIMITS) -> GateControl:
    """A control that has read a heartbeat that moves, and then saw part 7 at 1,000 ms."""
    control = GateControl(limits)
    nothing = GateImage(6, GateVerdict.NONE, 0, 0, 4, 6, 2, 9)
    control.read(nothing, 980)
    control.read(replace(nothing, heartbeat=10), 990)
    assert control.trigger(7, 1_000)
    return control


def test_a_part_passes_on_its_own_permission() -> None:
    control = waiting()
    assert control.read(PASS, 1_050) is None
    assert control.arrive(7, 1_100) == GateStep(7, GateBin.PASS)


@pytest.mark.parametrize(
    ("image", "doubt"),
    [
        (replace(PASS, counter_again=8), GateDoubt.TORN),
        (replace(PASS, counter=8, counter_again=8), GateDoubt.NO_TRIGGER),
        (replace(PASS, counter=6, counter_again=6), GateDoubt.NO_TRIGGER),
        (replace(PASS, epoch=1), GateDoubt.OLD_EPOCH),
        (replace(PASS, sequence=4), GateDoubt.STALE),
        (replace(PASS, window_ms=40), GateDoubt.LATE),
        (replace(PASS, verdict=9), GateDoubt.NO_WORD),
        (replace(PASS, verdict=0xFFFF), GateDoubt.NO_WORD),
        (replace(PASS, verdict=GateVerdict.NONE), None),
    ],
)
def test_what_is_not_its_own_permission_does_not_open(image: GateImage, doubt: GateDoubt | None) -> None:
    control = waiting()
    assert control.read(image, 1_050) is doubt
    assert control.arrive(7, 1_100) == GateStep(7, GateBin.UNKNOWN, GateDoubt.NO_ANSWER)


def test_after_its_window_a_pass_is_refused_and_cannot_move_the_part_that_follows() -> None:
    control = waiting()
    control.read(replace(PASS, verdict=GateVerdict.NONE, heartbeat=12), 1_290)
    assert control.read(PASS, 1_301) is GateDoubt.LATE
    control.trigger(8, 1_310)
    assert control.arrive(7, 1_310).bin is GateBin.UNKNOWN
    assert control.read(replace(PASS, heartbeat=13), 1_320) is GateDoubt.NO_TRIGGER
    assert control.arrive(8, 1_400).bin is GateBin.UNKNOWN


def test_a_window_in_encoder_counts_does_not_run_while_the_belt_stands() -> None:
    control = GateControl(GateLimits(window=50, heartbeat_ms=10_000, by_encoder=True))
    nothing = replace(PASS, verdict=GateVerdict.NONE, sequence=4, heartbeat=9)
    control.read(nothing, 980, place=100)
    control.read(replace(nothing, heartbeat=10), 990, place=100)
    control.trigger(7, 1_000, place=100)
    control.trigger(8, 1_000, place=100)
    assert control.read(replace(PASS, window_ms=60_000), 9_000, place=149) is None
    late = replace(PASS, counter=8, counter_again=8, sequence=6, window_ms=60_000)
    assert control.read(late, 9_000, place=151) is GateDoubt.LATE


def test_a_heartbeat_that_stands_opens_nothing_and_drops_the_output() -> None:
    control = waiting()
    assert [control.is_live(now) for now in (1_080, 1_091)] == [True, False]
    assert control.read(replace(PASS, heartbeat=10), 1_100) is GateDoubt.STANDING
    assert control.arrive(7, 1_200).bin is GateBin.UNKNOWN


def test_a_pass_that_was_read_does_not_open_any_more_when_the_heartbeat_stands_at_the_gate() -> None:
    control = waiting()
    assert control.read(PASS, 1_050) is None
    assert control.arrive(7, 1_200) == GateStep(7, GateBin.UNKNOWN, GateDoubt.STANDING)


def test_one_reading_of_a_new_epoch_is_no_movement() -> None:
    control = waiting()
    assert control.read(replace(PASS, epoch=3, sequence=1), 1_020) is GateDoubt.STANDING
    assert control.read(replace(PASS, epoch=3, sequence=1, heartbeat=12), 1_040) is None
    assert control.read(PASS, 1_050) is GateDoubt.OLD_EPOCH


def test_a_trigger_before_the_first_reading_gets_no_pass() -> None:
    control = GateControl(LIMITS)
    control.trigger(7, 1_000)
    control.read(replace(PASS, heartbeat=10), 1_010)
    assert control.read(PASS, 1_050) is GateDoubt.STALE


def test_a_part_that_was_seen_before_its_pass_may_be_told_of_after_it() -> None:
    control = GateControl(LIMITS)
    nothing = replace(PASS, verdict=GateVerdict.NONE, sequence=4, heartbeat=9)
    control.read(nothing, 980)
    control.read(replace(nothing, heartbeat=10), 990)
    assert control.read(PASS, 1_020) is GateDoubt.NO_TRIGGER
    control.trigger(7, 1_000)
    assert control.read(PASS, 1_030) is None
    control.trigger(8, 1_025)
    assert control.read(replace(PASS, counter=8, counter_again=8), 1_040) is GateDoubt.STALE


def test_the_worst_word_of_a_part_counts_in_either_order() -> None:
    control = waiting()
    assert control.read(PASS, 1_020) is None
    assert control.read(replace(PASS, verdict=GateVerdict.REJECT), 1_030) is None
    assert control.read(PASS, 1_040) is GateDoubt.ALREADY
    assert control.arrive(7, 1_100).bin is GateBin.REJECT


def test_three_parts_in_a_row_without_an_answer_are_an_alarm_and_an_answer_ends_it() -> None:
    control = waiting()
    for counter in (8, 9):
        control.trigger(counter, 1_000)
    alarms = [control.arrive(counter, 1_300) and control.alarm for counter in (7, 8, 9)]
    assert alarms == [False, False, True]
    control.trigger(10, 1_400)
    control.read(replace(PASS, counter=10, counter_again=10, verdict=GateVerdict.DIVERT), 1_410)
    assert control.arrive(10, 1_500).bin is GateBin.DIVERT
    assert not control.alarm
    assert control.bins == {GateBin.UNKNOWN: 3, GateBin.DIVERT: 1}


def test_a_number_that_is_not_above_the_one_before_has_no_trigger() -> None:
    control = waiting()
    assert not control.trigger(7, 1_200)
    assert not control.trigger(3, 1_200)


@given(st.data())
def test_of_any_readings_only_a_whole_new_living_permission_of_the_part_lets_it_pass(data: st.DataObject) -> None:
    small = st.integers(0, 3)
    images = data.draw(st.lists(st.builds(GateImage, small, small, small, st.sampled_from([0, 50, 300]), *[small] * 4)))
    control = GateControl(LIMITS)
    now, triggered, read = 0.0, dict[int, tuple[float, int]](), list[tuple[float, GateImage]]()
    for number, image in enumerate(images):
        now += data.draw(st.sampled_from([1, 40, 120]))
        if control.trigger(number // 3, now):
            triggered[number // 3] = (now, len(read))
        control.read(image, now)
        read.append((now, image))
    for counter, (seen, before) in triggered.items():
        if control.arrive(counter, now).bin is GateBin.PASS:
            newest = max((one.epoch, one.sequence) for _, one in read[:before] if one.counter == one.counter_again)
            assert any(
                one.counter == one.counter_again == counter
                and one.verdict == GateVerdict.PASS
                and at - seen <= min(one.window_ms, LIMITS.window)
                and (one.epoch, one.sequence) > newest
                for at, one in read[before:]
            )
            assert control.is_live(now)
