"""The read model of a line: what it counts and shows, and what it says of nobody's business."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from linewarden_reinspect.queue.types import Ask, Demand, QueueSummary
from linewarden_reinspect.station.line.alarms import alarms_of
from linewarden_reinspect.station.line.feed import LineFeed
from linewarden_reinspect.station.line.model import LineModel
from linewarden_reinspect.station.line.parts import PartStanding
from linewarden_reinspect.station.references import References
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import Activation, LineState, LineStateRef
from linewarden_schemas.vocabulary import CameraCondition, Cause, LineMode, Outcome, Routing, Verdict
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.route.builders import T0, make_capture, make_inspection, make_recipe

PLACE = SourceRef(topic="line1.inspections", partition=0, offset=1)
STATE = LineStateRef(mode=LineMode.PRODUCTION, since_ms=T0, shift="early")


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(T0)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def told(model: LineModel, *messages: Message, at_ms: int = T0) -> LineModel:
    model.learn((message, PLACE, at_ms) for message in messages)
    return model


def routed(visit: str, routing: Routing = Routing.TRUSTED_PASS, revision: int = 0, **more: Any) -> Disposition:
    values: dict[str, Any] = {
        "visit_id": visit,
        "revision": revision,
        "routing": routing,
        "final": routing is not Routing.DIVERTED,
        "line_id": "line1",
        "recipe": make_recipe().ref(),
        "line_state": STATE,
        "first_captured_ms": T0,
        "decide_by_ms": T0 + 10_000,
        "decided_ms": T0 + 100,
    }
    return Disposition(**values | more)


def withheld(visit: str, cause: Cause, **more: Any) -> Disposition:
    return routed(visit, Routing.DIVERTED, causes=(cause,), **more)


def settled(visit: str, cause: Cause, outcome: Outcome) -> Disposition:
    return withheld(visit, cause, revision=1, final=True, outcome=outcome)


def producing(since_ms: int = T0) -> tuple[LineState, Activation]:
    return (
        LineState(line_id="line1", mode=LineMode.PRODUCTION, since_ms=since_ms, actor="lead", shift="early"),
        Activation(line_id="line1", recipe=make_recipe().ref(), from_ms=since_ms, actor="eng"),
    )


def counts(model: LineModel) -> dict[str, int]:
    return {name: count for name, count in model.line("line1").tally.counts("early", T0).items() if count}


def test_a_part_is_counted_once_however_often_its_records_are_read() -> None:
    one = [make_capture("top"), make_capture("side"), make_inspection("top"), routed("v1")]
    model = told(told(LineModel(), *one), *one)
    assert counts(model) == {"made": 1, "ok": 1}
    assert model.line("line1").parts.per_minute(T0) == 1
    assert model.line("line1").camera("cam-top").pace.per_minute(T0) == 1


@pytest.mark.parametrize("cause", Cause)
def test_whatever_waits_for_people_counts_as_withheld_alone(cause: Cause) -> None:
    model = told(LineModel(), withheld("v1", cause))
    assert counts(model) == {"made": 1, "withheld": 1}


def test_a_decided_part_counts_as_it_left_and_a_known_bad_not_at_all() -> None:
    model = told(LineModel(), withheld("v1", Cause.LATE), settled("v1", Cause.LATE, Outcome.SCRAP))
    assert counts(model) == {"made": 1, "ng": 1, "reviewed": 1, "late": 1}
    told(model, withheld("v2", Cause.KNOWN_BAD), settled("v2", Cause.KNOWN_BAD, Outcome.SCRAP))
    assert counts(model) == {"made": 1, "ng": 1, "reviewed": 1, "late": 1}


def test_a_part_that_is_opened_again_is_withheld_again() -> None:
    model = told(LineModel(), routed("v1"), withheld("v1", Cause.FAULT, revision=1, alarm="worse"))
    assert counts(model) == {"made": 1, "withheld": 1}
    part = model.parts.find("v1")
    assert part is not None
    assert (part.is_told, part.standing) == (False, PartStanding.WITHHELD)


@pytest.mark.parametrize("mode", [mode for mode in LineMode if mode is not LineMode.PRODUCTION])
def test_only_production_counts(mode: LineMode) -> None:
    state = LineStateRef(mode=mode, since_ms=T0, shift="early")
    assert counts(told(LineModel(), routed("v1", line_state=state))) == {}


def test_the_yield_of_a_shift_is_of_its_settled_parts() -> None:
    model = told(LineModel(), routed("v1"), routed("v2", Routing.REJECTED), withheld("v3", Cause.AUDIT))
    (point,) = model.line("line1").tally.trend("early", T0)
    assert (point.ok, point.n) == (1, 2)


def test_a_stage_is_behind_by_what_it_has_not_answered() -> None:
    model = told(LineModel(), make_capture("top"), make_capture("side"))
    line = model.line("line1")
    assert (len(line.inspect.waiting), len(line.route.waiting)) == (2, 1)
    told(model, make_inspection("top", device="cpu"))
    assert (len(line.inspect.waiting), list(line.workers)) == (1, ["cpu"])
    told(model, withheld("v1", Cause.LATE))
    assert (len(line.inspect.waiting), len(line.route.waiting)) == (0, 0)


def alarms(model: LineModel, now_ms: int, summary: QueueSummary | None = None, as_of_ms: int | None = None) -> set[str]:
    summary = summary or QueueSummary(now_ms, live=True, revision="1", lines={})
    as_of = now_ms if as_of_ms is None else as_of_ms
    return {one.key for one in alarms_of(model.line("line1"), summary, as_of, now_ms)}


def test_a_line_at_rest_in_production_and_a_silent_camera_are_told() -> None:
    model = told(LineModel(), *producing(), make_capture("top"), routed("v1"))
    assert alarms(model, T0 + 1000) == set()
    assert alarms(model, T0 + 61_000) == {"still", "camera_silent"}


def test_conditions_of_cameras_and_demands_of_people_are_told() -> None:
    beat = CameraHeartbeat(
        line_id="line1", station_id="s1", camera_id="cam-top", spool_epoch=1, last_sequence=1, at_ms=T0,
        conditions=(CameraCondition.DARK,),
    )  # fmt: skip
    model = told(LineModel(), *producing(), make_capture("top"), beat, routed("v1"))
    demand = Demand("line1", "tile", Ask.STOP, 7, T0, 3, 10, 60_000)
    asked = QueueSummary(T0, live=True, revision="1", lines={}, demands=(demand,))
    assert alarms(model, T0, asked) == {"camera_dark", "people_stop"}
    told(model, make_capture("top", "v2", known_bad=True), routed("v2"))
    assert alarms(model, T0, asked) == {"camera_dark", "people_stop"}, "a known-bad is no picture of the camera"


def test_what_is_not_current_says_so_and_nothing_else_of_the_line() -> None:
    model = told(LineModel(), *producing(), routed("v1"))
    assert alarms(model, T0 + 3_600_000, as_of_ms=T0) == {"not_current"}


def feed(made: Rig) -> LineFeed:
    station = made.station
    return LineFeed(
        station.insight.line, lambda: station.watch.summary, station.evidence, station.recipe, References(), made.clock
    )


@pytest.mark.parametrize(("since", "later_s", "level"), [(T0, 0, "good"), (T0, 61, "dead"), (T0 + 10**6, 0, "unknown")])
def test_good_and_dead_are_two_levels(made: Rig, since: int, later_s: int, level: str) -> None:
    model = told(made.station.insight.line, *producing(since), make_capture("top"), routed("v1"))
    made.station.watch.look()
    made.clock.advance(later_s)  # type: ignore[attr-defined]  # a manual clock
    model.confirm(made.clock.now_ms())
    told(model, make_capture("top", "v2", decide_by_ms=T0), routed("v2"), at_ms=T0)
    (line,) = feed(made).document(parts=True)["lines"]
    assert line["level"] == level


def test_without_parts_nothing_names_or_shows_one(made: Rig) -> None:
    where: dict[str, Any] = {"part_id": "SN-1", "lot_id": "L-77"}
    state = producing()[0].model_copy(update={"order_id": "O-4711", "lot_id": "L-77"})
    told(made.station.insight.line, state, make_capture("top", **where), make_inspection("top"), routed("v1"))
    shown, bare = feed(made).text(parts=True), feed(made).text(parts=False)
    for word in ("SN-1", "L-77", "O-4711", "v1.top"):
        assert word in shown
        assert word not in bare


def test_the_newest_parts_stand_as_everybody_may_be_told(made: Rig) -> None:
    model = made.station.insight.line
    for visit, at in (("v1", 0), ("v2", 1), ("v3", 2), ("v4", 3)):
        told(model, make_capture("top", visit, T0 + at), make_inspection("top", visit, verdict=Verdict.NG))
    told(model, routed("v1"), routed("v2", Routing.REJECTED), withheld("v3", Cause.REJECT_REVIEW))
    (line,) = feed(made).document(parts=True)["lines"]
    assert [(one["visit_id"], one["standing"]) for one in line["parts"]] == [
        ("v4", "coming"), ("v3", "withheld"), ("v2", "ng"), ("v1", "ok"),
    ]  # fmt: skip


def test_the_shift_runs_since_its_name_came_and_without_one_the_last_hours_are_shown() -> None:
    states = [
        LineState(line_id="line1", mode=mode, since_ms=T0 + at, actor="lead", shift=shift)
        for at, mode, shift in ((0, LineMode.PRODUCTION, "late"), (10, LineMode.SETUP, "early"),
                                (20, LineMode.PRODUCTION, "early"))
    ]  # fmt: skip
    line = told(LineModel(), *states).line("line1")
    assert line.shift(T0 + 100) == ("early", T0 + 10)
    assert LineModel().line("line2").shift(T0)[0] == ""
