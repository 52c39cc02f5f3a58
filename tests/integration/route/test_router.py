from collections.abc import Callable

import pytest

from linewarden_runtime.errors import Fenced
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.disposition import SlotClose, SlotOpen
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Cause, Outcome, Routing
from tests.support.reading import write
from tests.support.route_line import RouteLine, turn_until, turn_until_owned
from tests.unit.route.builders import make_capture, make_inspection

MakeLine = Callable[..., RouteLine]


def test_a_whole_visit_is_routed_once(make_line: MakeLine) -> None:
    line = make_line()
    router = line.router()
    turn_until_owned(line, router)
    for _ in range(2):
        line.capture("v1")
        line.inspect("v1")
        line.inspect("v2", suspicion=0.9)
        line.capture("v2")
    turn_until(lambda: len(line.dispositions()) == 2, router)
    assert line.dispositions("v1")[0].routing is Routing.TRUSTED_PASS
    assert line.dispositions("v2")[0].causes == (Cause.LOW_TRUST,)
    (slot,) = line.slots()
    assert isinstance(slot, SlotOpen)
    frame = slot.frames[0].inspection
    assert frame is not None
    assert frame.topic == line.namespace.topic("inspections")
    router.close()


def test_a_successor_goes_on_where_its_predecessor_stopped(make_line: MakeLine) -> None:
    line = make_line()
    first = line.router()
    turn_until_owned(line, first)
    line.capture("v1")
    turn_until(lambda: len(line.read("route-state")) > 0, first)
    first.close()
    second = line.router()
    line.inspect("v1")
    line.inspect("v1")
    turn_until(lambda: bool(line.dispositions()), second)
    (routed,) = line.dispositions()
    assert routed.routing is Routing.TRUSTED_PASS
    assert {view.view_id for view in routed.views} == {"top", "side"}
    second.close()


def test_a_visit_whose_view_never_comes_is_diverted_by_its_timer_alone(make_line: MakeLine) -> None:
    line = make_line()
    router = line.router()
    turn_until_owned(line, router)
    line.capture("v1", decide_in_ms=1_500)
    line.inspect("v1", "top", decide_in_ms=1_500)
    turn_until(lambda: len(line.read("route-state")) > 0, router)
    line.pass_time(1_500)
    turn_until(lambda: bool(line.dispositions()), router)
    (routed,) = line.dispositions()
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.LATE,))
    router.close()


def test_a_deadline_that_falls_while_nobody_routes_diverts_at_the_restore(make_line: MakeLine) -> None:
    line = make_line()
    first = line.router()
    turn_until_owned(line, first)
    deadline_ms = line.clock.now_ms() + 600
    line.capture("v1", decide_in_ms=600)
    turn_until(lambda: len(line.read("route-state")) > 0, first)
    first.close()
    line.wait_until(deadline_ms + 600)
    line.inspect("v1")
    second = line.router()
    turn_until(lambda: bool(line.dispositions()), second)
    (routed,) = line.dispositions()
    assert (routed.routing, routed.causes) == (Routing.DIVERTED, (Cause.LATE,))
    second.close()


def test_a_decision_closes_its_slot_and_becomes_the_outcome(make_line: MakeLine) -> None:
    line = make_line(review={"undo_window_ms": 300})
    router = line.router()
    line.capture("v1")
    line.inspect("v1", suspicion=0.9)
    turn_until(lambda: bool(line.slots()), router)
    line.decide("v1.r0.g0")
    turn_until(lambda: len(line.slots()) == 2, router)
    line.pass_time(300)
    turn_until(lambda: len(line.dispositions()) == 2, router)
    assert isinstance(line.slots()[1], SlotClose)
    last = line.dispositions()[-1]
    assert (last.revision, last.outcome, last.final, last.actors) == (1, Outcome.ACCEPT, True, ("ann",))
    router.close()


def test_who_lost_its_name_to_another_is_fenced_and_says_nothing_more(make_line: MakeLine) -> None:
    line = make_line()
    if not line.static:
        pytest.xfail("needs a static name to take over")
    first = line.router()
    turn_until_owned(line, first)
    line.capture("v1")
    turn_until(lambda: len(line.read("route-state")) > 0, first)
    second = line.router()
    turn_until_owned(line, second)
    line.inspect("v1")
    with pytest.raises(Fenced):
        turn_until(lambda: False, first)
    turn_until(lambda: bool(line.dispositions()), second)
    assert len(line.dispositions()) == 1
    first.close()
    second.close()


def test_records_that_cannot_be_handled_become_dead_letters_and_hold_nobody_up(make_line: MakeLine) -> None:
    line = make_line()
    router = line.router()
    turn_until_owned(line, router)
    home = partition_of("v1", line.partitions)
    write(line.broker, [OutRecord(line.namespace.topic("captures"), b"v1", b"{}", (), home)])
    write(line.broker, [OutRecord(line.namespace.topic("captures"), b"v1", None, (), home)])
    decision_topic = line.namespace.topic("decisions")
    astray = line.record("v1", make_inspection(), home)
    write(line.broker, [OutRecord(decision_topic, b"v1", astray.value, astray.headers, home)])
    line.decide("v1.r0.g0")
    line.send("v1", [make_capture(visit="v1")], partition=1 - home)
    turn_until(lambda: len(line.read("dead-letters")) == 5, router)
    letters = [message for message in line.read("dead-letters") if isinstance(message, DeadLetter)]
    causes = {"bad-envelope", "unexpected-type", "unknown-visit", "wrong-partition"}
    assert {letter.cause for letter in letters} == causes
    line.capture("v1")
    line.inspect("v1")
    turn_until(lambda: bool(line.dispositions()), router)
    assert line.dispositions()[0].routing is Routing.TRUSTED_PASS
    router.close()


def test_two_members_share_the_partitions_and_route_every_visit_once(make_line: MakeLine) -> None:
    line = make_line(partitions=4)
    first, second = line.router("0"), line.router("1")
    turn_until(lambda: len(first.partitions) == len(second.partitions) == 2, first, second)
    assert not first.partitions & second.partitions
    visits = [f"v{number}" for number in range(12)]
    for visit in visits:
        line.capture(visit)
        line.inspect(visit)
    turn_until(lambda: len(line.dispositions()) >= 12, first, second)
    assert sorted(one.visit_id for one in line.dispositions()) == sorted(visits)
    assert {one.routing for one in line.dispositions()} == {Routing.TRUSTED_PASS}
    first.close()
    second.close()


def test_an_audit_takes_the_place_of_a_diversion_that_a_predecessor_saw(
    memory_broker: MemoryBroker, namespace: str
) -> None:
    review = {"audit_share_of_passes": 1.0, "undo_window_ms": 100}
    line = RouteLine(memory_broker, namespace, partitions=1, review=review)
    first = line.router()
    turn_until_owned(line, first)
    line.whole_visits("v1", suspicion=0.9)
    turn_until(lambda: bool(line.slots()), first)
    line.decide("v1.r0.g0")
    turn_until(lambda: any(isinstance(slot, SlotClose) for slot in line.slots()), first)
    line.pass_time(200)
    turn_until(lambda: any(one.final for one in line.dispositions()), first)
    first.close()
    second = line.router()
    line.whole_visits("v2", suspicion=0.05)
    turn_until(lambda: bool(line.dispositions("v2")), second)
    real, audit = (slot for slot in line.slots() if isinstance(slot, SlotOpen))
    assert (real.causes, audit.causes) == ((Cause.LOW_TRUST,), (Cause.AUDIT,))
    assert audit.risk == real.risk
    second.close()
