"""The alarms of the lines for everybody: one look for all pages, and what becomes of what people ask for."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import structlog

from linewarden_domain.alarms import ListedAlarm, current_alarms, is_kept
from linewarden_reinspect.station.bus import StationBus
from linewarden_runtime.alarm_book import AlarmBook, answer_to
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_schemas.alarm import Alarm, AlarmEvent, AlarmRequest, LineWord
from linewarden_schemas.alarm_vocabulary import AlarmDoing

_log = structlog.get_logger(__name__)

HISTORY_MS = 7 * 86_400_000
"""How far back the history goes that is shown: every hand-over of a week."""


class AlarmWatch:
    """What the topics say of alarms; `turn` counts up whenever what is shown differs."""

    def __init__(self, opened: Callable[[int], AlarmBook], bus: StationBus, clock: Clock, every_s: float = 0.5) -> None:
        self._opened, self._bus, self._clock, self._every_s = opened, bus, clock, every_s
        self._news = threading.Condition()
        self._alarms: tuple[Alarm, ...] = ()
        self._words: dict[str, LineWord] = {}
        self._events: tuple[AlarmEvent, ...] = ()
        self._shown: tuple[int, tuple[tuple[str, bool], ...]] = (-1, ())
        self.turn = 0

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Every alarm of every line, whatever its stage."""
        return self._alarms

    @property
    def events(self) -> tuple[AlarmEvent, ...]:
        """Every step of the last days, the oldest first."""
        return self._events

    @property
    def words(self) -> dict[str, LineWord]:
        """The newest word of each line's process; what it says counts while it is not too old."""
        return self._words

    def listed(self, line_id: str, now_ms: int) -> tuple[ListedAlarm, ...] | None:
        """The list of a line at a time (epoch ms); None where its process does not keep it."""
        if not is_kept(self._words.get(line_id), now_ms):
            return None
        return current_alarms((one for one in self._alarms if one.line_id == line_id), now_ms)

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set; while the broker is away what was known stays, and ages."""
        while not stop.is_set():
            try:
                with self._opened(self._clock.now_ms() - HISTORY_MS) as book:
                    while not stop.is_set():
                        book.refresh()
                        self.take(book)
                        self._clock.wait(stop, self._every_s)
            except BrokerUnavailable as away:
                _log.warning("alarms cannot be seen", why=str(away))
                self._clock.wait(stop, 2.0)

    def take(self, book: AlarmBook) -> None:
        """Show what a book knows now."""
        words = book.words()
        kept = tuple(sorted((name, is_kept(word, self._clock.now_ms())) for name, word in words.items()))
        with self._news:
            self._words = words
            if (book.revision, kept) != self._shown:
                self._shown = book.revision, kept
                self._alarms, self._events = tuple(book.alarms()), tuple(book.events())
                self.turn += 1
                self._news.notify_all()

    def ask(
        self,
        alarm: Alarm,
        doing: AlarmDoing,
        actor: str,
        *,
        occurrence: int | None = None,
        until_ms: int | None = None,
        comment: str | None = None,
        answer_s: float = 6.0,
    ) -> AlarmEvent | None:
        """Write down what a person wants, and give what became of it; None where nobody has done it in time.

        Raises:
            NotRecorded: where Kafka did not confirm; asking again is safe.
        """
        request = AlarmRequest(
            request_id=uuid.uuid4().hex,
            alarm_id=alarm.alarm_id,
            line_id=alarm.line_id,
            doing=doing,
            actor=actor,
            at_ms=self._clock.now_ms(),
            occurrence=occurrence,
            until_ms=until_ms,
            comment=comment,
        )
        self._bus.ask(request)
        with self._news:
            self._news.wait_for(lambda: answer_to(request.request_id, self._events) is not None, answer_s)
            return answer_to(request.request_id, self._events)
