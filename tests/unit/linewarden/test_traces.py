"""A trace of a visit tells where its time went, once, and nothing of what was thought of its part."""

from __future__ import annotations

from dataclasses import asdict

from linewarden.traces import TraceBook, VisitTrace
from linewarden_schemas.base import Message
from linewarden_schemas.line import LineStateRef
from linewarden_schemas.operations import Actuation
from linewarden_schemas.vocabulary import Cause, LineMode, Loss, Routing
from tests.support.shift import AT, SHA, capture, disposition, frame, inspection, visit

WITH_GATE = LineStateRef(mode=LineMode.PRODUCTION, since_ms=AT, has_gate=True)
ALL = float("inf")
NONE = float("-inf")


def book(*messages: tuple[Message, int], seen_s: float = 0.0) -> TraceBook:
    made = TraceBook("plant1")
    for message, written_ms in messages:
        made.learn(message, written_ms, seen_s)
    return made


def passed(number: int, *, gate: bool = False) -> list[tuple[Message, int]]:
    """Taken at AT, published 20 ms later, answered 150 ms and routed 210 ms after the trigger."""
    at, state = AT + number, WITH_GATE if gate else None
    return [
        (capture(number), at + 20),
        (inspection(number), at + 150),
        (disposition(number, Routing.TRUSTED_PASS, line_state=state), at + 210),
    ]


def acted(number: int) -> tuple[Message, int]:
    act = Actuation(visit_id=visit(number), intended=Routing.TRUSTED_PASS, at_ms=AT + number + 900, output_id="gate")
    return act, AT + number + 901


def times(trace: VisitTrace) -> dict[str, tuple[int, int]]:
    begin = trace.spans[0].start_ms
    return {f"{one.service}: {one.name}": (one.start_ms - begin, one.end_ms - begin) for one in trace.spans}


def test_each_service_has_its_share_of_the_time_from_trigger_to_output() -> None:
    (trace,) = book(*passed(0, gate=True), acted(0)).over(NONE)
    assert times(trace) == {
        "line: visit": (0, 900),
        "ingest: capture top": (0, 20),
        "inspect: inspect top": (20, 150),
        "route: route": (150, 210),
        "onward: output": (210, 900),
    }
    assert trace.spans[0].attributes["visit_id"] == visit(0)
    assert trace.spans[2].attributes["bundle_digest"] == SHA
    assert trace.spans[3].events == (("decided", AT + 200), ("due", trace.spans[3].events[1][1]))


def test_nothing_is_told_of_what_was_thought_of_a_part() -> None:
    held = [(inspection(0, p=0.99), AT + 150), (disposition(0, Routing.DIVERTED, Cause.LOW_TRUST), AT + 210)]
    (diverted,) = book((capture(0), AT + 20), *held).over(ALL)
    (good,) = book(*passed(0)).over(ALL)
    assert asdict(diverted) == asdict(good)


def test_a_visit_waits_for_its_gate_alone_where_there_is_one() -> None:
    assert not list(book(*passed(0, gate=True)).over(NONE))
    assert len(list(book(*passed(0)).over(NONE))) == 1


def test_a_picture_that_was_lost_is_not_waited_for() -> None:
    lost = disposition(0, Routing.DIVERTED, Cause.NOT_DECIDABLE, views=())
    (trace,) = book((capture(0, lost=Loss.CAMERA_FAULT), AT + 20), (lost, AT + 300)).over(NONE)
    assert "inspect: inspect top" not in times(trace)


def test_a_visit_of_which_nothing_comes_any_more_is_told_as_far_as_it_went_and_counted() -> None:
    made = book((capture(0), AT + 20), seen_s=5.0)
    assert not list(made.over(4.0))
    (trace,) = made.over(5.0)
    assert times(trace) == {"line: visit": (0, 20), "ingest: capture top": (0, 20)}
    assert made.cut_short == 1


def test_a_visit_is_told_once_and_what_comes_later_is_counted() -> None:
    made = book(*passed(0))
    assert len(list(made.over(NONE))) == 1
    made.learn(inspection(0), AT + 5_000, 9.0)
    made.learn(disposition(0, Routing.TRUSTED_PASS, revision=1), AT + 6_000, 9.0)
    assert not list(made.over(ALL))
    assert made.late_records == 1, "a revision is what people did, and not late"


def test_whoever_tells_a_visit_gives_it_the_same_ids() -> None:
    (one,), (again,) = (list(book(*passed(0), *more).over(ALL)) for more in ((), passed(0)))
    (other,) = book(*passed(1)).over(ALL)
    assert [one.trace_id, *map(one.span_id, one.spans)] == [again.trace_id, *map(again.span_id, again.spans)]
    assert one.trace_id != other.trace_id
    assert len({one.span_id(span) for span in one.spans}) == len(one.spans)


def test_two_pictures_of_one_view_are_two_spans() -> None:
    again = capture(0, frame_id=f"{frame(0)}x", sequence=7)
    (trace,) = book(*passed(0), (again, AT + 30)).over(ALL)
    assert len({trace.span_id(span) for span in trace.spans}) == len(trace.spans) == 5


def test_a_camera_whose_clock_is_ahead_makes_no_span_that_ends_before_it_begins() -> None:
    ahead = capture(0, captured_ms=AT + 400)
    (trace,) = book((ahead, AT + 20), *passed(0)[1:]).over(ALL)
    assert all(one.end_ms >= one.start_ms for one in trace.spans)


def test_a_share_is_always_of_the_same_visits() -> None:
    found = [trace for number in range(400) for trace in book(*passed(number)).over(ALL)]
    drawn = [one.is_drawn(0.25) for one in found]
    assert 60 < sum(drawn) < 140
    assert all(one.is_drawn(1.0) for one in found)
    assert not any(one.is_drawn(0.0) for one in found)
    assert all(one.is_drawn(0.5) for one, is_drawn in zip(found, drawn, strict=True) if is_drawn)
