"""Small topics held whole in memory: recipes, line states and activations.

They are read by assign(), without a group, so that every process sees all of them before its first record. What
cannot be read stops nobody who could go on safely: it is counted and logged, and what it might have said is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import structlog

from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, LogTruncated, RetentionOvertook
from linewarden_runtime.metrics import BOOKS_AGAIN, OVERTAKEN, UNREADABLE
from linewarden_runtime.ports import Broker, Closing, Reader
from linewarden_runtime.recipes import KnownRecipes, RecipeRecords
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, LineState, RecipeRef
from linewarden_schemas.recipe import Recipe

_POLL_S = 0.5
_REMEMBERED = 1000
_log = structlog.get_logger(__name__)


def positions_of(broker: Broker, topic: str) -> list[Position]:
    """Every partition of a physical topic; raises ConfigurationError for an unknown one."""
    with broker.admin() as admin:
        return [Position(topic, number) for number in range(admin.describe(topic).partitions)]


@contextmanager
def reader_of_all(broker: Broker, positions: Collection[Position]) -> Iterator[Reader]:
    """A reader that stands at the oldest record kept of each partition, which need not be the first ever written."""
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        for position, offset in reader.beginning_offsets(positions).items():
            reader.seek(position, offset)
        yield reader


def read_to_end(reader: Reader, poll_s: float = _POLL_S) -> Iterator[InRecord]:
    """Records from where the reader stands to the end as it is now.

    What is deleted meanwhile is passed over, counted and logged: who had come a moment later had not seen it either.

    Raises:
        BrokerUnavailable: when the end is not reached although nothing arrives any more.
    """
    ends = reader.end_offsets(reader.assignment())
    is_overtaken = True
    while is_overtaken:
        try:
            yield from read_until(reader, ends, poll_s)
            is_overtaken = False
        except RetentionOvertook as overtaken:
            OVERTAKEN.labels(topic=overtaken.position.topic).inc()
            _log.warning("records were deleted while they were read", detail=str(overtaken))
            reader.seek(overtaken.position, overtaken.earliest)


def read_until(reader: Reader, ends: Mapping[Position, int], poll_s: float = _POLL_S) -> Iterator[InRecord]:
    """Records from where the reader stands to these offsets; as `read_to_end`, but raises RetentionOvertook."""
    idle = 0
    while any(reader.position(position) < end for position, end in ends.items()):
        records = reader.poll(poll_s)
        idle = 0 if records else idle + 1
        if idle > 60:
            raise BrokerUnavailable(f"no records for {idle * poll_s:.0f} s before the end of {sorted(ends)}")
        yield from records


class TopicBook(Closing):
    """Follows one topic; `learn` is called with every record in offset order.

    Where records were deleted before they were read, or the topic was made anew, `forget` is called and everything is
    read again, so that nothing is known that a process started now would not know.
    """

    def __init__(
        self,
        broker: Broker,
        topic: str,
        learn: Callable[[InRecord], None],
        forget: Callable[[], None] | None = None,
    ) -> None:
        positions = positions_of(broker, topic)
        self._reader = broker.reader(dict.fromkeys(positions, 0))
        self._learn, self._forget, self._topic = learn, forget, topic
        self._to_beginning()

    def refresh(self) -> None:
        """Learn everything up to the end as it is now."""
        self._follow(self._read_on)

    def glance(self, most_s: float = 0.0) -> None:
        """Learn what has arrived, or arrives within a while, without asking the broker how much there is."""
        self._follow(partial(self._take_arrived, most_s))

    def _follow(self, read: Callable[[], None]) -> None:
        try:
            read()
        except (RetentionOvertook, LogTruncated) as fault:
            if self._forget is None:
                raise
            _log.error("a topic is read again from its beginning", topic=self._topic, why=str(fault))
            BOOKS_AGAIN.labels(topic=self._topic).inc()
            self._forget()
            self._to_beginning()
            self._read_on()

    def close(self) -> None:
        """Close the reader; what was learnt stays with whoever learnt it."""
        self._reader.close()

    def _read_on(self) -> None:
        ends = self._reader.end_offsets(self._reader.assignment())
        beyond = [position for position, end in ends.items() if self._reader.position(position) > end]
        if beyond:
            raise LogTruncated(f"{beyond[0]} ends before what was read of it")
        for record in read_until(self._reader, ends):
            self._learn(record)

    def _take_arrived(self, most_s: float) -> None:
        for record in self._reader.poll(most_s):
            self._learn(record)

    def _to_beginning(self) -> None:
        for position, offset in self._reader.beginning_offsets(self._reader.assignment()).items():
            self._reader.seek(position, offset)


def readable(record: InRecord) -> Message | None:
    """What the record says; None, counted and logged, where it is none of ours or a newer version's."""
    try:
        return decode(record.headers, record.value).message
    except EnvelopeError as error:
        _count_unreadable(record, str(error))
        return None


def _count_unreadable(record: InRecord, why: str) -> None:
    UNREADABLE.labels(topic=record.topic).inc()
    _log.error("a record cannot be used", position=record.position, offset=record.offset, why=why)


class RecipeBook(Closing):
    """All recipe versions, as `linewarden_runtime.recipes` understands the topic.

    With `by_digest` a reference that does not name the digest of its content is unknown; it is turned on once every
    writer names it.
    """

    def __init__(self, broker: Broker, namespace: Namespace, *, by_digest: bool = False) -> None:
        self._by_digest = by_digest
        self._records = RecipeRecords()
        self._snapshot: KnownRecipes | None = None
        self._book = TopicBook(broker, namespace.topic("recipes"), self._learn, self._forget)
        self._book.refresh()

    @property
    def all(self) -> KnownRecipes:
        """Everything known now; fit to be handed to other threads."""
        if self._snapshot is None:
            self._snapshot = self._records.snapshot(by_digest=self._by_digest)
        return self._snapshot

    def get(self, ref: RecipeRef) -> Recipe | None:
        """The recipe, after a look for news; None where it is unknown, in doubt, or published with two contents.

        Raises:
            BrokerUnavailable: where the broker does not answer.
        """
        self.refresh()
        return self.all.get(ref)

    def glance(self, ref: RecipeRef) -> Recipe | None:
        """The same by what has arrived, without waiting for the broker."""
        self._book.glance()
        return self.all.get(ref)

    def named(self, ref: RecipeRef) -> Recipe | None:
        """The content that a reference names, by what is known now, also where nobody may judge by its version."""
        return self.all.named(ref)

    def unkeyed(self) -> list[Recipe]:
        """Contents that only lie under a key without their digest, as older software wrote it."""
        return self._records.unkeyed()

    def refresh(self) -> None:
        """Learn what was published since."""
        self._book.refresh()

    def close(self) -> None:
        """Close the reader; snapshots that were handed out stay valid."""
        self._book.close()

    def _learn(self, record: InRecord) -> None:
        self._snapshot = None
        wrong = self._records.learn(record)
        if wrong is not None:
            _count_unreadable(record, wrong)

    def _forget(self) -> None:
        self._records, self._snapshot = RecipeRecords(), None


class StateBook(Closing):
    """Line states by line. The last one told counts from its time on, whatever was told before it for later.

    A record that cannot be read leaves its line's state untold until the next one. `look` and `wait` belong to one
    thread; what is known may be asked from another.
    """

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self._told: dict[str, tuple[tuple[int, LineState | None], ...]] = {}
        """By line, the newest first: when the broker appended it, and what was told."""
        self.heard = 0
        """How many records were learnt; one that is counted is known."""
        self._book = TopicBook(broker, namespace.topic("line-state"), self._learn, self._forget)
        self._book.refresh()

    def refresh(self) -> None:
        """Learn what was told since."""
        self._book.refresh()

    def wait(self, most_s: float) -> None:
        """Learn what arrives, for at most that long where nothing does."""
        self._book.glance(most_s)

    def is_told(self, line_id: str, by_ms: int) -> bool:
        """Whether any state of a line was appended by then (epoch ms, the broker's time)."""
        return any(append_ms <= by_ms for append_ms, _ in self._told.get(line_id, ()))

    def state(self, line_id: str, at_ms: int | None = None, by_ms: int | None = None) -> LineState | None:
        """The newest state of a line, or the one at a time (epoch ms); None where it was not told or cannot be read.

        A newest state by which nothing passes counts at once, also where it names a later time: whoever said so had
        another clock than the camera. With `by_ms` only what the broker had appended by then was told.
        """
        told = [state for append_ms, state in self._told.get(line_id, ()) if by_ms is None or append_ms <= by_ms]
        if not told or at_ms is None:
            return told[0] if told else None
        for state in told:  # the newest stands first
            if state is None or state.since_ms <= at_ms:
                passed, passes = (one is not None and one.passes() for one in (state, told[0]))
                return told[0] if passed and not passes else state
        return None

    def close(self) -> None:
        """Close the reader; what was learnt can still be asked for."""
        self._book.close()

    def _learn(self, record: InRecord) -> None:
        message, line_id = readable(record), _line_of(record)
        told = message if isinstance(message, LineState) and message.line_id == line_id else None
        if told is None and message is not None:
            _count_unreadable(record, f"{message.TYPE} of {getattr(message, 'line_id', None)}")
        if message is None or isinstance(message, LineState):
            entry = record.timestamp_ms, told
            self._told[line_id] = (entry, *self._told.get(line_id, ()))[:_REMEMBERED]
            self.heard += 1

    def _forget(self) -> None:
        self._told = {}


class LineBook(Closing):
    """Line states, and activations by line; one that cannot be read leaves its line's unknown until the next one."""

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self._unreadable: dict[str, InRecord] = {}
        self._activations: dict[str, tuple[Activation, ...]] = {}
        self._states = StateBook(broker, namespace)
        topic = namespace.topic("activations")
        self._book = TopicBook(broker, topic, self._learn_activation, self._forget_activations)
        self._book.refresh()

    def refresh(self) -> None:
        """Learn what was published since."""
        self._states.refresh()
        self._book.refresh()

    def state(self, line_id: str, at_ms: int | None = None) -> LineState | None:
        """The newest state of a line, or the one at a time (epoch ms), as of `StateBook`."""
        return self._states.state(line_id, at_ms)

    def activation(self, line_id: str, at_ms: int) -> Activation | None:
        """The activation in force at a time (epoch ms): of those that count by then, the one told last.

        Raises:
            ConfigurationError: where the newest cannot be read, so that nobody knows what is in force.
        """
        if line_id in self._unreadable:
            record = self._unreadable[line_id]
            raise ConfigurationError(
                f"the newest activation of line {line_id} (offset {record.offset} of {record.topic}) cannot be read; "
                f"run 'linewarden line activate {line_id} RECIPE@VERSION'"
            )
        return next((one for one in self.activations(line_id) if one.from_ms <= at_ms), None)

    def activations(self, line_id: str) -> tuple[Activation, ...]:
        """Every activation of a line that can be read, the one told last first."""
        return self._activations.get(line_id, ())

    @property
    def lines(self) -> frozenset[str]:
        """Lines on which something was activated."""
        return frozenset(self._activations)

    def close(self) -> None:
        """Close both readers; what was learnt can still be asked for."""
        self._states.close()
        self._book.close()

    def _learn_activation(self, record: InRecord) -> None:
        message, line_id = readable(record), _line_of(record)
        if isinstance(message, Activation) and message.line_id == line_id:
            self._unreadable.pop(line_id, None)
            self._activations[line_id] = (message, *self._activations.get(line_id, ()))
            return
        if message is not None:
            _count_unreadable(record, f"{message.TYPE} of {getattr(message, 'line_id', None)}")
        if message is None or isinstance(message, Activation):
            self._unreadable[line_id] = record

    def _forget_activations(self) -> None:
        self._activations, self._unreadable = {}, {}


def _line_of(record: InRecord) -> str:
    return (record.key or b"").decode(errors="replace")
