"""A small line on the in-memory broker: one topic in, one out, dead letters."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.deadletters import DeadLetterCap, DeadLetters
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.loop import LoopLimits, TransactionalLoop
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.testing.consumer import MemoryConsumer
from linewarden_schemas.ids import Namespace

IN, OUT, DEAD, GROUP = "line1.in", "line1.out", "line1.dead-letters", "line1.stage"


class ManualStage:
    """A stage whose work a test finishes by hand, batch by batch."""

    def __init__(self) -> None:
        self.given: list[tuple[list[InRecord], Future[Sequence[OutRecord]]]] = []

    def submit(self, records: Sequence[InRecord]) -> Future[Sequence[OutRecord]]:
        future: Future[Sequence[OutRecord]] = Future()
        self.given.append((list(records), future))
        return future

    def finish(self, number: int) -> None:
        records, future = self.given[number]
        future.set_result([OutRecord(OUT, record.key, record.value) for record in records])

    def fail(self, number: int, error: Exception) -> None:
        self.given[number][1].set_exception(error)


class Echo:
    """A stage that answers at once, through a function of one record."""

    def __init__(self, answer: Callable[[InRecord], OutRecord] | None = None) -> None:
        self.answer = answer or (lambda record: OutRecord(OUT, record.key, record.value))
        self.seen: list[bytes | None] = []

    def submit(self, records: Sequence[InRecord]) -> Future[Sequence[OutRecord]]:
        future: Future[Sequence[OutRecord]] = Future()
        try:
            future.set_result([self._one(record) for record in records])
        except Exception as error:  # noqa: BLE001 - a future carries whatever was raised
            future.set_exception(error)
        return future

    def _one(self, record: InRecord) -> OutRecord:
        self.seen.append(record.value)
        return self.answer(record)


class Line:
    """Everything around a loop under test."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = MemoryBroker(self.clock)
        self.broker.create_topics([TopicSpec(IN, 2), TopicSpec(OUT, 2), TopicSpec(DEAD, 1)])
        self.dead_letters = DeadLetters("stage", Namespace("line1"), self.clock, DeadLetterCap(run=3))
        self.stop = Stop()

    def put(self, *values: str, partition: int = 0) -> None:
        for value in values:
            self.broker.append(OutRecord(IN, b"k", value.encode(), partition=partition))

    def out(self) -> list[bytes | None]:
        return [record.value for record in self.broker.records(OUT)]

    def dead(self) -> list[InRecord]:
        return self.broker.records(DEAD)

    def committed(self) -> dict[int, int]:
        return {p.partition: offset for p, offset in self.broker.group(GROUP).offsets.items()}

    def consumer(self, instance: str | None = None) -> MemoryConsumer:
        return self.broker.consumer(group=GROUP, topics=[IN], instance=instance)

    def loop(
        self,
        stage: ManualStage | Echo,
        *,
        consumer: MemoryConsumer | None = None,
        limits: LoopLimits | None = None,
    ) -> TransactionalLoop:
        loop = TransactionalLoop(
            consumer or self.consumer(),
            lambda: self.broker.transactional_producer("line1.stage-0", [Position(OUT, 0), Position(OUT, 1)]),
            stage,
            self.dead_letters,
            clock=self.clock,
            limits=limits or LoopLimits(max_records=2, idle_poll_s=0.0, failures=4),
            jitter=lambda: 0.5,
        )
        loop.start()
        return loop


@pytest.fixture
def line() -> Line:
    return Line()
