"""One record never stops route: what is too large, too many, too long or not its own is given up and never passes."""

from __future__ import annotations

from typing import Any

import pytest

from linewarden_route.bounds import MOST_FRAMES, MOST_GENERATIONS
from linewarden_route.positions import MOST
from linewarden_route.settings import RouterLimits
from linewarden_route.visits import Visits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import DeadLetterCapExceeded
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import MOST_MS
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.topics import CATALOGUE
from linewarden_schemas.vocabulary import Cause, Routing, Verdict
from tests.support.reading import visible
from tests.support.route_line import Member, RouteLine, turn_until_owned
from tests.unit.route.builders import make_capture

QUICK = RouterLimits(gather_s=0.0, idle_poll_s=0.0, backoff_s=0.0)


def line(max_record_bytes: int = 16 << 20, **recipe: Any) -> RouteLine:
    broker = MemoryBroker(ManualClock(1_700_000_000_000), max_record_bytes)
    return RouteLine(broker, "line1", 1, static=False, **recipe)


def memory(of: RouteLine) -> MemoryBroker:
    assert isinstance(of.broker, MemoryBroker)
    return of.broker


def turned(member: Member, times: int = 8) -> Member:
    for _ in range(times):
        member.step()
    return member


def dead(of: RouteLine) -> list[DeadLetter]:
    return [message for message in of.read("dead-letters") if isinstance(message, DeadLetter)]


def visits(member: Member) -> Visits:
    (lane,) = member._lanes.values()
    return lane._visits


def test_a_visit_id_that_is_used_without_end_diverts_and_its_state_keeps_its_bound() -> None:
    at = line()
    now_ms = at.clock.now_ms()
    for number in range(600):
        at.send("v1", [make_capture("top", "v1", at_ms=now_ms, frame_id=f"v1.top.1-{number:x}")])
    at.whole_visits("v2")
    member = turned(at.router(limits=QUICK))
    at.pass_time(10_000)
    turned(member)
    assert [one.routing for one in at.dispositions("v2")] == [Routing.TRUSTED_PASS]
    (routed,) = at.dispositions("v1")
    assert routed.routing is Routing.DIVERTED
    assert any("frames name this visit" in reason for reason in routed.reasons)
    assert len(routed.views) == MOST_FRAMES
    assert [letter.cause for letter in dead(at)] == ["too-many-frames"] * (600 - MOST_FRAMES)
    sizes = [len(record.value or b"") for record in visible(at.broker, "line1.route-state")]
    assert max(sizes) < CATALOGUE["route-state"].max_record_bytes / 4


def test_a_pass_whose_visit_id_is_used_without_end_is_revised_with_an_alarm_once() -> None:
    at = line()
    at.whole_visits("v1")
    member = turned(at.router(limits=QUICK))
    now_ms = at.clock.now_ms()
    for number in range(3 * MOST_FRAMES):
        at.send("v1", [make_capture("top", "v1", at_ms=now_ms, frame_id=f"v1.top.1-{number:x}")])
    turned(member)
    assert at.dispositions("v1")[0].routing is Routing.TRUSTED_PASS
    assert at.dispositions("v1")[-1].alarm is not None
    assert len(at.dispositions("v1")) <= 3


@pytest.mark.parametrize("length", [114, 123, 128])
def test_a_visit_id_from_which_no_slot_id_can_be_made_is_a_dead_letter(length: int) -> None:
    at = line()
    name = "v" * length
    at.send(name, [make_capture("top", name, frame_id="f", at_ms=at.clock.now_ms())])
    at.whole_visits("v1")
    turned(at.router(limits=QUICK))
    assert [(letter.cause, letter.key) for letter in dead(at)] == [("bad-id", name.encode())]
    assert [one.visit_id for one in at.dispositions()] == ["v1"]


def test_strays_beyond_the_cap_stop_route_and_each_start_gets_further() -> None:
    at = line()
    for number in range(120):
        memory(at).append(OutRecord("line1.captures", b"v1", b"stray %d" % number, (), 0))
    at.whole_visits("v1")
    stops = 0
    while not at.dispositions():
        assert stops < 5
        member = at.router(limits=QUICK)
        try:
            turned(member)
        except DeadLetterCapExceeded:
            stops += 1
        member.close()
    assert stops == 2
    assert len({letter.source.offset for letter in dead(at)}) == 120


@pytest.mark.parametrize("logical", ["route-state", "dispositions", "reinspections"])
@pytest.mark.parametrize("value", [b"no JSON", b"{}"])
def test_a_stray_in_a_topic_of_its_own_is_a_dead_letter_and_the_restore_goes_on(logical: str, value: bytes) -> None:
    at = line()
    at.whole_visits("v1", suspicion=0.9)
    turned(at.router(limits=QUICK)).close()
    memory(at).append(OutRecord(f"line1.{logical}", b"\xff", value, (("ce_type", b"other"),), 0))
    memory(at).append(OutRecord(f"line1.{logical}", None, value, (), 0))
    member = at.router(limits=QUICK)
    turn_until_owned(at, member)
    at.whole_visits("v2")
    turned(member)
    routed = [record.key for record in visible(at.broker, "line1.dispositions") if record.key in {b"v1", b"v2"}]
    assert routed == [b"v1", b"v2"]
    assert {(letter.cause, letter.source.topic) for letter in dead(at)} == {("stray", f"line1.{logical}")}


def tampered(at: RouteLine, visit: str, how: str) -> None:
    """Another last state of a visit in the topic, under its own key and headers."""
    whole = next(one for one in reversed(visible(at.broker, "line1.route-state")) if one.key == visit.encode())
    assert whole.value is not None
    values = {
        "cut off": whole.value[:-9],
        "no JSON": b"\xff\x00",
        "another's": whole.value.replace(b'"visit_id":"' + visit.encode(), b'"visit_id":"v9'),
        "no state": whole.value.replace(b'"revision":0', b'"revision":-1'),
    }
    assert values[how] != whole.value
    memory(at).append(OutRecord("line1.route-state", whole.key, values[how], whole.headers, 0))


@pytest.mark.parametrize(
    ("how", "suspicion", "is_old"),
    [
        *(
            (how, suspicion, False)
            for how in ("cut off", "no JSON", "another's", "no state")
            for suspicion in (0.1, 0.9)
        ),
        ("cut off", 0.1, True),
        ("another's", 0.1, True),
    ],
)
def test_a_state_that_cannot_be_read_is_a_dead_letter_and_its_visit_is_restored_from_what_readers_see(
    how: str, suspicion: float, is_old: bool
) -> None:
    """Of a final visit that is old enough the damage shows only when something comes for it."""
    at = line()
    at.whole_visits("v1", suspicion=suspicion)
    turned(at.router(limits=QUICK)).close()
    if is_old:
        at.whole_visits(*(f"w{number}" for number in range(MOST)))
        turned(at.router(limits=QUICK)).close()
    tampered(at, "v1", how)
    if is_old:
        for one in visible(at.broker, "line1.route-state"):
            if one.key is not None and one.key.startswith(b"w"):
                memory(at).append(OutRecord("line1.route-state", one.key, one.value, one.headers, 0))
    member = at.router(limits=QUICK)
    turn_until_owned(at, member)
    turned(member)
    at.inspect("v1", "side", verdict=Verdict.NG, frame_id="v1.side.again")
    turned(member)
    told = at.dispositions("v1")
    assert [one.revision for one in told] == [0, 1]
    assert (told[1].routing, told[1].final, bool(told[1].alarm)) == (Routing.REJECTED, False, True)
    assert {(one.cause, one.source.topic) for one in dead(at)} == {("stray", "line1.route-state")}
    at.whole_visits("v2")
    heir = at.router(limits=QUICK)
    member.close()
    turn_until_owned(at, heir)
    turned(heir)
    assert len(at.dispositions("v2")) == 1
    assert len(dead(at)) == 1, "it was replaced"


def test_a_state_that_cannot_be_read_and_of_which_readers_see_nothing_is_given_up() -> None:
    at = line()
    at.capture("v1")
    turned(at.router(limits=QUICK)).close()
    tampered(at, "v1", "cut off")
    member = at.router(limits=QUICK)
    turn_until_owned(at, member)
    at.inspect("v1")
    turned(member)
    at.pass_time(10_000)
    turned(member)
    assert [one.routing for one in at.dispositions("v1")] == [Routing.DIVERTED]


@pytest.mark.parametrize("undo_window_ms", [0, MOST_MS])
@pytest.mark.parametrize("spool_horizon_ms", [0, MOST_MS])
def test_times_of_a_recipe_that_no_message_can_carry_stop_nobody(undo_window_ms: int, spool_horizon_ms: int) -> None:
    at = line(
        review={"undo_window_ms": undo_window_ms, "slack_low_risk_ms": MOST_MS},
        time={"spool_horizon_ms": spool_horizon_ms, "commit_margin_ms": 500},
    )
    at.whole_visits("v1", suspicion=0.9)
    at.whole_visits("v2")
    member = turned(at.router(limits=QUICK))
    at.decide("v1.r0.g0")
    turned(member)
    at.pass_time(10_000)
    turned(member)
    assert at.dispositions("v1")[0].routing is Routing.DIVERTED
    assert len(at.dispositions("v2")) == 1
    heir = at.router(limits=QUICK)
    member.close()
    turn_until_owned(at, heir)


def test_what_no_topic_would_take_is_given_up_alone_and_the_rest_goes_on() -> None:
    at = line(max_record_bytes=9_000)
    now_ms = at.clock.now_ms()
    for number in range(40):
        frame = f"v1.top.1-{number:x}" + "f" * 100
        at.send("v1", [make_capture("top", "v1", at_ms=now_ms, frame_id=frame)])
    at.whole_visits("v2", "v3")
    member = turned(at.router(limits=QUICK), 150)
    assert {one.visit_id for one in at.dispositions()} >= {"v2", "v3"}
    assert {letter.cause for letter in dead(at)} == {"unwritable"}
    at.pass_time(10_000)
    turned(member)
    assert all(one.routing is Routing.DIVERTED for one in at.dispositions("v1"))


def test_decisions_that_are_refused_without_end_leave_a_bounded_state() -> None:
    at = line()
    at.whole_visits("v1", suspicion=0.9)
    member = turned(at.router(limits=QUICK))
    for number in range(2 * MOST_GENERATIONS):
        at.decide(f"v1.r0.g{number}", "OK", role="lead", covers=(), decision_id=f"d{number}")
        turned(member, 2)
    visit = visits(member).get("v1")
    assert visit is not None
    assert len(visit.slots) == MOST_GENERATIONS
    last = {record.key: record.value for record in visible(at.broker, "line1.reinspections")}
    kept = [name for name, value in last.items() if value is not None]
    assert len(kept) == MOST_GENERATIONS
    slots = [slot for slot in at.slots() if isinstance(slot, SlotOpen)]
    assert slots[-1].causes == (Cause.LOW_TRUST,)
