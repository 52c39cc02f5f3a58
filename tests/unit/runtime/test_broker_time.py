"""A process knows the broker's time from append times alone, and knows when it doesn't."""

from __future__ import annotations

from linewarden_runtime.broker_time import PAUSE_S, WINDOW_S, BrokerTime
from linewarden_runtime.clock import ManualClock

BROKER = 1_700_000_000_000
"""The broker's time when the process's monotonic clock shows 0."""


def process(wrong_ms: int = 0, *, stamps: bool = True) -> tuple[ManualClock, BrokerTime]:
    clock = ManualClock(BROKER + wrong_ms)
    return clock, BrokerTime(clock, "test", stamps=stamps)


def probe(clock: ManualClock, time: BrokerTime, out_s: float = 0.0, back_s: float = 0.0, broker_ms: int = 0) -> None:
    """A record takes `out_s` to the broker and its answer `back_s` back; `broker_ms` ahead is the broker."""
    trip = time.sending()
    clock.advance(out_s)
    stamp = BROKER + round(clock.monotonic() * 1000) + broker_ms
    clock.advance(back_s)
    time.answered(trip, stamp)


def known(time: BrokerTime) -> bool:
    return time.is_known


def truth(clock: ManualClock) -> int:
    return BROKER + round(clock.monotonic() * 1000)


def test_nothing_is_known_before_the_first_answer() -> None:
    clock, time = process()
    time.saw(BROKER)
    assert not known(time)
    assert time.error_ms() is None
    probe(clock, time)
    assert known(time)


def test_the_wall_clock_is_not_believed_however_wrong_it_is() -> None:
    for wrong_ms in (4_900, -4_900, 3_600_000, -86_400_000 * 2):
        clock, time = process(wrong_ms)
        probe(clock, time)
        clock.advance(12.5)
        assert time.now_ms() == truth(clock)
        assert time.error_ms() == wrong_ms


def test_until_the_first_answer_what_was_read_is_believed_and_not_the_wall_clock() -> None:
    for wrong_ms in (86_400_000 * 30, -86_400_000 * 30):
        clock, time = process(wrong_ms)
        time.saw(BROKER - 5_000)
        assert time.now_ms() == BROKER - 5_000
        time.saw(BROKER - 7_000)
        clock.advance(WINDOW_S + 1.0)
        assert time.now_ms() == truth(clock) - 5_000
        assert not known(time)


def test_the_time_told_is_never_behind_the_brokers_and_ahead_by_the_shortest_trip_at_most() -> None:
    clock, time = process()
    for out_s, back_s in ((0.9, 0.1), (0.02, 0.01), (0.0, 2.0), (0.5, 0.5)):
        probe(clock, time, out_s, back_s)
        clock.advance(3.0)
        assert 0 <= time.now_ms() - truth(clock) <= 900
    assert time.now_ms() - truth(clock) == 20


def test_a_slow_answer_blames_no_clock_for_its_trip() -> None:
    for wrong_ms, told_ms in ((0, 0), (3_600_000, 3_000_000), (-3_600_000, -3_600_000)):
        clock, time = process(wrong_ms)
        probe(clock, time, out_s=600.0)
        assert time.error_ms() in (told_ms, wrong_ms)
        assert (time.error_ms() == 0) == (wrong_ms == 0)


def test_a_backlog_does_not_set_the_time_back() -> None:
    clock, time = process()
    probe(clock, time)
    for age_s in range(1, 5_000, 500):
        time.saw(BROKER - age_s * 1000)
    assert time.now_ms() == truth(clock)


def test_what_is_read_live_moves_the_time_forward_after_a_machine_was_paused_with_all_its_clocks() -> None:
    clock, time = process()
    probe(clock, time)
    time.saw(BROKER + 15_000)
    assert time.now_ms() == BROKER + 15_000


def test_a_step_of_the_wall_clock_loses_the_anchor_until_the_next_answer() -> None:
    for step_ms in (251, -251, 3_600_000, -1_500_000):
        clock, time = process()
        probe(clock, time)
        clock.set_wall(clock.now_ms() + step_ms)
        time.look()
        assert not known(time)
        probe(clock, time)
        assert known(time)
        assert time.now_ms() == truth(clock)


def test_slewing_and_small_corrections_lose_nothing() -> None:
    clock, time = process()
    probe(clock, time)
    for _ in range(200):
        clock.advance(0.2)
        clock.set_wall(clock.now_ms() - 200)
        time.look()
        assert known(time)
        assert time.now_ms() == truth(clock)


def test_an_answer_to_what_was_sent_before_a_step_is_no_anchor() -> None:
    clock, time = process()
    trip = time.sending()
    clock.set_wall(clock.now_ms() + 3_600_000)
    time.answered(trip, BROKER + 3_600_000)
    assert not known(time)
    assert time.now_ms() >= BROKER + 3_600_000


def test_an_anchor_counts_for_a_minute() -> None:
    clock, time = process()
    probe(clock, time)
    clock.advance(WINDOW_S)
    assert known(time)
    clock.advance(0.001)
    assert not known(time)
    assert time.age_s == float("inf")


def test_a_topic_that_keeps_the_producers_time_gives_no_anchor() -> None:
    _, time = process()
    time.answered(time.sending(), None)
    assert not known(time)


def test_without_append_times_the_machines_clock_counts_and_after_a_step_nothing_for_a_while() -> None:
    clock, time = process(stamps=False)
    assert known(time)
    clock.advance(1.0)
    assert time.now_ms() == clock.now_ms()
    clock.set_wall(clock.now_ms() - 1_500_000)
    time.look()
    assert not known(time)
    assert time.now_ms() == clock.now_ms() + 1_500_000, "what was in flight keeps its deadline"
    clock.advance(PAUSE_S)
    assert known(time)
    assert time.now_ms() == clock.now_ms()
