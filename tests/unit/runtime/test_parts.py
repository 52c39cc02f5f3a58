"""Small parts: partitioner, clock, records, watchdog, dead letters, lifecycle."""

import os
import signal
import threading

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as reference

from linewarden_runtime.books import read_to_end, reader_of_all
from linewarden_runtime.clock import Clock, ManualClock, SystemClock
from linewarden_runtime.deadletters import DeadLetterCap, DeadLetters
from linewarden_runtime.errors import AssignmentNotAligned, DeadLetterCapExceeded, Fenced, TooLarge, TransactionFailed
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop, run_service, run_visibly, stop_on_signals
from linewarden_runtime.logs import to_stderr
from linewarden_runtime.partitions import aligned_partitions, murmur2, partition_of
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position, next_offsets
from linewarden_runtime.sizes import require_fit
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.watchdog import Watchdog
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.topics import CATALOGUE


@given(st.binary(max_size=64))
def test_the_partitioner_is_that_of_the_client_library(key: bytes) -> None:
    assert murmur2(key) == reference(key) & 0xFFFFFFFF
    assert partition_of(key, 12) == (reference(key) & 0x7FFFFFFF) % 12


def test_a_topic_without_partitions_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        partition_of("visit", 0)


def test_joined_topics_dealt_out_alike_give_their_numbers() -> None:
    assignment = {Position(topic, number) for topic in ("a", "b") for number in (0, 3)}
    assert aligned_partitions(assignment, ["a", "b"]) == {0, 3}


def test_joined_topics_dealt_out_differently_are_refused() -> None:
    with pytest.raises(AssignmentNotAligned):
        aligned_partitions({Position("a", 0), Position("b", 1)}, ["a", "b"])
    with pytest.raises(AssignmentNotAligned):
        aligned_partitions({Position("a", 0)}, ["a", "b"])


def _record(offset: int, partition: int = 0) -> InRecord:
    return InRecord("t", partition, offset, 0, b"k", b"v")


def test_next_offsets_are_one_past_the_last_of_each_partition() -> None:
    records = [_record(4), _record(7), _record(1, partition=1)]
    assert next_offsets(records) == {Position("t", 0): 8, Position("t", 1): 2}


@pytest.mark.parametrize(
    ("member", "generation", "stable"), [("", 3, True), ("m", -1, True), ("m", 3, False), ("", -1, False)]
)
def test_a_membership_that_no_broker_checks_may_not_commit(member: str, generation: int, stable: bool) -> None:
    assert not GroupSnapshot("g", member, generation, "s", stable).may_commit


def test_waiting_on_a_manual_clock_moves_it_and_never_sleeps() -> None:
    clock = ManualClock(1000)
    assert not clock.wait(threading.Event(), 5.0)
    assert (clock.now_ms(), clock.monotonic()) == (6000, 5.0)
    done = threading.Event()
    done.set()
    assert clock.wait(done, 5.0)
    clock.set_wall(10)
    assert (clock.now_ms(), clock.monotonic()) == (10, 5.0)


def test_the_system_clock_is_awake_when_the_event_is_set() -> None:
    done = threading.Event()
    done.set()
    assert SystemClock().wait(done, 60.0)
    assert SystemClock().now_ms() > 1_600_000_000_000


def test_the_watchdog_ends_the_process_only_past_the_deadline() -> None:
    clock = ManualClock()
    late: list[str] = []
    watchdog = Watchdog(late.append, clock, look=False)
    with watchdog.guard("commit", 10.0):
        clock.advance(9.0)
        watchdog.check()
        assert late == []
        clock.advance(2.0)
        watchdog.check()
    clock.advance(60.0)
    watchdog.check()
    assert late == ["commit"]


def test_the_watchdogs_thread_looks_by_itself() -> None:
    late = threading.Event()
    watchdog = Watchdog(lambda _: late.set())
    with watchdog.guard("commit", 0.0):
        assert late.wait(30.0)
    watchdog.close()


def _letters(cap: DeadLetterCap) -> DeadLetters:
    return DeadLetters("inspect", Namespace("line1"), ManualClock(), cap)


def test_a_dead_letter_carries_the_record_and_where_it_lay() -> None:
    record = InRecord("line1.frames", 3, 41, 0, b"visit", b"\xff\xd8", (("ce_id", b"f1"),))
    letter = _letters(DeadLetterCap()).letter(record, "bad-digest", "x" * 5000, frame_id="f1")
    message = decode(letter.headers, letter.value).message
    assert isinstance(message, DeadLetter)
    assert letter.topic == "line1.dead-letters"
    assert (message.source.topic, message.source.partition, message.source.offset) == ("line1.frames", 3, 41)
    assert (message.key, message.value, message.headers) == (b"visit", b"\xff\xd8", (("ce_id", b"f1"),))
    assert (message.frame_id, len(message.detail)) == ("f1", 2000)


def test_a_value_over_the_cap_is_cut_and_its_size_told() -> None:
    record = InRecord("t", 0, 0, 0, None, bytes(6 << 20))
    message = decode(*_envelope(record)).message
    assert isinstance(message, DeadLetter)
    assert (len(message.value or b""), message.value_bytes) == (5 << 20, 6 << 20)


def _envelope(record: InRecord) -> tuple[tuple[tuple[str, bytes], ...], bytes | None]:
    letter = _letters(DeadLetterCap()).letter(record, "too-large")
    return letter.headers, letter.value


def test_dead_letters_in_a_row_are_capped_and_a_good_record_breaks_the_row() -> None:
    letters = _letters(DeadLetterCap(run=2))
    for offset in (0, 1):
        letters.letter(_record(offset), "bad")
    letters.passed()
    for offset in (2, 3):
        letters.letter(_record(offset), "bad")
    letters.passed(0)
    letters.require_within_cap()
    letters.letter(_record(4), "bad")
    with pytest.raises(DeadLetterCapExceeded, match="in a row"):
        letters.require_within_cap()


def test_the_share_of_dead_letters_is_capped() -> None:
    letters = _letters(DeadLetterCap(run=100, ratio=0.3, window=10))
    letters.passed(7)
    for offset in range(3):
        letters.letter(_record(offset), "bad")
    letters.require_within_cap()
    letters.letter(_record(3), "bad")
    with pytest.raises(DeadLetterCapExceeded, match="of the last 10"):
        letters.require_within_cap()


def test_a_stage_that_its_cap_stopped_stands_still_and_says_why_until_it_is_asked_to_stop() -> None:
    clock, stop, health = ManualClock(), Stop(), Health()
    letters = _letters(DeadLetterCap(run=0))
    letters.letter(_record(0), "bad")
    seen: list[dict[str, str]] = []

    class Asking(Stop):
        def wait(self, clock: Clock, seconds: float) -> bool:
            seen.append(health.waiting())
            return len(seen) == 3

    with pytest.raises(DeadLetterCapExceeded):
        run_visibly(letters.require_within_cap, health, Asking(), clock)
    assert len(seen) == 3
    assert "1 dead letters in a row" in seen[0]["dead-letters"]
    assert not stop.is_set()


def test_a_signal_sets_the_flag_and_nothing_else() -> None:
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop_on_signals(stop)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.event.wait(10.0)
        assert stop.reason == "SIGTERM"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (Fenced("x"), 75), (TransactionFailed("x"), 1), (KeyError("x"), 1)]
)
def test_the_exit_code_tells_how_a_service_ended(error: Exception | None, code: int) -> None:
    def run(_stop: Stop) -> None:
        if error is not None:
            raise error

    assert run_service("test", run) == code


def test_what_a_command_logs_stays_off_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    to_stderr()
    structlog.get_logger().warning("told")
    structlog.reset_defaults()
    output, errors = capsys.readouterr()
    assert (output, "told" in errors) == ("", True)


@pytest.mark.parametrize("logical", CATALOGUE)
def test_a_record_is_held_against_the_limit_of_its_own_topic(logical: str) -> None:
    topic = f"line1.{logical}"
    allowed = int(CATALOGUE[logical].config()["max.message.bytes"])
    require_fit(OutRecord(topic, b"k", bytes(CATALOGUE[logical].max_record_bytes)), 64 << 20)
    with pytest.raises(TooLarge, match=topic):
        require_fit(OutRecord(topic, b"k", bytes(allowed)), 64 << 20)
    with pytest.raises(TooLarge):
        require_fit(OutRecord(topic, b"k", bytes(5_000)), 5_000)


def test_who_reads_a_topic_whole_is_not_stopped_by_what_is_deleted_before_or_meanwhile() -> None:
    broker = MemoryBroker(ManualClock())
    place = Position("line1.recipes", 0)
    broker.create_topics([TopicSpec(place.topic, 1)])
    for number in range(6):
        broker.append(OutRecord(place.topic, b"k", b"%d" % number, partition=0))
    broker.log(place).delete_before(2)
    with reader_of_all(broker, [place]) as reader:
        assert reader.position(place) == 2
        broker.log(place).delete_before(4)
        assert [record.value for record in read_to_end(reader)] == [b"4", b"5"]
