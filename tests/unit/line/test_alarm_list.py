"""The life of alarms: a table of cases, and what holds whatever happens."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_domain.alarms import MOST_SHELVED_MS, RULES, current_alarms, demanded, explains, put_aside
from linewarden_line.alarms import life
from linewarden_line.alarms.alarm_list import CHATTERS, AlarmList, Sighting
from linewarden_schemas.alarm import Alarm, AlarmEvent, AlarmRequest, alarm_id
from linewarden_schemas.alarm_vocabulary import AlarmDemand, AlarmDoing, AlarmKind, AlarmStage, AlarmStep

NOW = 1_764_000_000_000
LINE = "line1"
K = AlarmKind


class Shift:
    """A list with a clock of its own, and every step that it gave."""

    def __init__(self) -> None:
        self.list, self.now = AlarmList(LINE), NOW
        self.steps: list[AlarmEvent] = []

    def see(self, kind: AlarmKind, subject: str | None = None, *, holds: bool = True) -> None:
        self.list.see(Sighting(kind, subject, holds=holds), self.now)
        self.turn()

    def ask(self, doing: AlarmDoing, kind: AlarmKind, subject: str | None = None, **more: int | str) -> bool:
        request = AlarmRequest(
            request_id=f"r{len(self.steps)}",
            alarm_id=alarm_id(LINE, kind, subject),
            line_id=LINE,
            doing=doing,
            actor="lead-02",
            at_ms=self.now,
            **more,  # type: ignore[arg-type]
        )
        done = self.list.ask(request, self.now)
        self.turn()
        return done

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.now += 500
            self.turn()

    def turn(self) -> None:
        self.steps += self.list.turn(self.now)

    def alarm(self, kind: AlarmKind, subject: str | None = None) -> Alarm:
        return self.list.alarms[alarm_id(LINE, kind, subject)]

    def stage(self, kind: AlarmKind, subject: str | None = None) -> AlarmStage:
        return self.alarm(kind, subject).stage

    def told(self, kind: AlarmKind) -> list[AlarmStep]:
        return [one.step for one in self.steps if one.alarm.kind is kind]


def test_a_condition_is_raised_acknowledged_by_somebody_and_gone() -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.UNACKNOWLEDGED
    assert shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_LOST, "cam1", occurrence=1)
    known = shift.alarm(K.CAMERA_LOST, "cam1")
    assert (known.stage, known.acknowledged_by) == (AlarmStage.ACKNOWLEDGED, "lead-02")
    shift.see(K.CAMERA_LOST, "cam1", holds=False)
    shift.wait(60)
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.NORMAL
    assert shift.told(K.CAMERA_LOST) == [AlarmStep.RAISED, AlarmStep.ACKNOWLEDGED, AlarmStep.RETURNED]


def test_what_is_over_before_anybody_knew_of_it_stays_until_somebody_does() -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    shift.see(K.CAMERA_LOST, "cam1", holds=False)
    shift.wait(60)
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.RETURNED
    assert [row.alarm.kind for row in current_alarms(shift.list.alarms.values(), shift.now)] == [K.CAMERA_LOST]
    shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_LOST, "cam1")
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.NORMAL
    assert current_alarms(shift.list.alarms.values(), shift.now) == ()


def test_a_latched_one_asks_for_a_stop_until_it_is_reset() -> None:
    shift = Shift()
    shift.see(K.REJECT_RUN, "cavity-3")
    shift.ask(AlarmDoing.ACKNOWLEDGE, K.REJECT_RUN, "cavity-3")
    shift.see(K.REJECT_RUN, "cavity-3", holds=False)
    shift.wait(60)
    assert shift.stage(K.REJECT_RUN, "cavity-3") is AlarmStage.LATCHED
    assert demanded(shift.list.alarms.values()) is AlarmDemand.STOP
    assert shift.ask(AlarmDoing.RESET, K.REJECT_RUN, "cavity-3")
    assert shift.stage(K.REJECT_RUN, "cavity-3") is AlarmStage.NORMAL
    assert demanded(shift.list.alarms.values()) is None


def test_a_condition_that_is_shorter_than_its_delay_is_no_alarm() -> None:
    shift = Shift()
    shift.see(K.STAGE_BEHIND, "inspect")
    shift.wait(4)
    shift.see(K.STAGE_BEHIND, "inspect", holds=False)
    shift.wait(60)
    assert shift.steps == []
    shift.see(K.STAGE_BEHIND, "inspect")
    shift.wait(6)
    assert shift.told(K.STAGE_BEHIND) == [AlarmStep.RAISED]


def test_a_condition_that_flaps_within_its_delay_is_raised_once_and_counted() -> None:
    shift = Shift()
    for _ in range(40):
        shift.see(K.CAMERA_DARK, "cam1")
        shift.wait(2)
        shift.see(K.CAMERA_DARK, "cam1", holds=False)
        shift.wait(2)
    shift.wait(40)
    assert shift.told(K.CAMERA_DARK).count(AlarmStep.RAISED) == 1
    assert shift.alarm(K.CAMERA_DARK, "cam1").repeats == 39
    assert len(shift.steps) < 8


def test_one_that_comes_back_again_and_again_is_raised_thrice_and_then_stands() -> None:
    shift = Shift()
    for _ in range(20):
        shift.see(K.CAMERA_LOST, "cam1")
        shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_LOST, "cam1")
        shift.see(K.CAMERA_LOST, "cam1", holds=False)
        shift.wait(15)
    assert shift.told(K.CAMERA_LOST).count(AlarmStep.RAISED) == CHATTERS
    assert shift.alarm(K.CAMERA_LOST, "cam1").is_chattering
    shift.wait(301)
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.NORMAL


def test_a_shelf_ends_at_its_time_and_what_it_hid_is_back() -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    assert shift.ask(AlarmDoing.SHELVE, K.CAMERA_LOST, "cam1", until_ms=shift.now + 60_000)
    assert [one.kind for one in put_aside(shift.list.alarms.values(), shift.now)] == [K.CAMERA_LOST]
    assert current_alarms(shift.list.alarms.values(), shift.now) == ()
    shift.wait(61)
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.UNACKNOWLEDGED


def test_a_shelf_that_nobody_ends_hides_nothing_after_its_time() -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    shift.ask(AlarmDoing.SHELVE, K.CAMERA_LOST, "cam1", until_ms=shift.now + 60_000)
    alarms = list(shift.list.alarms.values())
    assert [row.alarm.kind for row in current_alarms(alarms, shift.now + 60_000)] == [K.CAMERA_LOST]
    assert put_aside(alarms, shift.now + 60_000) == ()


@pytest.mark.parametrize(
    ("doing", "more", "why"),
    [
        (AlarmDoing.ACKNOWLEDGE, {"occurrence": 7}, "it was life 7 of the alarm that was seen; life 1 is the last"),
        (AlarmDoing.RESET, {}, "it ends by itself once its cause is mended"),
        (AlarmDoing.SHELVE, {"until_ms": NOW + MOST_SHELVED_MS + 1}, "a shelf ends within 8 hours"),
        (AlarmDoing.SHELVE, {"until_ms": NOW}, "a shelf ends within 8 hours"),
        (AlarmDoing.UNSHELVE, {}, "it is not shelved"),
        (AlarmDoing.RESTORE, {}, "it is in service"),
        (AlarmDoing.COUNT, {"count": 3}, "only a bin that LINEWARDEN_LINE__ALARMS__BINS names can be counted"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(doing: AlarmDoing, more: dict[str, int], why: str) -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    assert not shift.ask(doing, K.CAMERA_LOST, "cam1", **more)
    refused = shift.steps[-1]
    assert (refused.step, refused.comment, refused.actor) == (AlarmStep.REFUSED, why, "lead-02")
    assert shift.stage(K.CAMERA_LOST, "cam1") is AlarmStage.UNACKNOWLEDGED


def test_a_request_for_what_is_no_alarm_changes_nothing() -> None:
    shift = Shift()
    request = AlarmRequest(
        request_id="r", alarm_id="line1.no_such", line_id=LINE, doing=AlarmDoing.ACKNOWLEDGE, actor="a", at_ms=NOW
    )
    assert not shift.list.ask(request, NOW)
    assert shift.list.turn(NOW) == []


def test_what_follows_from_a_cause_stands_under_it_and_asks_nobody() -> None:
    shift = Shift()
    shift.see(K.CAMERA_DARK, "cam1")
    shift.wait(2)
    shift.see(K.CAMERA_LOST, "cam1")
    shift.see(K.CAMERA_SLOW, "cam1")
    (row,) = current_alarms(shift.list.alarms.values(), shift.now)
    assert row.alarm.kind is K.CAMERA_LOST
    assert [one.kind for one in row.follows] == [K.CAMERA_DARK, K.CAMERA_SLOW]
    assert shift.list.load(shift.now).unacknowledged == 1


def test_a_consequence_that_outlives_its_cause_stands_for_itself_and_one_that_ends_with_it_is_gone() -> None:
    shift = Shift()
    for kind in (K.CAMERA_LOST, K.CAMERA_DARK, K.CAMERA_SLOW):
        shift.see(kind, "cam1")
    shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_LOST, "cam1")
    shift.see(K.CAMERA_LOST, "cam1", holds=False)
    shift.see(K.CAMERA_SLOW, "cam1", holds=False)
    shift.wait(120)
    assert shift.stage(K.CAMERA_SLOW, "cam1") is AlarmStage.NORMAL
    assert shift.stage(K.CAMERA_DARK, "cam1") is AlarmStage.UNACKNOWLEDGED
    assert AlarmStep.RELEASED in shift.told(K.CAMERA_DARK)
    assert AlarmStep.RELEASED not in shift.told(K.CAMERA_SLOW)


def test_the_first_of_several_cameras_that_go_together_is_the_cause_and_a_later_one_stands_for_itself() -> None:
    shift = Shift()
    shift.see(K.CAMERA_DARK, "cam2")
    shift.wait(1)
    shift.see(K.CAMERA_DARK, "cam1")
    shift.wait(60)
    shift.see(K.CAMERA_DARK, "cam3")
    rows = current_alarms(shift.list.alarms.values(), shift.now)
    assert [(row.alarm.subject, [one.subject for one in row.follows]) for row in rows] == [
        ("cam2", ["cam1"]),
        ("cam3", []),
    ]


def test_a_cause_that_is_put_aside_hides_nothing_that_follows_from_it() -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    shift.see(K.CAMERA_DARK, "cam1")
    shift.ask(AlarmDoing.SHELVE, K.CAMERA_LOST, "cam1", until_ms=shift.now + 60_000)
    (row,) = current_alarms(shift.list.alarms.values(), shift.now)
    assert (row.alarm.kind, row.is_new) == (K.CAMERA_DARK, True)


def test_the_list_is_by_priority_then_what_is_new_then_the_first_first() -> None:
    shift = Shift()
    shift.see(K.CAMERA_TORN, "cam1")
    shift.see(K.CAMERA_BRIGHT, "cam2")
    shift.wait(30)
    shift.see(K.CLOCK_WRONG, "cam3")
    shift.see(K.BALANCE_OPEN)
    shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_BRIGHT, "cam2")
    rows = current_alarms(shift.list.alarms.values(), shift.now)
    assert [row.alarm.kind for row in rows] == [K.BALANCE_OPEN, K.CLOCK_WRONG, K.CAMERA_BRIGHT, K.CAMERA_TORN]


def test_more_alarms_than_anybody_can_act_on_are_a_flood_and_it_is_counted_once() -> None:
    shift = Shift()
    for number in range(11):
        shift.see(K.CAMERA_BRIGHT, f"cam{number}")
        shift.wait(11)
    assert shift.list.load(shift.now).is_flood
    assert shift.list.floods == 1
    shift.wait(600)
    assert not shift.list.load(shift.now).is_flood


def test_what_one_cause_brings_is_no_flood() -> None:
    shift = Shift()
    for number in range(30):
        shift.see(K.CAMERA_LOST, f"cam{number}")
    assert shift.list.load(shift.now).raised == 1


def test_a_list_that_is_restored_goes_on_as_it_stood() -> None:
    shift = Shift()
    shift.see(K.CAMERA_LOST, "cam1")
    shift.see(K.VISIT_REVISED)
    shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_LOST, "cam1")
    heir = Shift()
    heir.now = shift.now + 5_000
    for alarm in shift.list.alarms.values():
        heir.list.recall(alarm)
    heir.turn()
    assert heir.steps == []
    assert heir.list.alarms == shift.list.alarms
    heir.see(K.CAMERA_LOST, "cam1", holds=False)
    heir.wait(90)
    assert heir.stage(K.CAMERA_LOST, "cam1") is AlarmStage.NORMAL
    assert heir.stage(K.VISIT_REVISED) is AlarmStage.RETURNED


KINDS = (K.CAMERA_SILENT, K.CAMERA_LOST, K.CAMERA_DARK, K.REVIEW_STOP, K.REJECT_RUN, K.VISIT_REVISED, K.STAGE_BEHIND)
OPERATIONS = st.one_of(
    st.tuples(st.just("see"), st.sampled_from(KINDS), st.sampled_from(("a", "b")), st.booleans()),
    st.tuples(st.just("ask"), st.sampled_from(KINDS), st.sampled_from(("a", "b")), st.sampled_from(list(AlarmDoing))),
    st.tuples(st.just("wait"), st.sampled_from((1, 7, 31, 120)), st.none(), st.none()),
)


def play(operations: Sequence[tuple[str, object, object, object]]) -> Shift:
    shift = Shift()
    for verb, what, subject, more in operations:
        match verb:
            case "see":
                shift.see(AlarmKind(str(what)), str(subject), holds=bool(more))
            case "ask":
                doing = AlarmDoing(str(more))
                extra = {AlarmDoing.SHELVE: {"until_ms": shift.now + 45_000}, AlarmDoing.COUNT: {"count": 1}}
                shift.ask(doing, AlarmKind(str(what)), str(subject), **extra.get(doing, {}))
            case _:
                assert isinstance(what, int)
                shift.wait(what)
        check(shift)
    return shift


def check(shift: Shift) -> None:
    alarms = shift.list.alarms
    rows = current_alarms(alarms.values(), shift.now)
    shown = {one.alarm_id for row in rows for one in (row.alarm, *row.follows)}
    for alarm in alarms.values():
        assert alarm.stage is life.stage_of(alarm)
        # Whatever stands and nobody put aside is seen.
        aside = alarm.stage in {AlarmStage.SHELVED, AlarmStage.OUT_OF_SERVICE}
        assert (alarm.alarm_id in shown) == (alarm.stage is not AlarmStage.NORMAL and not aside)
        if alarm.stage is AlarmStage.SUPPRESSED and alarm.ended_ms is None:
            assert alarm.caused_by in alarms
    assert len(shown) == sum(1 + len(row.follows) for row in rows)
    assert shift.list.load(shift.now).demand is demanded(alarms.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, max_size=25))
def test_whatever_happens_nothing_that_stands_is_hidden_and_each_life_is_ended_by_somebody(
    operations: list[tuple[str, object, object, object]],
) -> None:
    shift = play(operations)
    for name in shift.list.alarms:
        steps = [one for one in shift.steps if one.alarm.alarm_id == name and one.step is not AlarmStep.REFUSED]
        was_known = was_under = True
        for one in steps:
            if one.step is AlarmStep.RAISED:
                # A new life begins only where the one before was known, reset, or another alarm's.
                assert was_known or was_under
                was_known = was_under = False
            was_known |= one.step in {AlarmStep.ACKNOWLEDGED, AlarmStep.RESET}
            was_under |= one.step is AlarmStep.SUPPRESSED


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from((1, 5, 12, 40))), max_size=60), st.booleans())
def test_no_pattern_of_flapping_raises_one_more_often_than_that(
    pattern: list[tuple[bool, int]], is_acknowledged: bool
) -> None:
    shift = Shift()
    for holds, seconds in pattern:
        shift.see(K.CAMERA_LOST, "a", holds=holds)
        if is_acknowledged and shift.list.alarms:
            shift.ask(AlarmDoing.ACKNOWLEDGE, K.CAMERA_LOST, "a")
        shift.wait(seconds)
    raised = [one.at_ms for one in shift.steps if one.step is AlarmStep.RAISED]
    for first in raised:
        assert sum(first <= at_ms < first + 300_000 for at_ms in raised) <= CHATTERS


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATIONS, max_size=15))
def test_no_two_alarms_explain_each_other(operations: list[tuple[str, object, object, object]]) -> None:
    alarms = list(play(operations).list.alarms.values())
    for one in alarms:
        at, seen = one, {one.alarm_id}
        while at.caused_by is not None:
            assert at.caused_by not in seen
            seen.add(at.caused_by)
            at = next(other for other in alarms if other.alarm_id == at.caused_by)
        assert not any(explains(one, other) and explains(other, one) for other in alarms if other is not one)


def test_every_kind_has_its_rule() -> None:
    assert set(RULES) == set(AlarmKind)
