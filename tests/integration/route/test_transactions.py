"""What fails in a transaction, and what readers see of it: nothing, or everything once."""

import pytest

from linewarden_route.router import Router
from linewarden_route.settings import RouterLimits
from linewarden_route.writing import Writer
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import AssignmentNotAligned, BrokerUnavailable, Fenced, TransactionFailed
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import GroupSnapshot, InRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.faults import Fault
from linewarden_schemas.vocabulary import Routing
from tests.support.reading import visible, write
from tests.support.route_line import Member, RouteLine, turn_until, turn_until_owned


@pytest.fixture
def line() -> RouteLine:
    return RouteLine(MemoryBroker(ManualClock()), "line1")


def memory(line: RouteLine) -> MemoryBroker:
    assert isinstance(line.broker, MemoryBroker)
    return line.broker


@pytest.mark.parametrize(
    "fault", [Fault.SEND, Fault.OFFSETS, Fault.COMMIT_LOST, Fault.DIED, Fault.PENDING, Fault.FORGOTTEN]
)
def test_a_visit_is_routed_once_whatever_fails_in_its_transaction(line: RouteLine, fault: Fault) -> None:
    router = line.router()
    turn_until_owned(line, router)
    memory(line).faults.order(fault, fault)
    line.capture("v1")
    line.inspect("v1", suspicion=0.9)
    turn_until(lambda: bool(line.dispositions()), router)
    for _ in range(3):
        router.step()
    (routed,) = line.dispositions()
    assert routed.routing is Routing.DIVERTED
    assert len(line.slots()) == 1


def test_a_timer_is_run_again_after_its_transaction_failed(line: RouteLine) -> None:
    router = line.router()
    turn_until_owned(line, router)
    line.capture("v1")
    turn_until(lambda: bool(line.read("route-state")), router)
    memory(line).faults.order(Fault.SEND)
    line.pass_time(10_000)
    turn_until(lambda: bool(line.dispositions()), router)
    assert len(line.dispositions()) == 1


def test_an_identity_that_cannot_be_had_is_asked_for_again(line: RouteLine) -> None:
    memory(line).faults.order(Fault.INIT, Fault.INIT)
    router = line.router()
    turn_until_owned(line, router)
    assert router.partitions == {0, 1}


@pytest.mark.parametrize("failed", range(1, 4))
def test_nothing_that_was_polled_before_a_partition_could_be_opened_is_passed_over(failed: int) -> None:
    line = RouteLine(MemoryBroker(ManualClock()), "line1")
    visits = [f"v{number}" for number in range(12)]
    line.whole_visits(*visits)
    memory(line).faults.order(*[Fault.INIT] * failed)
    router = line.router(limits=RouterLimits(gather_s=0.0, idle_poll_s=0.0, backoff_s=0.0, max_records=3))
    for _ in range(40):
        router.step()
    assert sorted(one.visit_id for one in line.dispositions()) == sorted(visits)


def test_what_is_polled_between_generations_is_read_again(line: RouteLine) -> None:
    router = line.router()
    turn_until_owned(line, router)
    line.capture("v1")
    evicted = _evicting_after_a_poll(line, router)
    turn_until(lambda: bool(evicted), router)
    line.inspect("v1")
    for _ in range(10):
        router.step()
    assert [one.routing for one in line.dispositions()] == [Routing.TRUSTED_PASS]


def _evicting_after_a_poll(line: RouteLine, router: Member) -> list[int]:
    """Let the first poll that brings records be the last of its membership; the list tells when that was."""
    evicted: list[int] = []
    poll = router.consumer.poll

    def polled(timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        records = poll(timeout_s, max_records)
        if records and not evicted:
            evicted.append(len(records))
            memory(line).evict("line1.route")
        return records

    router.consumer.poll = polled  # type: ignore[method-assign]
    return evicted


def test_offsets_that_a_dead_owner_left_pending_are_freed_by_its_heir(line: RouteLine) -> None:
    group = memory(line).group("line1.route")
    group.pending[Position("line1.captures", 0)] = "line1.route-0"
    router = line.router()
    turn_until_owned(line, router)
    assert not group.pending
    line.capture("v1")
    line.inspect("v1", suspicion=0.9)
    turn_until(lambda: bool(line.dispositions()), router)


def test_offsets_that_nobody_can_free_end_the_process(line: RouteLine) -> None:
    memory(line).group("line1.route").pending[Position("line1.captures", 0)] = "another"
    with pytest.raises(BrokerUnavailable):
        turn_until(lambda: False, line.router())


def test_a_partition_that_fails_again_and_again_ends_the_process(line: RouteLine) -> None:
    router = line.router()
    turn_until_owned(line, router)
    memory(line).faults.order(*[Fault.SEND] * 8)
    line.capture("v1")
    with pytest.raises(TransactionFailed):
        turn_until(lambda: False, router)


def test_records_read_during_a_rebalance_are_read_again(line: RouteLine) -> None:
    router = line.router()
    turn_until_owned(line, router)
    line.capture("v1")
    line.inspect("v1")
    memory(line).evict("line1.route")
    turn_until(lambda: bool(line.dispositions()), router)
    assert [one.routing for one in line.dispositions()] == [Routing.TRUSTED_PASS]


def test_a_timer_only_transaction_of_a_predecessor_is_fenced(line: RouteLine) -> None:
    first = line.router()
    turn_until_owned(line, first)
    line.capture("v1")
    turn_until(lambda: bool(line.read("route-state")), first)
    heir = line.broker.transactional_producer(
        line.namespace.transactional_id(f"route-{partition_of('v1', line.partitions)}")
    )
    heir.init()
    line.pass_time(10_000)
    with pytest.raises(Fenced):
        first.step()
    assert not line.dispositions()


def test_a_routing_that_readers_see_without_its_state_is_adopted(line: RouteLine) -> None:
    """A broker may commit one part of a transaction and lose the other (KAFKA-17754)."""
    other = RouteLine(memory(line), "line2")
    elsewhere = other.router()
    line.capture("v1")
    line.inspect("v1", suspicion=0.9)
    other.capture("v1")
    other.inspect("v1", suspicion=0.9)
    turn_until(lambda: bool(other.dispositions()), elsewhere)
    number = partition_of("v1", line.partitions)
    writer = Writer(line.namespace, number)
    write(line.broker, [writer.published(other.dispositions()[0], line.clock.now_ms(), None)])
    router = line.router()
    turn_until(lambda: bool(line.slots()), router)
    for _ in range(3):
        router.step()
    assert len(line.dispositions()) == 1
    assert {slot.slot_id for slot in line.slots()} == {"v1.r0.g0"}


def test_a_final_visit_comes_back_from_the_state_without_being_decided_again(line: RouteLine) -> None:
    first = line.router()
    line.capture("v1")
    line.inspect("v1")
    turn_until(lambda: bool(line.dispositions()), first)
    first.close()
    second = line.router()
    turn_until_owned(line, second)
    line.capture("v1")
    line.inspect("v1")
    for _ in range(3):
        second.step()
    assert len(line.dispositions()) == 1


def test_a_forgotten_visit_leaves_tombstones_of_its_slots_and_state(line: RouteLine) -> None:
    router = line.router()
    line.capture("v1")
    line.inspect("v1", suspicion=0.9)
    turn_until(lambda: bool(line.slots()), router)
    line.decide("v1.r0.g0", "NG")
    turn_until(lambda: len(line.slots()) == 2, router)
    line.pass_time(20_000)
    turn_until(lambda: len(line.dispositions()) == 2, router)
    line.pass_time(86_400_000)
    router.step()
    for logical, key in (("reinspections", b"v1.r0.g0"), ("route-state", b"v1")):
        told = [one for one in visible(line.broker, line.namespace.topic(logical)) if one.key == key]
        assert told[-1].value is None


class ApartConsumer:
    """A member whose joined topics were dealt out differently."""

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[object]:
        return []

    def group(self) -> GroupSnapshot:
        return GroupSnapshot("g", "m", 1, None, stable=True)

    def assignment(self) -> frozenset[Position]:
        return frozenset({Position("line1.captures", 0), Position("line1.inspections", 1)})


class LostConsumer(ApartConsumer):
    """A member that never gets a place in its group."""

    def group(self) -> GroupSnapshot:
        return GroupSnapshot("g", "", -1, None, stable=False)


def test_who_finds_no_place_in_the_group_ends_so_that_it_can_start_anew(line: RouteLine) -> None:
    member = line.router()
    router = Router(line.broker, LostConsumer(), member.desk, line.clock)  # type: ignore[arg-type]
    router.step()
    line.pass_time(121_000)
    with pytest.raises(BrokerUnavailable):
        router.step()
    router.close()
    line.close()


def test_an_assignment_that_splits_a_visit_ends_the_process(line: RouteLine) -> None:
    member = line.router()
    router = Router(line.broker, ApartConsumer(), member.desk, line.clock)  # type: ignore[arg-type]
    with pytest.raises(AssignmentNotAligned):
        router.step()
    router.close()
    line.close()
