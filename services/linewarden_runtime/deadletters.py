"""Dead letters: what could not be handled, whole up to a cap, with its cause; counted and limited."""

import threading
from collections import deque
from dataclasses import dataclass

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import DeadLetterCapExceeded
from linewarden_runtime.events import event_record
from linewarden_runtime.metrics import DEAD_LETTERS
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.operations import DeadLetter


@dataclass(frozen=True, slots=True)
class DeadLetterCap:
    """How many dead letters are bad luck; more are a bad release, which must not drain a line.

    More than `run` in a row, or than `ratio` of the last `window` records (once `window` were seen), stop the stage
    after they are committed: what was given up is given up once, and whoever starts it again gets as far again.
    """

    run: int = 50
    ratio: float = 0.2
    window: int = 500


class DeadLetters:
    """Writes one service's dead letters and keeps count; safe to share between threads."""

    def __init__(self, service: str, namespace: Namespace, clock: Clock, cap: DeadLetterCap | None = None) -> None:
        self._service = service
        self._topic = namespace.topic("dead-letters")
        self._source = namespace.source(service)
        self._clock = clock
        self._cap = cap or DeadLetterCap()
        self._recent: deque[bool] = deque(maxlen=self._cap.window)
        self._run = 0
        self._exceeded: str | None = None
        self._lock = threading.Lock()

    def owns(self, output: OutRecord) -> bool:
        """Whether an output is a dead letter."""
        return output.topic == self._topic

    def passed(self, count: int = 1) -> None:
        """Count records that were handled."""
        with self._lock:
            self._run = 0 if count else self._run
            self._recent.extend([False] * count)

    def letter(
        self,
        record: InRecord,
        cause: str,
        detail: str = "",
        *,
        visit_id: str | None = None,
        frame_id: str | None = None,
    ) -> OutRecord:
        """Give the dead letter of a record, to be published with the record's offset."""
        self._count(cause)
        value = record.value or b""
        message = DeadLetter(
            service=self._service,
            cause=cause,
            detail=detail[:2000],
            source=SourceRef(topic=record.topic, partition=record.partition, offset=record.offset),
            at_ms=self._clock.now_ms(),
            key=record.key,
            headers=record.headers,
            value=None if record.value is None else value[: 5 << 20],
            value_bytes=len(value),
            visit_id=visit_id,
            frame_id=frame_id,
        )
        place = f"{record.topic}-{record.partition}-{record.offset}"
        return event_record(self._topic, place, message, id=place, source=self._source, time_ms=message.at_ms)

    @property
    def is_exceeded(self) -> bool:
        """Whether there were too many, so that no further record may be given up."""
        return self._exceeded is not None

    def require_within_cap(self) -> None:
        """Raise DeadLetterCapExceeded where there were too many; to be called once they are committed."""
        if self._exceeded is not None:
            raise DeadLetterCapExceeded(
                f"{self._exceeded}; see 'linewarden dead-letters list', then start {self._service} again"
            )

    def _count(self, cause: str) -> None:
        DEAD_LETTERS.labels(service=self._service, cause=cause).inc()
        with self._lock:
            self._run += 1
            self._recent.append(True)
            if self._run > self._cap.run:
                self._exceeded = f"{self._run} dead letters in a row, the last for {cause}"
            full = len(self._recent) == self._cap.window
            if full and sum(self._recent) > self._cap.ratio * self._cap.window:
                self._exceeded = (
                    f"{sum(self._recent)} of the last {self._cap.window} records became dead letters, "
                    f"the last for {cause}"
                )
