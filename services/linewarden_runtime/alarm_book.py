"""The alarms of a namespace's lines as they stand, the words of the processes that keep them, and their history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from linewarden_runtime.books import TopicBook, positions_of, read_to_end, readable
from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Broker, Closing, Reader
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.alarm import Alarm, AlarmEvent, AlarmRequest, LineWord
from linewarden_schemas.ids import Namespace


class AlarmBook(Closing):
    """Follows `alarms`, and `alarm-events` from a time (epoch ms) on, of which it keeps so many.

    `revision` differs after every change but that of a word.
    """

    def __init__(self, broker: Broker, namespace: Namespace, since_ms: int, most_events: int = 20_000) -> None:
        self._alarms: dict[str, Alarm] = {}
        self._words: dict[str, LineWord] = {}
        self._events: deque[AlarmEvent] = deque(maxlen=most_events)
        self.revision = 0
        self._book = TopicBook(broker, namespace.topic("alarms"), self._learn, self._forget)
        self._reader = _from(broker, namespace.topic("alarm-events"), since_ms)
        self.refresh()

    def alarms(self, line_id: str | None = None) -> list[Alarm]:
        """Every alarm of a line, or of all, whatever its stage."""
        return [one for one in self._alarms.values() if line_id in {None, one.line_id}]

    def words(self) -> dict[str, LineWord]:
        """The newest word of each line's process."""
        return dict(self._words)

    def events(self, line_id: str | None = None) -> list[AlarmEvent]:
        """Every step since the given time, of a line or of all, the oldest first."""
        return [one for one in self._events if line_id in {None, one.alarm.line_id}]

    def refresh(self) -> None:
        """Learn what was written since. Raises BrokerUnavailable."""
        self._book.refresh()
        for record in read_to_end(self._reader):
            message = readable(record)
            if isinstance(message, AlarmEvent):
                self._events.append(message)
                self.revision += 1

    def close(self) -> None:
        """Close both readers; what was learnt can still be asked for."""
        self._book.close()
        self._reader.close()

    def _learn(self, record: InRecord) -> None:
        message = readable(record)
        if isinstance(message, Alarm):
            self._alarms[message.alarm_id] = message
            self.revision += 1
        elif isinstance(message, LineWord):
            known = self._words.get(message.line_id)
            if known is None or message.epoch >= known.epoch:
                self._words[message.line_id] = message

    def _forget(self) -> None:
        self._alarms, self._words = {}, {}


def request_record(namespace: Namespace, request: AlarmRequest, source: str) -> OutRecord:
    """What a person wants done with an alarm as a record, keyed by it."""
    topic, key = namespace.topic("alarm-events"), request.alarm_id
    return event_record(topic, key, request, id=request.request_id, source=source, time_ms=request.at_ms)


def answer_to(request_id: str, events: Iterable[AlarmEvent]) -> AlarmEvent | None:
    """What became of a request; None where nothing is known yet."""
    return next((one for one in events if one.request_id == request_id), None)


def _from(broker: Broker, topic: str, since_ms: int) -> Reader:
    places = positions_of(broker, topic)
    reader = broker.reader(dict.fromkeys(places, 0))
    ends, found = reader.end_offsets(places), reader.offsets_for_times(dict.fromkeys(places, max(0, since_ms)))
    for place in places:
        offset = found[place]
        reader.seek(place, ends[place] if offset is None else offset)
    return reader
