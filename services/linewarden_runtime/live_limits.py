"""The live limits of a namespace's lines: how many defects there may be among what they pass."""

from __future__ import annotations

from linewarden_runtime.books import TopicBook, readable
from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Broker, Closing
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.live_limit import LiveLimit, limit_key


class LiveLimitBook(Closing):
    """Follows `live-limits`; of a line and a recipe the newest counts, also where it says nothing any more."""

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self._limits: dict[str, LiveLimit] = {}
        self._book = TopicBook(broker, namespace.topic("live-limits"), self._learn, self._forget)
        self.refresh()

    def of(self, line_id: str, recipe: RecipeRef) -> LiveLimit | None:
        """The newest of a line under a recipe, whether it still holds or not; None where there is none."""
        return self._limits.get(limit_key(line_id, recipe))

    def all(self) -> list[LiveLimit]:
        """The newest of every line and recipe, by line and recipe."""
        return [self._limits[key] for key in sorted(self._limits)]

    def refresh(self) -> None:
        """Learn what was written since. Raises BrokerUnavailable."""
        self._book.refresh()

    def close(self) -> None:
        """Close the reader; what was learnt can still be asked for."""
        self._book.close()

    def _learn(self, record: InRecord) -> None:
        key, message = (record.key or b"").decode(errors="replace"), readable(record)
        # What was taken back, or is the newest and cannot be read, leaves no older one to pass parts by. Whoever asks
        # meanwhile keeps the old ones.
        others = {name: limit for name, limit in self._limits.items() if name != key}
        self._limits = others | ({key: message} if isinstance(message, LiveLimit) and message.key == key else {})

    def _forget(self) -> None:
        self._limits = {}


def live_limit_record(namespace: Namespace, limit: LiveLimit, source: str) -> OutRecord:
    """A live limit as a record. Raises Unwritable where no reader would take it."""
    topic, name = namespace.topic("live-limits"), f"{limit.key}.{limit.made_ms}"
    return event_record(topic, limit.key, limit, id=name, source=source, time_ms=limit.made_ms)
