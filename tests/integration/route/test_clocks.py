"""Route judges deadlines in the broker's time: whatever its clocks do, nothing late passes, what is in time does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest

from linewarden_route.writing import Writer
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import GroupSnapshot, OutRecord, Position
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_runtime.testing.producer import MemoryTransactionalProducer
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Cause, Routing
from tests.support.reading import visible
from tests.support.route_line import Member, RouteLine, turn_until, turn_until_owned

T = 1_700_000_000_000
DAY = 86_400_000


class SlowBroker(MemoryBroker):
    """A broker whose next transaction may take long: `stalls` are seconds that go by on every clock inside it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.stalls: list[float] = []
        self.is_stalled_before_writing = False
        self.unstamped_step_ms = 0
        """By how much its clock steps before what is said next, whose acknowledgement then tells no time."""
        self.clocks: list[ManualClock] = [clock]

    def transactional_producer(
        self, transactional_id: str, writes: Iterable[Position] = ()
    ) -> MemoryTransactionalProducer:
        return _Stalling(self, transactional_id, list(writes))


class _Stalling(MemoryTransactionalProducer):
    def transact(
        self,
        outputs: Iterable[OutRecord],
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> int | None:
        broker = self._broker
        assert isinstance(broker, SlowBroker)
        written = list(outputs)
        says_something = any(record.topic.endswith("dispositions") for record in written)
        seconds = broker.stalls.pop(0) if broker.stalls and says_something else 0.0
        if broker.is_stalled_before_writing:
            _advance(broker.clocks, seconds)
        if says_something and broker.unstamped_step_ms:
            truth = broker.clocks[0]
            truth.set_wall(truth.now_ms() + broker.unstamped_step_ms)
        stamp = super().transact(written, offsets, group)
        if says_something and broker.unstamped_step_ms:
            broker.unstamped_step_ms, stamp = 0, None
        if not broker.is_stalled_before_writing:
            _advance(broker.clocks, seconds)
        return stamp


def _advance(clocks: Iterable[ManualClock], seconds: float) -> None:
    for clock in clocks:
        clock.advance(seconds)


class Bench:
    """A line whose broker and cameras are right, and a route with a clock of its own."""

    def __init__(self, wrong_ms: int = 0) -> None:
        self.truth = ManualClock(T)
        self.broker = SlowBroker(self.truth)
        self.line = RouteLine(self.broker, "line1")
        self.number = 0
        self.member = self.start(wrong_ms)

    def start(self, wrong_ms: int = 0) -> Member:
        """A route on a machine of that clock, owning everything."""
        self.own = ManualClock(self.truth.now_ms() + wrong_ms)
        self.broker.clocks = [self.truth, self.own]
        self.line.clock = self.own
        member = self.line.router()
        self.line.clock = self.truth
        turn_until_owned(self.line, member)
        self.member = member
        return member

    def go(self, seconds: float, rate: float = 1.0) -> None:
        """Time goes by; route's clocks run at another rate."""
        self.truth.advance(seconds)
        self.own.advance(seconds * rate)

    def step_wall(self, ms: int) -> None:
        self.own.set_wall(self.own.now_ms() + ms)

    def part(self, *, apart_s: float = 0.0, turns: int = 1) -> str:
        """A part comes by: captured and, after a while, inspected."""
        self.number += 1
        visit = f"v{self.number}"
        self.line.capture(visit)
        self.turn(turns)
        self.go(apart_s)
        self.line.inspect(visit)
        self.turn(turns)
        return visit

    def turn(self, turns: int = 1) -> None:
        for _ in range(turns):
            self.member.step()

    def routings(self) -> list[Routing]:
        return [one.routing for one in self.line.dispositions() if one.revision == 0]

    def diverted(self) -> int:
        return self.routings().count(Routing.DIVERTED)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.line.close()


@pytest.mark.parametrize("wrong_ms", [0, 4_900, -4_900, 3_600_000, -1_500_000, 30 * DAY])
def test_a_constant_error_of_routes_clock_diverts_nothing_and_passes_nothing_late(wrong_ms: int) -> None:
    bench = Bench(wrong_ms)
    for _ in range(5):
        bench.part(apart_s=2.0)
        bench.go(1.0)
    assert bench.diverted() == 0
    late = bench.part(apart_s=10.0)
    assert [one.routing for one in bench.line.dispositions(late)] == [Routing.DIVERTED]
    assert bench.diverted() == 1
    bench.line.close()


def test_a_route_slow_by_just_less_than_the_skew_does_not_pass_a_part_after_its_deadline() -> None:
    bench = Bench(-4_900)
    visit = bench.part(apart_s=14.3)
    (routed,) = bench.line.dispositions(visit)
    assert (routed.routing, routed.causes[0]) == (Routing.DIVERTED, Cause.LATE)
    bench.line.close()


def test_a_slewed_clock_diverts_nothing(bench: Bench) -> None:
    for _ in range(60):
        bench.go(1.0)
        bench.step_wall(-100)
        bench.part(apart_s=0.5)
    assert bench.diverted() == 0


@pytest.mark.parametrize("step_ms", [-1_500_000, 1_500_000, 251, -251])
def test_a_step_passes_nothing_late_and_costs_no_part_where_the_broker_answers(bench: Bench, step_ms: int) -> None:
    late = bench.part(apart_s=0.0)
    bench.line.capture("late")
    bench.turn()
    bench.step_wall(step_ms)
    bench.turn()
    bench.go(9.0)
    bench.turn()
    bench.go(3.0)
    bench.line.inspect("late")
    bench.turn(2)
    assert [one.routing for one in bench.line.dispositions("late")] == [Routing.DIVERTED]
    for _ in range(5):
        bench.part(apart_s=1.0)
    assert bench.line.dispositions(late)[0].routing is Routing.TRUSTED_PASS
    assert bench.diverted() == 1


def test_after_a_step_everything_diverts_until_the_broker_answers_and_then_nothing_without_a_restart(
    bench: Bench,
) -> None:
    bench.part()
    bench.step_wall(-1_500_000)
    bench.line.whole_visits("a", "b", "c")
    bench.broker.faults.order(Fault.DELIVERY)
    turn_until(lambda: len(bench.routings()) == 4, bench.member)
    bench.go(2.0)
    bench.turn(2)
    for _ in range(5):
        bench.part()
    assert len(bench.routings()) == 9
    assert bench.diverted() == 3


@pytest.mark.parametrize("is_clock_set_on_waking", [True, False])
def test_a_resumed_machine_passes_nothing_that_waited_while_it_slept(
    bench: Bench, is_clock_set_on_waking: bool
) -> None:
    bench.part()
    bench.line.capture("slept")
    bench.turn()
    bench.truth.advance(3_600.0)
    if is_clock_set_on_waking:
        bench.step_wall(3_600_000)
    bench.line.inspect("slept")
    bench.turn(2)
    (routed,) = bench.line.dispositions("slept")
    assert routed.routing is Routing.DIVERTED
    for _ in range(5):
        bench.part(apart_s=1.0)
    assert bench.diverted() == 1


def test_a_quiet_line_keeps_the_brokers_time(bench: Bench) -> None:
    for _ in range(200):
        bench.go(1.0)
        bench.turn()
    bench.part()
    assert bench.diverted() == 0


@pytest.mark.parametrize("before_writing", [True, False])
def test_a_pass_whose_commit_returns_after_its_deadline_is_taken_back_with_an_alarm(
    bench: Bench, before_writing: bool
) -> None:
    """Route stops for 5 s between plan and commit, or the commit takes them."""
    bench.broker.is_stalled_before_writing = before_writing
    bench.line.capture("v")
    bench.turn()
    bench.go(6.0)
    bench.broker.stalls = [5.0]
    bench.line.inspect("v")
    bench.turn(3)
    first, second = bench.line.dispositions("v")
    assert (first.routing, first.alarm) == (Routing.TRUSTED_PASS, None)
    assert (second.revision, second.routing, second.causes) == (1, Routing.DIVERTED, (Cause.LATE,))
    assert second.alarm == "a pass became visible at or after its decide-by"
    assert [one.slot_id for one in bench.line.slots()] == ["v.r0.g0"]
    bench.turn(3)
    assert len(bench.line.dispositions("v")) == 2, "once"


def test_a_pass_that_was_acknowledged_without_its_time_waits_for_one_that_tells_of_a_step_of_the_broker(
    bench: Bench,
) -> None:
    bench.broker.unstamped_step_ms = 12_000
    visit = bench.part(apart_s=1.0)
    bench.turn()
    assert [one.revision for one in bench.line.dispositions(visit)] == [0]
    for _ in range(8):
        bench.go(1.0)
        bench.turn()
    assert [(one.revision, one.causes) for one in bench.line.dispositions(visit)][1:] == [(1, (Cause.LATE,))]


def test_a_pass_whose_commit_is_slow_but_in_time_stays(bench: Bench) -> None:
    bench.broker.stalls = [5.0]
    bench.part()
    bench.turn(3)
    assert [one.revision for one in bench.line.dispositions()] == [0]


@pytest.fixture
def owner_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner that does not say which of its passes nobody has seen in time, as the version before."""
    said = Writer.read_to
    monkeypatch.setattr(Writer, "read_to", lambda writer, offsets, said_from, _=(): said(writer, offsets, said_from))


@pytest.mark.usefixtures("owner_of_before")
def test_a_pass_whose_commit_got_no_answer_is_taken_back_where_it_may_have_been_too_late(bench: Bench) -> None:
    bench.line.capture("v")
    bench.turn()
    bench.go(6.0)
    bench.broker.stalls = [5.0]
    bench.broker.is_stalled_before_writing = True
    bench.broker.faults.order(Fault.COMMIT_LOST)
    bench.line.inspect("v")
    bench.turn(3)
    assert [one.revision for one in bench.line.dispositions("v")] == [0, 1]


@pytest.mark.usefixtures("owner_of_before")
def test_an_heir_takes_back_a_pass_that_lies_behind_its_deadline(bench: Bench) -> None:
    bench.broker.is_stalled_before_writing = True
    bench.line.capture("v")
    bench.turn()
    bench.go(6.0)
    bench.broker.stalls = [5.0]
    bench.line.inspect("v")
    bench.turn()
    assert [one.revision for one in bench.line.dispositions("v")] == [0]
    bench.member.close()
    heir = bench.start()
    turn_until(lambda: len(bench.line.dispositions("v")) == 2, heir)
    again = bench.line.dispositions("v")[1]
    assert (again.routing, again.causes) == (Routing.DIVERTED, (Cause.LATE,))


def test_an_heir_takes_back_a_pass_whose_owner_was_killed_before_it_could(bench: Bench) -> None:
    """The record was appended in time, and the commit came back after the deadline: the log alone does not tell."""
    bench.line.capture("v")
    bench.turn()
    bench.go(6.0)
    bench.broker.stalls = [5.0]
    bench.line.inspect("v")
    bench.turn()
    assert [one.revision for one in bench.line.dispositions("v")] == [0]
    heir = bench.start()
    turn_until(lambda: len(bench.line.dispositions("v")) == 2, heir)
    again = bench.line.dispositions("v")[1]
    assert (again.routing, again.causes) == (Routing.DIVERTED, (Cause.LATE,))
    assert again.alarm
    bench.start()
    bench.turn(3)
    assert len(bench.line.dispositions("v")) == 2, "once"


def test_an_heir_believes_a_pass_that_its_owner_saw_in_time(bench: Bench) -> None:
    for visit in ("v1", "v2", "v3"):
        bench.line.whole_visits(visit)
        bench.turn()
        bench.go(1.0)
    bench.turn()
    bench.go(3_600.0)
    bench.start()
    bench.turn(3)
    assert [one.revision for one in bench.line.dispositions()] == [0, 0, 0]


def test_who_leaves_says_that_its_last_passes_were_seen_in_time(bench: Bench) -> None:
    bench.line.whole_visits("v")
    bench.turn()
    stop = Stop()
    stop.set("the shift is over")
    bench.member.run(stop)
    bench.go(3_600.0)
    bench.start()
    bench.turn(3)
    assert [one.revision for one in bench.line.dispositions()] == [0]


def test_an_heir_that_comes_before_the_deadline_believes_the_last_pass(bench: Bench) -> None:
    bench.line.whole_visits("v")
    bench.turn()
    bench.go(5.0)
    bench.start()
    bench.turn(3)
    bench.go(60.0)
    bench.turn(3)
    bench.start()
    bench.turn(3)
    assert [one.revision for one in bench.line.dispositions()] == [0]


@pytest.mark.parametrize("wrong_ms", [2 * DAY, -2 * DAY, 30 * DAY])
def test_a_restore_adopts_what_is_visible_whatever_the_clock_of_the_heir_says(wrong_ms: int) -> None:
    bench = Bench()
    number = partition_of("v", bench.line.partitions)
    bench.broker.faults.torn = lambda written: [place for place in written if place.topic.endswith("dispositions")]
    bench.line.capture("v")
    bench.turn()
    bench.broker.faults.order(Fault.TORN, Fault.INIT)
    bench.line.inspect("v")
    bench.turn()
    bench.member.close()
    assert [one.revision for one in bench.line.dispositions("v")] == [0]
    bench.start(wrong_ms)
    bench.turn(3)
    assert [one.revision for one in bench.line.dispositions("v")] == [0]
    assert number in bench.member.partitions
    bench.line.close()


def test_visits_that_waited_while_no_route_ran_are_all_routed_and_divert() -> None:
    bench = Bench()
    bench.part()
    bench.member.close()
    bench.line.whole_visits("a", "b", "c")
    bench.truth.advance(3 * DAY / 1000)
    bench.start()
    bench.turn(3)
    assert {one.visit_id: one.routing for one in bench.line.dispositions() if one.visit_id in "abc"} == dict.fromkeys(
        "abc", Routing.DIVERTED
    )
    assert not bench.line.read("dead-letters")
    bench.line.close()


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_is_sent_again_after_its_visit_was_forgotten_begins_none_though_nobody_checked_its_clock(
    bench: Bench, is_restarted: bool
) -> None:
    def tell(visit: str, number: int) -> None:
        for view in ("top", "side"):
            frame = f"{visit}.{view}.1-{number:x}"
            bench.line.capture(visit, view, frame_id=frame, sequence=number)
            bench.line.inspect(visit, view, frame_id=frame)
        bench.turn(2)

    tell("v1", 7)
    bench.go(2 * DAY / 1000)
    bench.turn(3)
    if is_restarted:
        bench.start()
    tell("v1", 7)
    bench.go(20.0)
    bench.turn(3)
    assert [one.routing for one in bench.line.dispositions("v1")] == [Routing.TRUSTED_PASS]
    letters = [one for one in bench.line.read("dead-letters") if isinstance(one, DeadLetter)]
    assert sorted(one.cause for one in letters) == ["late-capture"] * 2 + ["late-inspection"] * 2
    tell("v2", 8)
    assert [one.routing for one in bench.line.dispositions("v2")] == [Routing.TRUSTED_PASS]


def test_the_number_of_a_known_bad_is_none_of_its_cameras(bench: Bench) -> None:
    def tell(visit: str) -> None:
        for view in ("top", "side"):
            bench.line.capture(visit, view, frame_id=f"{visit}.{view}.1-7", sequence=7)
            bench.line.inspect(visit, view, frame_id=f"{visit}.{view}.1-7")
        bench.turn(2)

    same = next(f"kb{n}" for n in range(30) if partition_of(f"kb{n}", 2) == partition_of("v1", 2))
    tell("v1")
    bench.go(2 * DAY / 1000)
    bench.turn(3)
    for view in ("top", "side"):
        # Its frame's id looks like the camera's; its epoch and number are of its own run.
        bench.line.capture(same, view, frame_id=f"{same}.{view}.1-8", sequence=0, spool_epoch=2**41, known_bad=True)
    bench.turn(3)
    tell("v1")
    assert [one.routing for one in bench.line.dispositions("v1")] == [Routing.TRUSTED_PASS]
    letters = [one for one in bench.line.read("dead-letters") if isinstance(one, DeadLetter)]
    assert sorted(one.cause for one in letters) == ["late-capture"] * 2 + ["late-inspection"] * 2


@pytest.mark.parametrize("records", ["captures", "inspections"])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_record_that_came_after_those_that_followed_it_has_its_visit_and_diverts(
    bench: Bench, is_restarted: bool, records: str
) -> None:
    """As where its first delivery failed; nobody had checked the camera's clock."""

    def tell(visit: str, number: int, kinds: str, **times: int) -> None:
        for view in ("top", "side"):
            frame = f"{visit}.{view}.1-{number:x}"
            if "captures" in kinds:
                bench.line.capture(visit, view, frame_id=frame, sequence=number, **times)
            if "inspections" in kinds:
                bench.line.inspect(visit, view, frame_id=frame, **times)
        bench.turn(2)

    here = [f"v{n}" for n in range(8, 30) if partition_of(f"v{n}", 2) == partition_of("v7", 2)]
    captured_ms = bench.truth.now_ms()
    tell(here[0], 8, "captures and inspections")
    bench.go(3_600.0)
    tell(here[1], 9, "captures and inspections")
    if is_restarted:
        bench.start()
    tell("v7", 7, records, at_ms=captured_ms)
    bench.go(20.0)
    bench.turn(3)
    assert [one.routing for one in bench.line.dispositions("v7")] == [Routing.DIVERTED]
    assert bench.line.read("dead-letters") == []


def test_a_probe_is_nothing_to_whoever_reads_the_state(bench: Bench) -> None:
    bench.go(10.0)
    bench.turn()
    probes = [record for record in visible(bench.broker, "line1.route-state") if record.key == b"clock:probe"]
    assert probes
    assert all(record.value is None for record in probes)
    bench.start()
    assert not bench.line.read("dead-letters")


def test_without_append_times_the_one_clock_of_the_machine_counts_and_is_guarded() -> None:
    clock = ManualClock(T)
    broker = MemoryBroker(clock, append_time=False)
    line = RouteLine(broker, "line1")
    member = line.router()
    turn_until_owned(line, member)
    line.whole_visits("good")
    member.step()
    line.capture("skewed", at_ms=T + 5_001, decide_by_ms=T + 15_001)
    line.inspect("skewed", at_ms=T + 5_001, decide_by_ms=T + 15_001)
    line.capture("late")
    member.step()
    clock.set_wall(T - 1_500_000)
    clock.advance(11.0)
    line.inspect("late", at_ms=T, decide_by_ms=T + 10_000)
    member.step()
    found = {one.visit_id: one.routing for one in line.dispositions()}
    assert found == {"good": Routing.TRUSTED_PASS, "skewed": Routing.DIVERTED, "late": Routing.DIVERTED}
    clock.advance(30.0)
    member.step()
    line.whole_visits("after")
    member.step()
    assert line.dispositions("after")[0].routing is Routing.TRUSTED_PASS
    line.close()
