from collections.abc import Callable, Hashable

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BackpressureTimeout, DeliveryFailed, TooLarge
from linewarden_runtime.records import OutRecord
from linewarden_runtime.sender import BoundedSender


class _Delivery:
    def __init__(self) -> None:
        self.callback: Callable[[Exception | None], None] | None = None

    def done(self) -> bool:
        return False

    def result(self, timeout_s: float | None = None) -> None:
        raise NotImplementedError

    def append_ms(self) -> int | None:
        return None

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        self.callback = callback

    def answer(self, failure: Exception | None = None) -> None:
        assert self.callback is not None
        self.callback(failure)


class _Producer:
    """Takes records and answers when the test says so."""

    def __init__(self) -> None:
        self.sent: list[tuple[OutRecord, _Delivery]] = []
        self.closed = False

    def send(self, record: OutRecord) -> _Delivery:
        if len(record.value or b"") > 1000:
            raise TooLarge("too large")
        delivery = _Delivery()
        self.sent.append((record, delivery))
        return delivery

    def flush(self, timeout_s: float) -> None: ...

    def close(self) -> None:
        self.closed = True
        for _, delivery in self.sent:
            delivery.answer(DeliveryFailed("closed"))

    def __enter__(self) -> "_Producer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.producers: list[_Producer] = []
        self.acknowledged: list[Hashable] = []
        self.sender = BoundedSender(
            self._make, self.acknowledged.append, max_bytes=100, block_s=1.0, stuck_after_s=60.0, clock=self.clock
        )

    def _make(self) -> _Producer:
        self.producers.append(_Producer())
        return self.producers[-1]

    def send(self, token: str, size: int = 10) -> None:
        self.sender.send(OutRecord("t", None, bytes(size)), token)

    def values(self) -> list[int]:
        return [record.size for record, _ in self.producers[-1].sent]


@pytest.fixture
def bench() -> _Bench:
    return _Bench()


def test_an_acknowledgement_reaches_the_owner_once(bench: _Bench) -> None:
    bench.send("a")
    bench.producers[0].sent[0][1].answer()
    bench.producers[0].sent[0][1].answer()
    assert bench.acknowledged == ["a"]
    assert bench.sender.in_flight() == 0


def test_bytes_in_flight_are_bounded_and_the_caller_keeps_what_does_not_fit(bench: _Bench) -> None:
    bench.send("a", 60)
    with pytest.raises(BackpressureTimeout):
        bench.send("b", 60)
    assert bench.sender.in_flight() == 1
    bench.producers[0].sent[0][1].answer()
    bench.send("b", 60)


def test_a_record_larger_than_the_bound_passes_alone(bench: _Bench) -> None:
    bench.send("a", 500)
    assert bench.sender.in_flight() == 1


def test_a_record_that_can_never_be_sent_is_given_back(bench: _Bench) -> None:
    with pytest.raises(TooLarge):
        bench.send("a", 2000)
    assert bench.sender.in_flight() == 0
    bench.send("b", 90)


def test_a_producer_that_stopped_delivering_is_replaced_and_everything_sent_again_in_order(bench: _Bench) -> None:
    bench.send("a", 11)
    bench.send("b", 12)
    bench.clock.advance(59)
    bench.sender.tend()
    assert len(bench.producers) == 1
    bench.clock.advance(2)
    bench.sender.tend()
    assert len(bench.producers) == 2
    assert bench.producers[0].closed
    assert bench.values() == [11, 12]
    for _, delivery in bench.producers[1].sent:
        delivery.answer()
    assert bench.acknowledged == ["a", "b"]


def test_a_replaced_producer_gets_its_time_before_it_is_replaced_too(bench: _Bench) -> None:
    bench.send("a")
    bench.clock.advance(61)
    bench.sender.tend()
    bench.clock.advance(30)
    bench.sender.tend()
    assert len(bench.producers) == 2
    assert bench.sender.oldest_age_s() == pytest.approx(91)


def test_a_failed_record_is_sent_again_from_the_ledger(bench: _Bench) -> None:
    bench.send("a", 11)
    bench.send("b", 12)
    bench.producers[0].sent[0][1].answer()
    bench.producers[0].sent[1][1].answer(DeliveryFailed("epoch bump"))
    assert bench.acknowledged == ["a"]
    bench.sender.tend()
    assert bench.values() == [12]
    bench.producers[1].sent[0][1].answer()
    assert bench.acknowledged == ["a", "b"]


def test_a_late_acknowledgement_of_a_replaced_producer_counts(bench: _Bench) -> None:
    bench.send("a")
    late = bench.producers[0].sent[0][1]
    bench.clock.advance(61)
    bench.sender.tend()
    late.answer()
    assert bench.acknowledged == ["a"]
    bench.producers[1].sent[0][1].answer()
    assert bench.acknowledged == ["a"]


def test_a_token_in_flight_cannot_be_used_twice(bench: _Bench) -> None:
    bench.send("a")
    with pytest.raises(ValueError, match="in flight"):
        bench.send("a")
    bench.producers[0].sent[0][1].answer()
    bench.send("b", 100)


def test_draining_tells_whether_all_arrived(bench: _Bench) -> None:
    bench.send("a")
    assert not bench.sender.drain(5.0)
    bench.producers[0].sent[0][1].answer()
    assert bench.sender.drain(5.0)
