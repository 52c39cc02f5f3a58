"""The line's process: reads by assign(), lets its parts work, and writes in one transaction at a time.

One identity a line, `<ns>.line-<line_id>`: whoever takes it fences the one before. How far each topic is handled stands
in the word of the process, in one transaction with what came of it, so that each record has its effect once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from linewarden_line import metrics
from linewarden_line.part import LinePart
from linewarden_runtime.books import positions_of, read_to_end, readable, reader_of_all
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import Fenced, RetentionOvertook
from linewarden_runtime.events import event_record
from linewarden_runtime.metrics import BOOKS_AGAIN, OVERTAKEN
from linewarden_runtime.ports import Broker, Closing, Reader, TransactionalProducer
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.alarm import LineWord, ReadMark
from linewarden_schemas.ids import Namespace

_log = structlog.get_logger(__name__)

RECALLED = ("alarms", "outputs", "reinspections", "line-state")
"""Topics of which the newest of each key counts; read whole at the start."""
FOLLOWED = (
    *("alarm-events", "captures", "dispositions", "actuations", "balances", "dead-letters", "line-state"),
    *("outputs", "reinspections", "inspections", "workers"),
)
"""What alarms come from, where people ask for something, and what a changeover waits for; read from the last mark."""
WRITTEN = ("alarms", "alarm-events")

WORD_S = 2.0
"""How often the word is said."""


class LineProcess(Closing):
    """One process's time at one line. Everything happens in `step`, on one thread."""

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        about: LineWord,
        parts: Sequence[LinePart],
        clock: Clock,
        *,
        poll_s: float = 0.2,
    ) -> None:
        self._broker, self._namespace, self._parts, self._clock = broker, namespace, parts, clock
        self._word, self._poll_s = about, poll_s
        self._producer: TransactionalProducer | None = None
        self._reader: Reader | None = None
        self._next: dict[Position, int] = {}
        self._said_s = float("-inf")

    @property
    def epoch(self) -> int:
        """How often the line was taken over, this time included; from 1, and 0 before that."""
        return self._word.epoch

    def start(self) -> None:
        """Take the line over, and restore every part from what was written.

        Raises:
            Fenced: somebody else took it at the same time, or since this process had it.
            TransactionFailed, BrokerUnavailable: the broker does not answer.
        """
        writes = self._positions(WRITTEN)
        identity = self._namespace.transactional_id(f"line-{self._word.line_id}")
        self._producer = self._broker.transactional_producer(identity, writes)
        self._producer.init()
        followed = self._positions(FOLLOWED)
        self._reader = self._broker.reader(dict.fromkeys(followed, 0))
        # Before anything is recalled, so that what comes meanwhile is followed.
        ends = self._reader.end_offsets(followed)
        last = self._recall()
        if last is not None and self.epoch and last.epoch > self.epoch:
            raise Fenced(f"line {last.line_id} was taken over by {last.instance}, epoch {last.epoch}")
        self._stand(self._reader, ends, last)
        now_ms = self._clock.now_ms()
        epoch = max(self.epoch, 0 if last is None else last.epoch) + 1
        self._word = self._word.model_copy(update={"epoch": epoch, "since_ms": now_ms})
        self._transact([])
        metrics.EPOCH.labels(line=self._word.line_id).set(epoch)

    def step(self) -> None:
        """Read what came, and write what is due. Raises what `TransactionalProducer.transact` does."""
        for record in self._polled():
            self._next[record.position] = record.offset + 1
            message = readable(record)
            if message is not None:
                for part in self._parts:
                    part.learn(message, record)
        now_ms = self._clock.now_ms()
        outputs = [record for part in self._parts for record in part.due(now_ms)]
        if outputs or self._clock.monotonic() - self._said_s >= WORD_S:
            self._transact(outputs)

    def close(self) -> None:
        """Disconnect; what was not written is learnt again."""
        for client in (self._reader, self._producer):
            if client is not None:
                client.close()

    def _positions(self, topics: Sequence[str]) -> list[Position]:
        return [one for name in topics for one in positions_of(self._broker, self._namespace.topic(name))]

    def _polled(self) -> list[InRecord]:
        if self._reader is None:
            raise RuntimeError("start comes first")
        try:
            return self._reader.poll(self._poll_s)
        except RetentionOvertook as overtaken:
            OVERTAKEN.labels(topic=overtaken.position.topic).inc()
            _log.warning("records were deleted before they were read", detail=str(overtaken))
            self._reader.seek(overtaken.position, overtaken.earliest)
            return []

    def _recall(self) -> LineWord | None:
        last: LineWord | None = None
        for name in RECALLED:  # one after the other: what a part wrote itself comes before what others say to it
            with reader_of_all(self._broker, self._positions([name])) as reader:
                for record in read_to_end(reader):
                    message = readable(record)
                    if isinstance(message, LineWord) and message.line_id == self._word.line_id:
                        last = message if last is None or message.epoch >= last.epoch else last
                    if message is not None:
                        for part in self._parts:
                            part.recall(message, record)
        return last

    def _stand(self, reader: Reader, ends: Mapping[Position, int], last: LineWord | None) -> None:
        """Where the last process stood; at the end, where there was none before or it followed no such topic."""
        marks = {
            Position(one.topic, number): offset
            for one in (() if last is None else last.read)
            for number, offset in enumerate(one.next_offsets)
        }
        oldest = reader.beginning_offsets(list(ends))
        for position, end in ends.items():
            mark = marks.get(position, end)
            if mark > end:
                # The topic was made anew: all that is in it came since.
                BOOKS_AGAIN.labels(topic=position.topic).inc()
                _log.error("a topic is read from its beginning: it ends before what was read of it", position=position)
                mark = 0
            self._next[position] = max(mark, oldest[position])
            reader.seek(position, self._next[position])

    def _transact(self, outputs: Sequence[OutRecord]) -> None:
        if self._producer is None:
            raise RuntimeError("start comes first")
        now_ms = self._clock.now_ms()
        marks: dict[str, list[int]] = {}
        for position in sorted(self._next):
            marks.setdefault(position.topic, []).append(self._next[position])
        read = tuple(ReadMark(topic=topic, next_offsets=tuple(offsets)) for topic, offsets in marks.items())
        word = self._word.model_copy(update={"at_ms": now_ms, "read": read})
        for part in self._parts:
            word = part.word(word, now_ms)
        topic, source = self._namespace.topic("alarms"), self._namespace.source("line")
        name = f"{word.line_id}.{word.epoch}.{now_ms}"
        said = event_record(topic, word.line_id, word, id=name, source=source, time_ms=now_ms)
        self._producer.transact([*outputs, said])
        self._word, self._said_s = word, self._clock.monotonic()
        metrics.WORD_TIME.labels(line=word.line_id).set(now_ms / 1000)
