"""The checks of a history can fail: each thing that goes wrong in one that held is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.envelope import decode
from tests.simulation import history
from tests.simulation.checks import at_rest, in_the_end
from tests.simulation.faults import inject
from tests.simulation.line import NAMESPACE, Line
from tests.simulation.plan import ALL_KINDS, FaultAt, Plan, Truth, Visit
from tests.simulation.total import MILLION, Total

OK, DOUBTFUL = Truth.OK, Truth.DOUBTFUL
PLAN = Plan(1, (Visit(1, 1.0, (OK, OK)), Visit(2, 3.0, (OK, DOUBTFUL))), (), {}, is_short=True)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    """A line after a history without faults."""
    made: list[Line] = []

    def make(*arguments: object) -> Line:
        made.append(Line(*arguments))  # type: ignore[arg-type]
        return made[0]

    monkeypatch.setattr(history, "Line", make)
    assert not history.happen(PLAN).wrong
    return made[0]


def drop(line: Line, topic: str, which: Callable[[InRecord], bool] = lambda _: True) -> None:
    """The first record of a topic was never written."""
    written = line.broker.written[NAMESPACE.topic(topic)]
    written.remove(next(one for one in written if one[0].value is not None and which(one[0])))


def is_no_beat(record: InRecord) -> bool:
    return not isinstance(decode(record.headers, record.value).message, CameraHeartbeat)


def test_a_capture_an_answer_a_routing_and_a_decision_that_are_missing_are_named(line: Line) -> None:
    for topic in ("captures", "inspections", "dispositions", "decisions"):
        before = list(line.broker.written[NAMESPACE.topic(topic)])
        drop(line, topic, is_no_beat)
        assert in_the_end(line), topic
        line.broker.written[NAMESPACE.topic(topic)] = before
    assert not in_the_end(line)


def test_a_pass_of_a_bad_part_is_named(line: Line) -> None:
    good, other = line.plan.visits
    line.plan = replace(line.plan, visits=(replace(good, truths=(OK, Truth.NG)), other))
    assert any("passed with ['ng']" in wrong for wrong in in_the_end(line))


def test_partitions_that_nobody_owns_are_named(line: Line) -> None:
    line.routers.clear()
    assert any("owned by route" in wrong for wrong in at_rest(line))


def test_retention_takes_old_frames_that_inspect_has_committed_and_no_others(line: Line) -> None:
    frames = NAMESPACE.topic("frames")
    logs = [line.broker.log(Position(frames, number)) for number in range(line.broker.count(frames))]
    log = next(log for log in logs if log.end)
    line.world.now += 100.0
    offsets = line.broker.group(NAMESPACE.group("inspect")).offsets
    for committed in (0, 1, log.end):
        offsets[log.position] = committed
        inject(line, FaultAt(0.0, "deletion of frames", 1))
        assert log.start == committed


def test_a_kind_of_fault_that_was_rare_in_a_million_steps_is_named() -> None:
    total = Total(steps=Counter(record=MILLION), faults=Counter(dict.fromkeys(ALL_KINDS, 1_000)))
    assert not total.rare()
    total.faults["crash"] = 999
    assert total.rare() == ["crash happened less than 1000 times"]
    total.steps["record"] -= 1
    assert not total.rare()
