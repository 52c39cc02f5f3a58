"""What the loop counts, how often it tries, and where it goes back to."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from linewarden_runtime.deadletters import DeadLetterCap, DeadLetters
from linewarden_runtime.errors import (
    BrokerUnavailable,
    DeadLetterCapExceeded,
    Fenced,
    OffsetMissing,
    Poison,
    SlowDown,
    TransactionFailed,
)
from linewarden_runtime.loop import LoopLimits, TransactionalLoop
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import Fault
from linewarden_runtime.testing.consumer import MemoryConsumer
from linewarden_runtime.testing.producer import MemoryTransactionalProducer
from linewarden_schemas.ids import Namespace
from tests.unit.runtime.conftest import GROUP, IN, OUT, Echo, Line, ManualStage

LIMITS = LoopLimits(max_records=1, idle_poll_s=0.0, failures=4)


class Loop:
    """A loop with the producers that it made and the beats that it gave."""

    def __init__(
        self, line: Line, stage: ManualStage | Echo, consumer: MemoryConsumer | None = None, limits: LoopLimits = LIMITS
    ) -> None:
        self.line, self.beats = line, 0
        self.made: list[MemoryTransactionalProducer] = []
        self.consumer = consumer or line.consumer()
        parts = (self.consumer, self.make, stage, line.dead_letters)
        self.loop = TransactionalLoop(*parts, clock=line.clock, limits=limits, beat=self.beat, jitter=lambda: 0.5)

    def make(self) -> MemoryTransactionalProducer:
        self.made.append(self.line.broker.transactional_producer("line1.stage-0", [Position(OUT, 0), Position(OUT, 1)]))
        return self.made[-1]

    def beat(self) -> None:
        self.beats += 1

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.step()

    @property
    def open(self) -> list[bool]:
        return [not producer._closed for producer in self.made]


def started(
    line: Line, stage: ManualStage | Echo, consumer: MemoryConsumer | None = None, limits: LoopLimits = LIMITS
) -> Loop:
    loop = Loop(line, stage, consumer, limits)
    loop.loop.start()
    return loop


def begun_and_turned(loop: Loop) -> None:
    loop.loop.start()
    loop.turn(4)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("fault", [Fault.SEND, Fault.INIT])
def test_so_many_failures_in_a_row_end_the_loop_and_one_less_does_not(line: Line, fault: Fault) -> None:
    line.put("a", "b", "c")
    loop = Loop(line, Echo())
    for _ in range(2):
        line.broker.faults.order(*[Fault.SEND] * 3)
        begun_and_turned(loop)
    assert line.out() == [b"a", b"b"]
    assert loop.open == [False] * (len(loop.made) - 1) + [True]
    line.broker.faults.order(*[fault] * 4)
    with pytest.raises(TransactionFailed):
        begun_and_turned(loop)


def test_failures_are_followed_by_longer_and_longer_pauses_up_to_a_bound(line: Line) -> None:
    line.put("a")
    loop = started(line, Echo(), limits=replace(LIMITS, backoff_s=0.1, max_backoff_s=0.5, failures=9))
    pauses = []
    for _ in range(4):
        line.broker.faults.order(Fault.SEND)
        before = line.clock.monotonic()
        loop.turn()
        pauses.append(line.clock.monotonic() - before)
    assert pauses == pytest.approx([0.15, 0.3, 0.375, 0.375])


def test_a_stop_meanwhile_ends_a_loop_that_fails(line: Line) -> None:
    line.put("a")

    def stopping(record: InRecord) -> OutRecord:
        line.stop.set("test")
        line.broker.faults.order(Fault.SEND)
        return OutRecord(OUT, record.key, record.value)

    with pytest.raises(TransactionFailed):
        Loop(line, Echo(stopping)).loop.run(line.stop)


def test_a_run_takes_the_identity_before_it_reads_and_leaves_nothing_open(line: Line) -> None:
    line.put("a", "b")
    loop: Loop
    told: list[int] = []

    def last(record: InRecord) -> OutRecord:
        told.append(len(loop.made))
        if record.value == b"b":
            line.stop.set("test")
        return OutRecord(OUT, record.key, record.value)

    loop = Loop(line, Echo(last))
    loop.loop.run(line.stop)
    assert line.out() == [b"a", b"b"]
    assert told == [1, 1]
    assert loop.open == [False]
    assert loop.beats == 2


def test_a_stop_waits_for_work_in_flight_for_a_bounded_time_and_gives_it_up_counted(line: Line) -> None:
    line.put("a", "b")
    stage = ManualStage()
    loop = started(line, stage, limits=replace(LIMITS, drain_s=3.0, busy_wait_s=1.0))
    loop.turn()
    before = counted("linewarden_records_dropped_total", group=GROUP, cause="stopped")
    began, beats = line.clock.monotonic(), loop.beats
    line.stop.set("test")
    loop.loop.run(line.stop)
    assert line.clock.monotonic() - began == 3.0
    assert loop.beats - beats == 3
    assert stage.given[0][1].cancelled()
    assert len(stage.given) == 1
    assert counted("linewarden_records_dropped_total", group=GROUP, cause="stopped") == before + 1
    assert line.committed()[0] == 0


def test_records_read_between_two_generations_are_given_up_and_read_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.put("a", "b")
    stage = ManualStage()
    loop = started(line, stage)
    loop.turn()
    really, answers = loop.consumer.group, loop.consumer.committed
    failing = [BrokerUnavailable("the coordinator moves")]

    def committed(positions: Collection[Position]) -> dict[Position, int | None]:
        if failing:
            raise failing.pop()
        return answers(positions)

    def release(*_: object) -> None:
        raise AssertionError("without a place in the group nothing may be dropped of what is pending")

    monkeypatch.setattr(loop.consumer, "group", lambda: replace(really(), stable=False))
    monkeypatch.setattr(loop.consumer, "committed", committed)
    monkeypatch.setattr(loop.made[-1], "release_offsets", release)
    before = counted("linewarden_records_dropped_total", group=GROUP, cause="not-stable")
    began = line.clock.monotonic()
    loop.turn()
    assert line.clock.monotonic() - began >= 0.15  # it asked again after a pause
    assert counted("linewarden_records_dropped_total", group=GROUP, cause="not-stable") == before + 2
    monkeypatch.setattr(loop.consumer, "group", really)
    loop.turn(2)
    assert [record.value for records, _ in stage.given for record in records] == [b"a", b"a", b"b"]
    stage.finish(1)
    stage.finish(2)
    loop.turn()
    assert line.out() == [b"a", b"b"]


def test_a_producer_that_fails_to_free_offsets_is_replaced_and_they_are_asked_for_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.put("a")
    line.broker.group(GROUP).pending[Position(IN, 1)] = "line1.stage-0"
    loop = started(line, Echo())

    def release(*_: object) -> None:
        raise TransactionFailed("no answer")

    monkeypatch.setattr(loop.made[0], "release_offsets", release)
    loop.turn(2)
    assert loop.open == [False, True]
    assert line.clock.monotonic() > 0
    assert line.out() == [b"a"]


def test_offsets_are_asked_for_once_a_generation(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = started(line, Echo())
    answers, asked = loop.consumer.committed, []

    def committed(positions: Collection[Position]) -> dict[Position, int | None]:
        asked.append(positions)
        return answers(positions)

    monkeypatch.setattr(loop.consumer, "committed", committed)
    loop.turn(4)
    assert len(asked) == 1


def without_an_offset(monkeypatch: pytest.MonkeyPatch, consumer: MemoryConsumer, partition: int) -> None:
    """Nothing is committed of this partition."""
    really = consumer.committed

    def committed(positions: Collection[Position]) -> dict[Position, int | None]:
        return really(positions) | dict.fromkeys(it for it in positions if it.partition == partition)

    monkeypatch.setattr(consumer, "committed", committed)


def test_a_partition_that_a_rebalance_brings_need_not_have_an_offset_yet(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer, other = line.consumer(), line.consumer()
    for member in (consumer, other, consumer):
        member.poll(0)
    (mine,) = consumer.assignment()
    line.put("a", partition=mine.partition)
    stage = ManualStage()
    loop = started(line, stage, consumer)
    loop.turn()
    without_an_offset(monkeypatch, consumer, 1 - mine.partition)
    other.close()
    loop.turn(2)
    assert [record.value for records, _ in stage.given for record in records] == [b"a", b"a"]


def test_an_offset_that_is_gone_ends_the_loop_after_a_failure(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.put("a")
    loop = started(line, Echo())
    without_an_offset(monkeypatch, loop.consumer, 1)
    line.broker.faults.order(Fault.SEND)
    with pytest.raises(OffsetMissing, match="is gone"):
        loop.turn()


def test_while_work_is_in_flight_its_end_is_waited_for_and_not_records(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.put("a")
    stage = ManualStage()
    loop = started(line, stage, limits=replace(LIMITS, idle_poll_s=0.2, busy_wait_s=0.05))
    really, waits = loop.consumer.poll, []

    def poll(timeout_s: float, most: int | None = None) -> list[InRecord]:
        waits.append(timeout_s)
        return really(0.0, most)

    monkeypatch.setattr(loop.consumer, "poll", poll)
    moved = []
    for number in range(4):
        if number == 2:
            stage.finish(0)
        if number == 3:
            line.put("b")
        before = line.clock.monotonic()
        loop.turn()
        moved.append(line.clock.monotonic() - before)
    assert waits == [0.2, 0.0, 0.0, 0.2]
    assert moved == pytest.approx([0.0, 0.05, 0.0, 0.0])
    loop.turn()
    assert line.clock.monotonic() == pytest.approx(0.1)


def test_of_several_batches_the_one_that_is_too_large_is_given_up_alone(line: Line) -> None:
    line.put(*"abcdef")
    stage = ManualStage()
    loop = started(line, stage)
    loop.turn(5)

    def commits() -> float:
        return counted("linewarden_transactions_total", group=GROUP, outcome="committed")

    stage.given[1][1].set_result([OutRecord(OUT, b"k", bytes(20 << 20))])
    for number in (2, 3, 4, 0):
        stage.finish(number)
    loop.turn(9)
    assert line.out() == [b"a", b"c", b"d", b"e"]
    assert [record.key for record in line.dead()] == [f"{IN}-0-1".encode()]
    before = commits()
    line.put("g")
    stage.finish(5)
    loop.turn()
    assert commits() == before + 1
    loop.turn()
    line.put("h")
    loop.turn()
    assert [len(records) for records, _ in stage.given] == [1] * 8
    stage.finish(7)
    stage.finish(6)
    loop.turn()
    assert commits() == before + 2  # with care no longer, both in one
    assert line.out()[-3:] == [b"f", b"g", b"h"]


def test_of_two_batches_the_one_that_is_too_large_is_given_up_alone(line: Line) -> None:
    line.put("a", "b")
    stage = ManualStage()
    loop = started(line, stage)
    loop.turn(2)
    stage.given[1][1].set_result([OutRecord(OUT, b"k", bytes(20 << 20))])
    stage.finish(0)
    loop.turn(4)
    assert line.out() == [b"a"]
    assert [record.key for record in line.dead()] == [f"{IN}-0-1".encode()]


def _refuse(record: InRecord) -> OutRecord:
    if record.value == b"bad":
        raise Poison("bad-digest")
    return OutRecord(OUT, record.key, record.value)


@pytest.mark.parametrize(("values", "stops"), [(["bad"] * 4, True), (["bad", "bad", "good", "bad", "bad"], False)])
def test_dead_letters_in_a_row_are_counted_from_batch_to_batch(line: Line, values: list[str], stops: bool) -> None:
    line.dead_letters = DeadLetters("stage", Namespace("line1"), line.clock, DeadLetterCap(run=3))
    line.put(*values)
    loop = started(line, Echo(_refuse))
    try:
        loop.turn(2 * len(values) + 2)
    except DeadLetterCapExceeded:
        assert stops
    else:
        assert not stops
    assert line.committed()[0] == len(values)


def test_what_happens_to_records_is_counted(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    group = {"group": GROUP}
    outcomes = ("committed", "failed", "fenced")
    names = [
        ("linewarden_records_read_total", group),
        ("linewarden_records_done_total", group),
        ("linewarden_records_written_total", {"topic": OUT}),
        ("linewarden_slow_downs_total", group),
        ("linewarden_transaction_seconds_sum", group),
        *(("linewarden_transactions_total", group | {"outcome": outcome}) for outcome in outcomes),
    ]

    def figures() -> list[float]:
        return [counted(name, **labels) for name, labels in names]

    line.put("abc")
    line.clock.advance(100.0)
    stage = ManualStage()
    loop = started(line, stage)
    before = figures()
    loop.turn()
    assert counted("linewarden_in_flight_bytes", group=GROUP) >= 3
    stage.fail(0, SlowDown(1.0))
    loop.turn()
    line.clock.advance(1.0)
    loop.turn()
    stage.finish(1)
    really: Any = loop.made[-1].transact

    def slow(*given: object) -> object:
        line.clock.advance(2.0)
        return really(*given)

    monkeypatch.setattr(loop.made[-1], "transact", slow)
    loop.turn()
    assert counted("linewarden_in_flight_bytes", group=GROUP) == 0
    line.put("d")
    line.broker.faults.order(Fault.SEND)
    loop.turn()
    stage.finish(2)
    loop.turn()
    loop.turn()
    line.broker.transactional_producer("line1.stage-0").init()
    stage.finish(3)
    with pytest.raises(Fenced):
        loop.turn()
    assert [now - then for now, then in zip(figures(), before, strict=True)] == pytest.approx(
        [3, 1, 1, 1, 2.0, 1, 1, 1]
    )
