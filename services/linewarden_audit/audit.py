"""Reads a namespace into a ledger, outside any group, committed records only: all of it, or what no period has closed.

Of what a period has closed only the records of visits that it left open are read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance, BalanceReport
from linewarden_audit.ledger import AuditLedger, CameraEpoch, run_of
from linewarden_history.reading import Looked, WrittenAt, place, records_between, visit_of
from linewarden_runtime.books import positions_of, read_to_end, reader_of_all
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import Balance, DeadLetter, Stretch
from linewarden_schemas.topics import CATALOGUE

READ_ORDER = ("actuations", "dispositions", "reinspections", "inspections", "dead-letters", "decisions", "captures")
"""Effects before causes: while the line runs, whatever was answered has its cause in what is read after it."""


def balance_records(
    records: Iterable[InRecord],
    now_ms: int,
    allowance: Allowance | None = None,
    partitions: Mapping[str, int] | None = None,
) -> BalanceReport:
    """Balance what lies in these records of a namespace, as of `now_ms` (epoch ms). Pure.

    Those of a partition come in the order of their offsets; topics may come in any order, and such that no balance
    needs are passed over. `partitions`: how many a topic has, so that a record in the wrong one is named.
    """
    ledger, counts = AuditLedger(), partitions or {}
    for record in records:
        _learn_dropped(record, ledger)
        message = message_in(record, ledger, counts.get(record.topic))
        if message is not None:
            ledger.learn(message, WrittenAt.of(record))
    return balance(ledger, now_ms, allowance)


def message_in(record: InRecord, ledger: AuditLedger, partitions: int | None = None) -> Message | None:
    """What a record says where it lies; None for a tombstone and for one that does not belong there, which is entered.

    The balance asks for the dead letter of one that does not belong there, where somebody would have made it.
    """
    if record.value is None:
        return None
    logical = record.topic.rsplit(".", 1)[-1]
    message = _belonging(record, logical, partitions)
    if message is None and logical in {"captures", "inspections", "decisions", "actuations"}:  # route's dead letters
        ledger.unreadable.add(place(record))
    elif message is None:
        ledger.strays.add(place(record))
    elif record.key != _key_of(message, record):
        ledger.miskeyed.add(place(record))
    return message


def _learn_dropped(record: InRecord, ledger: AuditLedger) -> None:
    """Enter the tombstone of a slot; those of other topics only forget what was closed before."""
    if record.value is None and record.key is not None and record.topic.endswith(".reinspections"):
        ledger.learn_dropped(record.key.decode(errors="replace"), record.offset)


def _belonging(record: InRecord, logical: str, partitions: int | None) -> Message | None:
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        return None
    topic = CATALOGUE.get(logical)
    if topic is None or not isinstance(message, topic.messages):
        return None
    visit_id = visit_of(message) if topic.by_visit else None
    is_astray = (
        visit_id is not None and partitions is not None and partition_of(visit_id, partitions) != record.partition
    )
    return None if is_astray else message


def _key_of(message: Message, record: InRecord) -> bytes | None:
    """The key that a message's record has; its own where that matters to nobody."""
    match message:
        case SlotOpen() | SlotClose():
            return message.slot_id.encode()
        case CameraHeartbeat() | DeadLetter():
            return record.key
        case _:
            visit_id = visit_of(message)
            return record.key if visit_id is None else visit_id.encode()


@dataclass(slots=True)
class Unclosed:
    """What follows on a closed period: its ledger, and where the records lie.

    `stretches`: first and next offset of what the next period would close. `captured`, `inspected` (frames) and
    `routed` (visits) lie within them. `belated`: numbers of cameras in them that the period had closed already.
    `reopened`: visits closed before, of which something was looked up again.
    """

    last: Balance | None
    ledger: AuditLedger = field(default_factory=AuditLedger)
    stretches: dict[Position, tuple[int, int]] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)
    inspected: set[str] = field(default_factory=set)
    routed: set[str] = field(default_factory=set)
    belated: set[tuple[CameraEpoch, int]] = field(default_factory=set)
    reopened: set[str] = field(default_factory=set)
    _before: dict[Position, Stretch] = field(default_factory=dict)
    _began: dict[Position, int] = field(default_factory=dict)
    """Where the reading of each partition began."""
    _counts: Counter[str] = field(default_factory=Counter)
    _carried: frozenset[str] = frozenset()
    _places: dict[str, dict[Position, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.last is not None:
            self._carried = frozenset(self.last.open_ids)
            self._before = {Position(one.topic, one.partition): one for one in self.last.stretches}
            marks = self.last.cameras
            self.ledger.closed_sequences = {
                (one.line_id, one.station_id, one.camera_id, one.spool_epoch): one.last_sequence for one in marks
            }

    def start(self, position: Position, oldest: int, end: int, since: int) -> int:
        """Where to read a partition from, of which `oldest` to before `end` is kept.

        What was deleted unclosed, or closed and is not there any more (a topic made anew), is entered as expired.
        Of a topic that the last period did not know what was written `since` then is new.
        """
        self._began[position] = self._start(position, oldest, end, since)
        self._counts[position.topic] += 1
        return self._began[position]

    def _start(self, position: Position, oldest: int, end: int, since: int) -> int:
        before = self._before.get(position)
        if before is None:
            self.stretches[position] = (since, since)
            return oldest
        if oldest > before.needed_from:
            self.ledger.expired.add(f"{position.topic}[{position.partition}]@{before.needed_from}-{oldest - 1}")
        if end < before.to_offset:
            self.ledger.expired.add(f"{position.topic}[{position.partition}]@{end}-{before.to_offset - 1}")
        self.stretches[position] = (before.to_offset, before.to_offset)
        return max(oldest, min(end, before.needed_from))

    def end(self, position: Position, next_offset: int) -> None:
        """The partition was read up to before this offset."""
        begin, _ = self.stretches[position]
        self.stretches[position] = (begin, max(begin, next_offset))

    def learn(self, record: InRecord) -> None:
        """Enter a record. One that does not belong where it lies is entered as that, unless a period closed it."""
        is_new = record.offset >= self.stretches[record.position][0]
        message = message_in(record, self.ledger if is_new else AuditLedger(), self._counts[record.topic])
        if message is None:
            return
        if is_new:
            self._enter(message)
        elif not self._is_carried(message):
            return
        self._learn(record, message)

    def recall(self, record: InRecord, wanted: Collection[str]) -> None:
        """Enter a record of before where it is about a wanted visit or frame, or gave a belated number."""
        message = message_in(record, AuditLedger(), self._counts[record.topic])
        if message is None:
            return  # the period before has seen its dead letter
        if record.offset >= self._began[record.position] and self._is_carried(message):
            return  # read already
        is_belated = isinstance(message, Capture) and (run_of(message), message.sequence) in self.belated
        if is_belated or visit_of(message) in wanted or getattr(message, "frame_id", None) in wanted:
            self._learn(record, message)
            if isinstance(message, Capture) and message.visit_id not in self._carried:
                self.reopened.add(message.visit_id)

    def doubtful(self, faults: Iterable[str]) -> set[str]:
        """Visits and frames among these ids, and of belated numbers: their records may lie before the stretches."""
        named = set(faults) | {self.ledger.sequences[run][number] for run, number in self.belated}
        frames = [self.ledger.captured.get(one) or self.ledger.inspected.get(one) for one in named]
        return named | {one.visit_id for one in frames if one is not None}

    def needed_from(self, open_ids: Collection[str]) -> dict[Position, int]:
        """The oldest offset of each partition that open visits need; the end of its stretch where they need none."""
        needed = {position: end for position, (_, end) in self.stretches.items()}
        opened = set(open_ids)
        frames = {one.frame_id for one in self.ledger.captured.values() if one.visit_id in opened}
        for name in opened | frames:
            for position, offset in self._places.get(name, {}).items():
                needed[position] = min(needed[position], offset)
        if opened - self._places.keys():  # final, with a frame to be answered: rare enough to read all of it again
            return {position: min(needed[position], self._began[position]) for position in self.stretches}
        return needed

    def _is_carried(self, message: Message) -> bool:
        """Whether a record of before is read with what follows: of open visits, and every dead letter."""
        return visit_of(message) in self._carried or isinstance(message, DeadLetter)

    def _enter(self, message: Message) -> None:
        match message:
            case Capture():
                self.captured.add(message.frame_id)
                run = run_of(message)
                if message.sequence <= self.ledger.closed_sequences.get(run, -1):
                    self.belated.add((run, message.sequence))
            case Inspection():
                self.inspected.add(message.frame_id)
            case Disposition(revision=0):
                self.routed.add(message.visit_id)
            case _:
                pass

    def _learn(self, record: InRecord, message: Message) -> None:
        position, offset = record.position, record.offset
        self.ledger.learn(message, WrittenAt.of(record))
        name = visit_of(message) or getattr(message, "frame_id", None)
        if name is None:
            return
        known = self.ledger.latest.get(name)
        if known is not None and known.final:
            self._places.pop(name, None)  # dispositions are read first, so that only what is open takes memory
        else:
            self._places.setdefault(name, {}).setdefault(position, offset)


def read_unclosed(
    broker: Broker, namespace: Namespace, last: Balance | None, progress: Looked = lambda _name, _count: None
) -> Unclosed:
    """Everything that follows on a closed period, with what its open visits need; all there is where `last` is None.

    Raises:
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    found = Unclosed(last)
    for name in READ_ORDER:
        _read_topic(broker, namespace.topic(name), found, partial(progress, name))
    read_settings(broker, namespace, found.ledger)
    return found


def look_back(broker: Broker, namespace: Namespace, found: Unclosed, wanted: Collection[str]) -> None:
    """Read what the periods before closed once more, for some visits and frames and for belated numbers alone."""
    for name in READ_ORDER:
        positions = positions_of(broker, namespace.topic(name))
        with reader_of_all(broker, positions) as reader:
            ends = {one: min(found.stretches[one][0], end) for one, end in reader.end_offsets(positions).items()}
            for record in records_between(reader, ends):
                if record.value is not None:
                    found.recall(record, wanted)


def read_ledger(broker: Broker, namespace: Namespace, progress: Looked = lambda _name, _count: None) -> AuditLedger:
    """Everything that the topics of a namespace hold now; raises BrokerUnavailable."""
    return read_unclosed(broker, namespace, None, progress).ledger


def _read_topic(broker: Broker, topic: str, found: Unclosed, progress: Callable[[int], None]) -> None:
    positions = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        oldest, ends = reader.beginning_offsets(positions), reader.end_offsets(positions)
        since = oldest if found.last is None else _since(reader, found.last.to_ms, ends)
        for position in positions:
            reader.seek(position, found.start(position, oldest[position], ends[position], since[position]))
        for count, record in enumerate(read_to_end(reader), 1):
            if record.value is not None:
                found.learn(record)
            _learn_dropped(record, found.ledger)
            progress(count)
        for position in positions:
            found.end(position, reader.position(position))


def _since(reader: Reader, at_ms: int, ends: Mapping[Position, int]) -> dict[Position, int]:
    """The first offset of each partition that was written from a time on; its end where there is none."""
    found = reader.offsets_for_times(dict.fromkeys(ends, at_ms))
    return {position: end if found[position] is None else found[position] or 0 for position, end in ends.items()}


def read_settings(broker: Broker, namespace: Namespace, ledger: AuditLedger) -> None:
    """Enter every recipe and line state that is kept: they are few and never closed; raises BrokerUnavailable."""
    for topic in (namespace.topic("recipes"), namespace.topic("line-state")):
        with reader_of_all(broker, positions_of(broker, topic)) as reader:
            for record in read_to_end(reader):
                message = message_in(record, ledger)
                if message is not None:
                    ledger.learn(message, WrittenAt.of(record))
