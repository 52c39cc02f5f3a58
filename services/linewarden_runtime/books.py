"""Small topics held whole in memory: recipes, line states and activations.

They are read by assign(), without a group, so that every process sees all of them before its first record. What
cannot be read stops nobody who could go on safely: it is counted and logged, and what it might have said is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog

from linewarden_schemas.base import Message
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace, recipe_key
from linewarden_schemas.line import Activation, LineState, RecipeRef
from linewarden_schemas.recipe import Recipe

from .errors import BrokerUnavailable, ConfigurationError
from .metrics import UNREADABLE
from .ports import Broker, Reader
from .records import InRecord, Position

_POLL_S = 0.5
_IDLE_POLLS = 60
_log = structlog.get_logger(__name__)


def positions_of(broker: Broker, topic: str) -> list[Position]:
    """Every partition of a physical topic; raises ConfigurationError for an unknown one."""
    with broker.admin() as admin:
        return [Position(topic, number) for number in range(admin.describe(topic).partitions)]


def read_to_end(reader: Reader, poll_s: float = _POLL_S) -> Iterator[InRecord]:
    """Records from where the reader stands to the end as it is now.

    Raises:
        BrokerUnavailable: when the end is not reached although nothing arrives any more.
    """
    ends = reader.end_offsets(reader.assignment())
    idle = 0
    while any(reader.position(position) < end for position, end in ends.items()):
        records = reader.poll(poll_s)
        idle = 0 if records else idle + 1
        if idle > _IDLE_POLLS:
            raise BrokerUnavailable(f"no records for {idle * poll_s:.0f} s before the end of {sorted(ends)}")
        yield from records


class Book:
    """Follows one topic; `learn` is called with every record in offset order."""

    def __init__(self, broker: Broker, topic: str, learn: Callable[[InRecord], None]) -> None:
        positions = positions_of(broker, topic)
        self._reader = broker.reader(dict.fromkeys(positions, 0))
        for position, offset in self._reader.beginning_offsets(positions).items():
            self._reader.seek(position, offset)
        self._learn = learn

    def refresh(self) -> None:
        """Learn everything up to the end as it is now."""
        for record in read_to_end(self._reader):
            self._learn(record)

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()


def _message(record: InRecord) -> Message | None:
    """What the record says; None, counted and logged, where that cannot be read."""
    try:
        return decode(record.headers, record.value).message
    except EnvelopeError as error:
        UNREADABLE.labels(topic=record.topic).inc()
        _log.error("a record cannot be read", position=record.position, offset=record.offset, error=str(error))
        return None


class RecipeBook:
    """All recipe versions. A version never changes: the first readable record of a key counts.

    A version whose record cannot be read is unknown, so what was captured under it diverts.
    """

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self._recipes: dict[str, Recipe] = {}
        self._book = Book(broker, namespace.topic("recipes"), self._learn)
        self._book.refresh()

    def get(self, ref: RecipeRef) -> Recipe | None:
        """The recipe, looking for news once if it is unknown; None if it is unknown still."""
        key = recipe_key(ref.recipe_id, ref.version)
        if key not in self._recipes:
            self._book.refresh()
        return self._recipes.get(key)

    def known(self) -> list[Recipe]:
        """Every version known now, in the order of their publication."""
        return list(self._recipes.values())

    def refresh(self) -> None:
        """Learn what was published since."""
        self._book.refresh()

    def close(self) -> None:
        """Close the reader."""
        self._book.close()

    def _learn(self, record: InRecord) -> None:
        message = _message(record)
        if isinstance(message, Recipe):
            self._recipes.setdefault(recipe_key(message.recipe_id, message.version), message)


class LineBook:
    """Line states and activations by line, with the time from which each counts.

    A record that cannot be read leaves its line's state untold, or its activation unknown, until the next one.
    """

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self._states: dict[str, LineState] = {}
        self._unreadable: dict[str, InRecord] = {}
        self._activations: dict[str, list[Activation]] = {}
        self._activation_topic = namespace.topic("activations")
        topics = (namespace.topic("line-state"), self._activation_topic)
        self._books = [Book(broker, topic, self._learn) for topic in topics]
        self.refresh()

    def refresh(self) -> None:
        """Learn what was published since."""
        for book in self._books:
            book.refresh()

    def state(self, line_id: str) -> LineState | None:
        """The newest state of a line; None if it never told one, or the newest cannot be read."""
        return self._states.get(line_id)

    def activation(self, line_id: str, at_ms: int) -> Activation | None:
        """The activation in force at a time (epoch ms); of several the one published last.

        Raises:
            ConfigurationError: where the newest cannot be read, so that nobody knows what is in force.
        """
        if line_id in self._unreadable:
            record = self._unreadable[line_id]
            raise ConfigurationError(
                f"the newest activation of line {line_id} (offset {record.offset} of {record.topic}) cannot be read; "
                f"run 'linewarden line activate {line_id} RECIPE@VERSION'"
            )
        in_force = [one for one in self._activations.get(line_id, ()) if one.from_ms <= at_ms]
        return max(in_force, key=lambda one: one.from_ms) if in_force else None

    def close(self) -> None:
        """Close the readers."""
        for book in self._books:
            book.close()

    def _learn(self, record: InRecord) -> None:
        message = _message(record)
        if isinstance(message, LineState):
            self._states[message.line_id] = message
        elif isinstance(message, Activation):
            self._unreadable.pop(message.line_id, None)
            known = self._activations.setdefault(message.line_id, [])
            known.insert(0, message)  # max() takes the first of equals, so the newest stands first
        elif message is None and record.topic == self._activation_topic:
            self._unreadable[_line_of(record)] = record
        elif message is None:
            self._states.pop(_line_of(record), None)


def _line_of(record: InRecord) -> str:
    return (record.key or b"").decode(errors="replace")
