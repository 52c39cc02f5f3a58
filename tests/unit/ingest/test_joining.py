"""Pictures and triggers: each comes out once, and no picture gets the data of another's trigger."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import example, given
from hypothesis import strategies as st

from linewarden_ingest.cameras.interface import Shot
from linewarden_ingest.triggers.joining import CounterJoin, JoinCause, Joiner, JoinOutcome, TimeJoin
from linewarden_ingest.triggers.signal import PartSignal

EARLIEST, LATEST, SETTLE = -20, 80, 50


def by_time() -> Joiner:
    return TimeJoin(earliest_ms=EARLIEST, latest_ms=LATEST, settle_ms=SETTLE).joiner()


def by_counter(wait_ms: int = 100, offset: int = 0) -> Joiner:
    return CounterJoin(wait_ms=wait_ms, offset=offset).joiner()


def shot(at_ms: int, *, index: int = 0, counter: int | None = None) -> Shot:
    return Shot(index, at_ms, picture=None, counter=counter)


def signal(at_ms: int, counter: int = 0) -> PartSignal:
    return PartSignal(counter, at_ms, at_ms)


def told(outcomes: Iterable[JoinOutcome]) -> list[tuple[int | None, int | None, JoinCause]]:
    """Index of the picture, counter of the trigger, and the cause."""
    return [
        (one.picture and one.picture.index, one.signal and one.signal.counter, one.cause)  # type: ignore[misc]
        for one in outcomes
    ]


def test_a_picture_is_joined_when_its_window_is_over_and_not_before() -> None:
    joiner = by_time()
    joiner.signal(signal(1_000, counter=7))
    joiner.picture(shot(1_080, index=3))
    assert joiner.due(1_000 + LATEST + SETTLE) == []
    assert told(joiner.due(1_000 + LATEST + SETTLE + 21)) == [(3, 7, JoinCause.JOINED)]
    assert joiner.flush() == []


def test_a_picture_without_trigger_and_a_trigger_without_picture_come_out_with_their_cause_in_words() -> None:
    joiner = by_time()
    joiner.signal(signal(1_000, counter=7))
    joiner.picture(shot(1_081, index=3))
    lone = joiner.due(2_000)
    assert told(lone) == [(None, 7, JoinCause.NO_PICTURE), (3, None, JoinCause.NO_TRIGGER)]
    assert [one.why for one in lone] == [
        "trigger 7 without picture: none came within its window",
        "a picture without trigger: none came within its window",
    ]


def test_two_pictures_of_one_trigger_and_two_triggers_of_one_picture_all_come_out_alone() -> None:
    joiner = by_time()
    for index, at_ms in enumerate((1_000, 1_030)):
        joiner.picture(shot(at_ms, index=index))
    joiner.signal(signal(1_000, counter=7))
    assert told(joiner.flush()) == [
        (0, None, JoinCause.TWO_OF_ONE),
        (None, 7, JoinCause.TWO_OF_ONE),
        (1, None, JoinCause.TWO_OF_ONE),
    ]
    joiner = by_time()
    for number, at_ms in enumerate((1_000, 1_030)):
        joiner.signal(signal(at_ms, counter=number))
    joiner.picture(shot(1_040, index=5))
    alone = joiner.flush()
    assert {cause for _, _, cause in told(alone)} == {JoinCause.TWO_OF_ONE}
    assert alone[-1].why == "two of one, a picture: 2 triggers (trigger 0, trigger 1) are within its window"


def test_a_second_picture_in_the_window_takes_the_trigger_from_the_first_too() -> None:
    joiner = by_time()
    joiner.signal(signal(1_000, counter=7))
    joiner.picture(shot(1_010, index=0))
    assert joiner.due(1_060) == []
    joiner.picture(shot(1_070, index=1))
    assert {cause for _, _, cause in told(joiner.flush())} == {JoinCause.TWO_OF_ONE}


def test_what_comes_later_than_it_may_is_joined_to_nothing_and_stands_in_the_way() -> None:
    joiner = by_time()
    joiner.picture(shot(1_080, index=0))
    assert joiner.due(1_140) == []
    joiner.signal(signal(1_020, counter=7))  # of 70 ms before what is sure already
    assert told(joiner.due(1_141)) == [(None, 7, JoinCause.NO_PICTURE)]
    joiner.signal(signal(1_095, counter=8))
    assert told(joiner.due(2_000)) == [(0, None, JoinCause.TWO_OF_ONE), (None, 8, JoinCause.TWO_OF_ONE)]


def test_by_counter_both_are_joined_at_once_in_either_order() -> None:
    joiner = by_counter(offset=100)
    joiner.signal(signal(5, counter=107))
    joiner.picture(shot(1_000, index=1, counter=7))
    joiner.picture(shot(1_100, index=2, counter=8))
    assert told(joiner.due(1_100)) == [(1, 107, JoinCause.JOINED)]
    joiner.signal(signal(6, counter=108))
    assert told(joiner.due(1_150)) == [(2, 108, JoinCause.JOINED)]
    assert joiner.flush() == []


def test_by_counter_what_finds_no_partner_comes_out_alone_after_the_wait() -> None:
    joiner = by_counter(wait_ms=100)
    joiner.signal(signal(0, counter=7))
    joiner.picture(shot(0, index=1, counter=8))
    assert joiner.due(1_000) == joiner.due(1_100) == []
    assert told(joiner.due(1_101)) == [(None, 7, JoinCause.NO_PICTURE), (1, None, JoinCause.NO_TRIGGER)]
    joiner.picture(shot(0, index=2))
    [lone] = joiner.due(1_102)
    assert (lone.cause, lone.why) == (
        JoinCause.NO_TRIGGER,
        "a picture without trigger: the camera gave it no counter",
    )


def test_by_counter_the_second_of_one_comes_out_alone_and_takes_a_first_with_it_that_was_held() -> None:
    joiner = by_counter()
    joiner.picture(shot(0, index=1, counter=7))
    joiner.picture(shot(0, index=2, counter=7))
    joiner.signal(signal(0, counter=7))
    assert told(joiner.due(0)) == [
        (1, None, JoinCause.TWO_OF_ONE),
        (2, None, JoinCause.TWO_OF_ONE),
        (None, 7, JoinCause.TWO_OF_ONE),
    ]
    joiner.signal(signal(0, counter=8))
    joiner.picture(shot(0, index=3, counter=8))
    joiner.signal(signal(0, counter=8))
    assert told(joiner.due(0)) == [(3, 8, JoinCause.JOINED), (None, 8, JoinCause.TWO_OF_ONE)]


@st.composite
def histories(draw: st.DrawFn, most_late_ms: int) -> list[tuple[int, int, bool]]:
    """When a thing came, its own time before that, and whether it is a picture, as they come."""
    things = []
    for _ in range(draw(st.integers(0, 25))):
        at_ms = draw(st.integers(0, 600))
        came_ms = at_ms + draw(st.integers(0, most_late_ms))
        things.append((came_ms, at_ms, draw(st.booleans())))
    return sorted(things)


def played(
    joiner: Joiner, things: list[tuple[int, int, bool]]
) -> tuple[list[Shot], list[PartSignal], list[JoinOutcome]]:
    pictures, signals, outcomes = [], [], []
    for number, (came_ms, at_ms, is_picture) in enumerate(things):
        outcomes += joiner.due(came_ms)
        if is_picture:
            pictures.append(shot(at_ms, index=number, counter=at_ms // 50))
            joiner.picture(pictures[-1])
        else:
            signals.append(signal(at_ms, counter=at_ms // 50))
            joiner.signal(signals[-1])
    return pictures, signals, outcomes + joiner.flush()


def require_each_once(pictures: list[Shot], signals: list[PartSignal], outcomes: list[JoinOutcome]) -> None:
    assert sorted(id(one.picture) for one in outcomes if one.picture) == sorted(map(id, pictures))
    assert sorted(id(one.signal) for one in outcomes if one.signal) == sorted(map(id, signals))
    for one in outcomes:
        both = one.picture is not None and one.signal is not None
        assert both == (one.cause is JoinCause.JOINED)
        assert both == (one.why is None)


@given(histories(most_late_ms=400))
def test_no_picture_and_no_trigger_is_ever_lost_or_given_to_two_parts(things: list[tuple[int, int, bool]]) -> None:
    require_each_once(*played(by_time(), things))
    require_each_once(*played(by_counter(), things))


@given(histories(most_late_ms=SETTLE))
@example([(0, 0, False), (0, 0, True), (120, 80, True)])
def test_in_time_a_pair_is_joined_exactly_where_neither_has_another_in_the_window(
    things: list[tuple[int, int, bool]],
) -> None:
    pictures, signals, outcomes = played(by_time(), things)
    pairs = [(p, s) for p in pictures for s in signals if EARLIEST <= p.captured_ms - s.trigger_ms <= LATEST]
    near = {id(one): [pair for pair in pairs if one in pair] for one in (*pictures, *signals)}
    sure = {(id(p), id(s)) for p, s in pairs if len(near[id(p)]) == len(near[id(s)]) == 1}
    joined = {(id(one.picture), id(one.signal)) for one in outcomes if one.cause is JoinCause.JOINED}
    assert joined == sure


@given(histories(most_late_ms=400))
def test_by_counter_a_picture_never_gets_the_data_of_another_counter(things: list[tuple[int, int, bool]]) -> None:
    _, _, outcomes = played(by_counter(), things)
    for one in outcomes:
        if one.picture is not None and one.signal is not None:
            assert one.picture.counter == one.signal.counter
