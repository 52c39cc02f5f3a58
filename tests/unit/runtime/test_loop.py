import pytest

from linewarden_runtime.deadletters import DeadLetterCap, DeadLetters
from linewarden_runtime.errors import (
    BrokerUnavailable,
    DeadLetterCapExceeded,
    Fenced,
    Poison,
    SlowDown,
    TransactionFailed,
)
from linewarden_runtime.loop import LoopLimits, TransactionalLoop
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import Fault
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import DeadLetter
from tests.unit.runtime.conftest import GROUP, IN, OUT, Echo, Line, ManualStage


def _turn(loop: TransactionalLoop, times: int) -> None:
    for _ in range(times):
        loop.step()


def test_results_and_offsets_are_published_together(line: Line) -> None:
    line.put("a", "b")
    loop = line.loop(Echo())
    loop.step()
    assert line.out() == [b"a", b"b"]
    assert line.committed()[0] == 2


def test_reading_goes_on_while_work_is_in_flight(line: Line) -> None:
    line.put("a", "b", "c", "d")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    loop.step()
    assert [len(records) for records, _ in stage.given] == [2, 2]
    assert line.out() == []


def test_batches_are_published_in_the_order_they_were_read(line: Line) -> None:
    line.put("a", "b", "c", "d")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    loop.step()
    stage.finish(1)
    loop.step()
    assert line.out() == []
    stage.finish(0)
    loop.step()
    assert line.out() == [b"a", b"b", b"c", b"d"]


def test_only_the_offsets_of_published_records_are_committed(line: Line) -> None:
    line.put("a", "b", "c", "d")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    loop.step()
    stage.finish(0)
    loop.step()
    assert line.committed()[0] == 2


def test_a_full_flight_pauses_and_polls_on_until_there_is_room(line: Line) -> None:
    line.put(*"abcdef")
    stage = ManualStage()
    consumer = line.consumer()
    loop = line.loop(stage, consumer=consumer, limits=LoopLimits(max_records=2, max_batches=2, idle_poll_s=0.0))
    for _ in range(4):
        loop.step()
    assert len(stage.given) == 2
    assert consumer.paused() == consumer.assignment()
    stage.finish(0)
    loop.step()
    loop.step()
    assert len(stage.given) == 3
    assert consumer.paused() == frozenset()


def test_bytes_in_flight_are_bounded_too(line: Line) -> None:
    line.put("x" * 100, "y" * 100, "z" * 100)
    stage = ManualStage()
    loop = line.loop(stage, limits=LoopLimits(max_records=1, max_bytes=150, idle_poll_s=0.0))
    for _ in range(5):
        loop.step()
    assert len(stage.given) == 2


@pytest.mark.parametrize(
    "fault", [Fault.SEND, Fault.OFFSETS, Fault.COMMIT_LOST, Fault.DIED, Fault.PENDING, Fault.FORGOTTEN]
)
def test_whatever_fails_in_a_transaction_every_record_is_published_once(line: Line, fault: Fault) -> None:
    line.put("a", "b", "c")
    line.broker.faults.order(fault)
    loop = line.loop(Echo())
    for _ in range(6):
        loop.step()
    assert line.out() == [b"a", b"b", b"c"]
    assert line.committed()[0] == 3


def test_a_lost_answer_to_init_is_retried_with_a_new_producer(line: Line) -> None:
    line.put("a")
    line.broker.faults.order(Fault.INIT, Fault.INIT)
    loop = line.loop(Echo())
    loop.step()
    assert line.out() == [b"a"]


def test_offsets_that_a_predecessor_left_pending_are_freed_before_the_partition_stands_still(line: Line) -> None:
    line.put("a")
    line.broker.group(GROUP).pending[Position(IN, 1)] = "line1.stage-0"
    loop = line.loop(Echo())
    _turn(loop, 2)
    assert not line.broker.group(GROUP).pending
    assert line.out() == [b"a"]


def test_offsets_that_another_identity_left_pending_end_the_loop_loudly(line: Line) -> None:
    line.broker.group(GROUP).pending[Position(IN, 1)] = "line1.stage-1"
    loop = line.loop(Echo())
    with pytest.raises(BrokerUnavailable):
        _turn(loop, 2)


def test_too_many_failures_in_a_row_end_the_loop(line: Line) -> None:
    line.put("a")
    loop = line.loop(Echo())
    line.broker.faults.order(*[Fault.SEND] * 9)
    with pytest.raises(TransactionFailed):
        _turn(loop, 20)
    assert line.out() == []


def test_a_fenced_loop_ends_and_publishes_nothing(line: Line) -> None:
    line.put("a")
    loop = line.loop(Echo())
    heir = line.broker.transactional_producer("line1.stage-0")
    heir.init()
    with pytest.raises(Fenced):
        loop.step()
    assert line.out() == []


def test_work_of_a_static_member_that_was_taken_over_is_not_committed(line: Line) -> None:
    line.put("a")
    stage = ManualStage()
    zombie = line.loop(stage, consumer=line.consumer("s-0"))
    zombie.step()
    heir = line.consumer("s-0")
    heir.poll(0)
    stage.finish(0)
    with pytest.raises(Fenced):
        zombie.step()
    assert line.out() == []


def test_a_rebalance_drops_what_is_in_flight_and_reads_it_again(line: Line) -> None:
    line.put("a", "b")
    line.put("c", "d", partition=1)
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    loop.step()
    assert len(stage.given) == 2
    other = line.consumer()
    other.poll(0)
    for _ in range(3):
        loop.step()
    stage.given[0][1].cancel()
    again = [record.partition for records, _ in stage.given[2:] for record in records]
    assert again == [0, 0]
    stage.finish(2)
    loop.step()
    assert line.out() == [b"a", b"b"]
    assert line.committed() == {0: 2, 1: 0}


def test_work_finished_after_an_eviction_is_not_committed(line: Line) -> None:
    line.put("a")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    line.broker.evict("line1.stage")
    stage.finish(0)
    loop.step()
    assert line.out() == []
    loop.step()
    stage.finish(1)
    loop.step()
    assert line.out() == [b"a"]


def test_slow_down_keeps_the_records_and_tries_them_again(line: Line) -> None:
    line.put("a")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    stage.fail(0, SlowDown(5.0))
    loop.step()
    assert len(stage.given) == 1
    line.clock.advance(5.0)
    loop.step()
    stage.finish(1)
    loop.step()
    assert line.out() == [b"a"]
    assert line.dead() == []


def _refuse_bad(record: InRecord) -> OutRecord:
    if record.value == b"bad":
        raise Poison("bad-digest", "the picture changed on its way")
    return OutRecord(OUT, record.key, record.value)


def test_poison_is_found_in_its_batch_and_dead_lettered_in_the_same_transaction(line: Line) -> None:
    line.put("a", "bad", "b")
    loop = line.loop(Echo(_refuse_bad), limits=LoopLimits(max_records=3, idle_poll_s=0.0))
    for _ in range(4):
        loop.step()
    assert line.out() == [b"a", b"b"]
    assert line.committed()[0] == 3
    (letter,) = line.dead()
    message = decode(letter.headers, letter.value).message
    assert isinstance(message, DeadLetter)
    assert (message.cause, message.source.topic, message.source.offset) == ("bad-digest", IN, 1)
    assert message.value == b"bad"


def test_a_named_culprit_is_taken_out_without_trying_one_by_one(line: Line) -> None:
    line.put("a", "bad", "b")
    stage = ManualStage()
    loop = line.loop(stage, limits=LoopLimits(max_records=3, idle_poll_s=0.0))
    loop.step()
    stage.fail(0, Poison("bad-digest", record=stage.given[0][0][1]))
    loop.step()
    assert [[r.value for r in records] for records, _ in stage.given[1:]] == [[b"a"], [b"b"]]


def test_too_many_dead_letters_in_a_row_stop_the_loop_and_whoever_starts_it_again_gets_further(line: Line) -> None:
    line.put(*["bad"] * 10, "good")
    for _ in range(2):
        line.dead_letters = DeadLetters("stage", Namespace("line1"), line.clock, DeadLetterCap(run=3))
        limits = LoopLimits(max_records=4, max_batches=1, idle_poll_s=0.0)
        with line.consumer() as consumer, pytest.raises(DeadLetterCapExceeded):
            _turn(line.loop(Echo(_refuse_bad), consumer=consumer, limits=limits), 5)
    assert line.committed()[0] == 8
    line.dead_letters = DeadLetters("stage", Namespace("line1"), line.clock, DeadLetterCap(run=3))
    _turn(line.loop(Echo(_refuse_bad)), 5)
    assert line.out() == [b"good"]
    assert len(line.dead()) == 10


def test_an_output_too_large_becomes_a_dead_letter(line: Line) -> None:
    line.put("a", "big", "b")
    huge = bytes(20 << 20)
    stage = Echo(lambda record: OutRecord(OUT, b"k", huge if record.value == b"big" else record.value))
    loop = line.loop(stage)
    _turn(loop, 10)
    assert line.out() == [b"a", b"b"]
    assert len(line.dead()) == 1


def test_an_unknown_error_ends_the_loop(line: Line) -> None:
    line.put("a")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    stage.fail(0, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        loop.step()
    assert line.committed()[0] == 0


def test_a_stop_publishes_what_is_in_flight_and_reads_nothing_more(line: Line) -> None:
    line.put("a", "b", "c")
    stage = ManualStage()
    loop = line.loop(stage)
    loop.step()
    stage.finish(0)
    line.stop.set("test")
    loop.run(line.stop)
    assert line.out() == [b"a", b"b"]
    assert len(stage.given) == 1
