"""The line's process: reads by assign(), lets its parts work, and writes in one transaction at a time.

One identity a line, `<ns>.line-<line_id>`: whoever takes it fences the one before. How far requests are handled stands
in the word of the process, so that each has its effect exactly once; everything else is followed from the time of the
last word on, and may come twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from linewarden_line import metrics
from linewarden_line.part import LinePart
from linewarden_runtime.books import positions_of, read_to_end, readable, reader_of_all
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import Fenced, LogTruncated, RetentionOvertook
from linewarden_runtime.events import event_record
from linewarden_runtime.metrics import OVERTAKEN
from linewarden_runtime.ports import Broker, Closing, Reader, TransactionalProducer
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.alarm import LineWord, ReadMark
from linewarden_schemas.ids import Namespace

_log = structlog.get_logger(__name__)

KEPT = ("alarms",)
"""What this process wrote and restores itself from."""
ASKED = ("alarm-events",)
"""Where people ask for something."""
FOLLOWED = ("captures", "dispositions", "actuations", "balances", "dead-letters", "line-state")
"""What alarms come from."""
WRITTEN = ("alarms", "alarm-events")

WORD_S = 2.0
"""How often the word is said."""
OVERLAP_MS = 60_000
"""How far before the last word what is followed is read again: as long as a record may take to become visible."""


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
        look_back_ms: int,
        poll_s: float = 0.2,
    ) -> None:
        self._broker, self._namespace, self._parts, self._clock = broker, namespace, parts, clock
        self._word, self._look_back_ms, self._poll_s = about, look_back_ms, poll_s
        self._producer: TransactionalProducer | None = None
        self._reader: Reader | None = None
        self._requests: dict[Position, int] = {}
        self._said_s, self._owes_marks = float("-inf"), False

    @property
    def epoch(self) -> int:
        """How often the line was taken over, this time included; from 1."""
        return self._word.epoch

    def start(self) -> None:
        """Take the line over, and restore every part from what was written.

        Raises:
            Fenced: somebody else took it at the same time, or since this process had it.
            TransactionFailed, BrokerUnavailable: the broker does not answer.
        """
        writes = [one for name in WRITTEN for one in positions_of(self._broker, self._namespace.topic(name))]
        identity = self._namespace.transactional_id(f"line-{self._word.line_id}")
        self._producer = self._broker.transactional_producer(identity, writes)
        self._producer.init()
        last = self._recall()
        if last is not None and self.epoch and last.epoch > self.epoch:
            raise Fenced(f"line {last.line_id} was taken over by {last.instance}, epoch {last.epoch}")
        now_ms = self._clock.now_ms()
        epoch = (0 if last is None else last.epoch) + 1
        self._word = self._word.model_copy(update={"epoch": epoch, "since_ms": now_ms, "at_ms": now_ms})
        self._reader = self._follow(last, now_ms)
        self._transact([])
        metrics.EPOCH.labels(line=self._word.line_id).set(epoch)

    def step(self) -> None:
        """Read what came, and write what is due. Raises what `TransactionalProducer.transact` does."""
        for record in self._polled():
            if record.position in self._requests:
                self._requests[record.position] = record.offset + 1
                self._owes_marks = True
            message = readable(record)
            if message is not None:
                for part in self._parts:
                    part.learn(message, record)
        now_ms = self._clock.now_ms()
        outputs = [record for part in self._parts for record in part.due(now_ms)]
        if outputs or self._owes_marks or self._clock.monotonic() - self._said_s >= WORD_S:
            self._transact(outputs)

    def close(self) -> None:
        """Disconnect; what was not written is learnt again."""
        for client in (self._reader, self._producer):
            if client is not None:
                client.close()

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
        places = [one for name in KEPT for one in positions_of(self._broker, self._namespace.topic(name))]
        with reader_of_all(self._broker, places) as reader:
            for record in read_to_end(reader):
                message = readable(record)
                if isinstance(message, LineWord) and message.line_id == self._word.line_id:
                    last = message if last is None or message.epoch >= last.epoch else last
                if message is not None:
                    for part in self._parts:
                        part.recall(message, record)
        return last

    def _follow(self, last: LineWord | None, now_ms: int) -> Reader:
        """A reader that stands where the last process stood; with the end, where there was none before."""
        followed = [one for name in FOLLOWED for one in positions_of(self._broker, self._namespace.topic(name))]
        asked = [one for name in ASKED for one in positions_of(self._broker, self._namespace.topic(name))]
        reader = self._broker.reader(dict.fromkeys([*followed, *asked], 0))
        ends = reader.end_offsets([*followed, *asked])
        found: Mapping[Position, int | None] = {}
        if last is not None:
            since_ms = max(last.at_ms - OVERLAP_MS, now_ms - self._look_back_ms)
            found = reader.offsets_for_times(dict.fromkeys(followed, max(0, since_ms)))
        for position in followed:
            offset = found.get(position)
            reader.seek(position, ends[position] if offset is None else offset)
        oldest = reader.beginning_offsets(asked)
        marks = {Position(one.topic, one.partition): one.next_offset for one in (() if last is None else last.read)}
        for position in asked:
            self._requests[position] = max(oldest[position], marks.get(position, 0))
            if self._requests[position] > ends[position]:
                raise LogTruncated(f"{position} ends before what was handled of it")
            reader.seek(position, self._requests[position])
        return reader

    def _transact(self, outputs: Sequence[OutRecord]) -> None:
        if self._producer is None:
            raise RuntimeError("start comes first")
        now_ms = self._clock.now_ms()
        marks = tuple(
            ReadMark(topic=one.topic, partition=one.partition, next_offset=at) for one, at in self._requests.items()
        )
        word = self._word.model_copy(update={"at_ms": now_ms, "read": marks})
        for part in self._parts:
            word = part.word(word, now_ms)
        topic, source = self._namespace.topic("alarms"), self._namespace.source("line")
        said = event_record(
            topic, word.line_id, word, id=f"{word.line_id}.{word.epoch}.{now_ms}", source=source, time_ms=now_ms
        )
        self._producer.transact([*outputs, said])
        self._word, self._said_s, self._owes_marks = word, self._clock.monotonic(), False
