from collections.abc import Callable, Mapping, Sequence

import pytest
from prometheus_client import REGISTRY

from linewarden_runtime.consume import ConsumeLoop, Rebalanced
from linewarden_runtime.deadletters import DeadLetterCap, DeadLetters
from linewarden_runtime.errors import (
    BrokerUnavailable,
    CommitRefused,
    DeadLetterCapExceeded,
    DeliveryFailed,
    Poison,
    SlowDown,
)
from linewarden_runtime.loop import LoopLimits
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import Fault
from linewarden_runtime.testing.consumer import MemoryConsumer
from linewarden_runtime.testing.producer import MemoryProducer
from linewarden_schemas.ids import Namespace
from tests.unit.runtime.conftest import GROUP, IN, OUT, Line


def _copy(records: Sequence[InRecord]) -> list[OutRecord]:
    return [OutRecord(OUT, record.key, record.value) for record in records]


def _loop(
    line: Line,
    handle: Callable[[Sequence[InRecord]], Sequence[OutRecord]],
    consumer: MemoryConsumer | None = None,
    *,
    make: Callable[[], MemoryProducer] | None = None,
    most: int = 10,
    beat: Callable[[], None] = lambda: None,
) -> ConsumeLoop:
    return ConsumeLoop(
        consumer or line.consumer(),
        make or line.broker.producer,
        handle,
        line.dead_letters,
        clock=line.clock,
        limits=LoopLimits(max_records=most, idle_poll_s=0.0, failures=3),
        beat=beat,
        jitter=lambda: 0.5,
    )


def test_offsets_are_committed_after_the_outputs_are_acknowledged(line: Line) -> None:
    line.put("a", "b")
    _loop(line, _copy).step()
    assert line.out() == [b"a", b"b"]
    assert line.committed()[0] == 2


def test_a_failed_delivery_is_sent_again_by_a_new_producer(line: Line) -> None:
    line.put("a")
    line.broker.faults.order(Fault.DELIVERY)
    _loop(line, _copy).step()
    assert line.out() == [b"a"]


def test_deliveries_that_keep_failing_end_the_loop_without_a_commit(line: Line) -> None:
    line.put("a")
    line.broker.faults.order(*[Fault.DELIVERY] * 3)
    with pytest.raises(DeliveryFailed):
        _loop(line, _copy).step()
    assert line.committed()[0] == 0


def test_slow_down_waits_as_a_member_and_tries_again(line: Line) -> None:
    line.put("a")
    wishes = [SlowDown(30.0), SlowDown(30.0)]

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if wishes:
            raise wishes.pop()
        return _copy(records)

    began = line.clock.monotonic()
    _loop(line, handle).step()
    assert line.out() == [b"a"]
    assert line.clock.monotonic() - began >= 60.0


def test_what_comes_while_it_waits_is_read_afterwards(line: Line) -> None:
    line.put("a")
    wishes = [SlowDown(3.0)]

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if wishes:
            line.put("b", "c")
            line.put("d", partition=1)
            raise wishes.pop()
        return _copy(records)

    loop = _loop(line, handle)
    for _ in range(3):
        loop.step()
    assert line.clock.monotonic() == 3.0
    assert sorted(value for value in line.out() if value) == [b"a", b"b", b"c", b"d"]
    assert line.committed() == {0: 3, 1: 1}


def test_a_rebalance_while_waiting_gives_the_records_up(line: Line) -> None:
    line.put("a")

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        line.consumer().poll(0)
        raise SlowDown(5.0)

    _loop(line, handle).step()
    assert line.committed()[0] == 0


def test_records_given_up_of_a_partition_that_stays_are_read_again(line: Line) -> None:
    line.put("a")
    newcomers = [line.consumer()]

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if newcomers:
            newcomers.pop().poll(0)  # the new generation leaves partition 0 where it is
            raise SlowDown(5.0)
        return _copy(records)

    loop = _loop(line, handle)
    for _ in range(3):
        loop.step()
    assert line.out() == [b"a"]
    assert line.committed()[0] == 1


def test_what_a_rebalance_brings_while_waiting_is_not_passed_over(line: Line) -> None:
    line.put("a")
    line.put("b", partition=1)
    other = line.consumer()
    other.poll(0)

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if line.broker.group(GROUP).members.keys() >= {other.group().member}:
            other.close()  # its partition is polled by a wait that hands nothing out
            raise SlowDown(5.0)
        return _copy(records)

    loop = _loop(line, handle)
    for _ in range(4):
        loop.step()
    assert sorted(line.out()) == [b"a", b"b"]  # type: ignore[type-var]


def test_poison_becomes_a_dead_letter_and_its_neighbours_are_handled(line: Line) -> None:
    line.put("a", "bad", "b")

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if any(record.value == b"bad" for record in records):
            raise Poison("bad")
        return _copy(records)

    _loop(line, handle).step()
    assert line.out() == [b"a", b"b"]
    assert len(line.dead()) == 1
    assert line.committed()[0] == 3


def test_a_stop_ends_the_loop_without_a_commit_of_what_was_not_handled(line: Line) -> None:
    line.put("a")

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        line.stop.set("test")
        raise SlowDown(1.0)

    _loop(line, handle).run(line.stop)
    assert line.committed()[0] == 0


def test_an_unknown_error_ends_the_loop(line: Line) -> None:
    line.put("a")
    crash: Callable[[Sequence[InRecord]], list[OutRecord]] = lambda records: [1 // 0 and _copy(records)]  # type: ignore[list-item]  # noqa: E731
    with pytest.raises(ZeroDivisionError):
        _loop(line, crash).step()
    assert line.committed()[0] == 0


def test_an_output_too_large_for_its_topic_becomes_a_dead_letter_and_its_neighbours_are_handled(line: Line) -> None:
    line.put("a", "big", "b")
    huge = OutRecord(OUT, b"k", bytes(20 << 20))
    loop = _loop(line, lambda records: [huge if one.value == b"big" else _copy([one])[0] for one in records])
    loop.step()
    assert set(line.out()) == {b"a", b"b"}
    assert [letter.key for letter in line.dead()] == [f"{IN}-0-1".encode()]
    assert line.committed()[0] == 3


def test_deliveries_that_fail_less_often_are_tried_again_after_longer_and_longer_pauses(line: Line) -> None:
    line.put("a")
    made: list[MemoryProducer] = []

    def make() -> MemoryProducer:
        made.append(line.broker.producer())
        return made[-1]

    loop = _loop(line, _copy, make=make)
    line.broker.faults.order(Fault.DELIVERY, Fault.DELIVERY)
    loop.step()
    assert line.clock.monotonic() == pytest.approx((0.2 + 0.4) * 0.75)
    assert line.out() == [b"a"]
    line.stop.set("test")
    loop.run(line.stop)
    assert [producer._closed for producer in made] == [True] * 3


def test_a_commit_is_made_once_and_put_off_while_nobody_takes_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.put("a")
    consumer = line.consumer()
    loop = _loop(line, _copy, consumer)
    really, poll = consumer.commit, consumer.poll
    answers: list[Exception | None] = [BrokerUnavailable("away"), CommitRefused("moved"), None]
    asked: list[dict[Position, int]] = []

    def commit(offsets: Mapping[Position, int]) -> None:
        asked.append(dict(offsets))
        if (failure := answers.pop(0)) is not None:
            raise failure
        really(offsets)

    monkeypatch.setattr(consumer, "commit", commit)
    loop.step()
    loop.step()
    assert asked == [{Position(IN, 0): 1}] * 2
    monkeypatch.setattr(consumer, "poll", lambda *_: [])
    loop.step()  # what was given up is no longer owed: perhaps it is somebody else's now
    assert len(asked) == 2
    monkeypatch.setattr(consumer, "poll", poll)
    loop.step()
    loop.step()
    assert asked[2:] == [{Position(IN, 0): 1}]
    assert line.committed()[0] == 1


@pytest.mark.parametrize(("values", "stops"), [(["bad"] * 4, True), (["bad", "bad", "good", "bad", "bad"], False)])
def test_too_many_dead_letters_in_a_row_end_the_loop_after_they_are_committed(
    line: Line, values: list[str], stops: bool
) -> None:
    line.dead_letters = DeadLetters("stage", Namespace("line1"), line.clock, DeadLetterCap(run=3))
    line.put(*values)

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if records[0].value == b"bad":
            raise Poison("bad")
        return _copy(records)

    loop = _loop(line, handle, most=1)
    try:
        for _ in values:
            loop.step()
    except DeadLetterCapExceeded:
        assert stops
    else:
        assert not stops
    assert line.committed()[0] == len(values)


def test_what_happens_to_records_is_counted(line: Line) -> None:
    group = {"group": GROUP}
    names = [
        ("linewarden_records_read_total", group),
        ("linewarden_records_done_total", group),
        ("linewarden_records_written_total", {"topic": OUT}),
        ("linewarden_records_dropped_total", group | {"cause": "rebalance"}),
        ("linewarden_slow_downs_total", group),
    ]

    def figures() -> list[float]:
        return [REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in names]

    line.put("a", "b")
    wishes: list[Exception] = [SlowDown(5.0), Rebalanced()]
    beats: list[float] = []

    def handle(records: Sequence[InRecord]) -> list[OutRecord]:
        if wishes:
            raise wishes.pop()
        return _copy(records)

    before = figures()
    loop = _loop(line, handle, beat=lambda: beats.append(line.clock.monotonic()))
    loop.step()
    loop.step()
    assert [now - then for now, then in zip(figures(), before, strict=True)] == [4, 2, 2, 2, 1]
    assert beats == [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]
