"""What a partition's new owner reads before it works, and what it says at once so that all topics agree.

The markers of a transaction reach each partition apart, and a broker that falls between them may never write the
rest. So any of what one transaction said may be visible without the rest. `route-state` decides: what follows from
it and cannot be seen is said again; what can be seen and does not follow from it is taken over (dispositions) or
taken back (slots); and the offsets that its last transaction wrote there count, not the group's, so that nothing is
passed over whose effects are not in the state.

An owner whose transaction failed leaves its memory to its heir in the same process, which then reads only what was
written since all of it agreed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from linewarden_route.events import PassLate, Publish, RoutingSeen, RoutingUnseen, SlotsSeen
from linewarden_route.passes import LATE_STATE_MS
from linewarden_route.plan import RouteDesk, TransactionPlan
from linewarden_route.reading import Stray, disposition_in, require_place, slot_in
from linewarden_route.visits import Dormant, Visits
from linewarden_route.writing import (
    FIRST_HEADER,
    FORGET_HEADER,
    PROBE_KEY,
    READ_TO_KEY,
    REVISED_HEADER,
    SAID_FROM,
    UNSEEN,
    Writer,
    camera_key,
)
from linewarden_runtime.books import read_to_end, reader_of_all
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import MOST_VISIT_ID, visit_of
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot

_POLL_S = 0.1
"""Short, since a log that ends with an aborted transaction gives no record at its end, and a line waits."""


@dataclass(frozen=True, slots=True)
class Known:
    """What an owner knew whose transaction failed: all that had surely committed before.

    `agreed` tells, by logical topic, up to where the log and the memory said the same; what lies beyond is read again,
    also where the memory has it already. `read_to`, `unseen` and `newest_ms` are as `Restored` has them.
    """

    visits: Visits
    agreed: Mapping[str, int]
    read_to: Mapping[Position, int]
    unseen: Sequence[tuple[str, int]]
    newest_ms: int | None


@dataclass(slots=True)
class Restored:
    """The memory of a partition as `route-state` has it.

    `read_to` are the offsets that its last transaction read to, by logical topic, and `said_from` where in
    `dispositions` that transaction's records lie at the earliest; `revised` the same of visits whose present revision
    came with their present state, and `first` the first of several that came with it; `forgotten` are visits that were
    ended on purpose. `newest_ms` is the append time of the last record. `damaged` are visits whose last state cannot be
    read: `dispositions` tell of them. `unseen` are the last passes, with their decide-by, of which nobody said that
    they were visible in time; `passes` those of the last time, by which their line's state counts.
    """

    visits: Visits = field(default_factory=Visits)
    read_to: dict[str, int] = field(default_factory=dict)
    said_from: int | None = None
    revised: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    thorough: bool = False
    """Whether the states of final visits are read too, which a restore else leaves until they are needed."""
    newest_ms: int | None = None
    unseen: dict[str, int] = field(default_factory=dict)
    passes: list[Disposition] = field(default_factory=list)
    strays: list[tuple[InRecord, str]] = field(default_factory=list)
    agreed: Mapping[str, int] | None = None
    """Of a memory that was taken over: from where on the topics were read."""
    touched: set[str] = field(default_factory=set)
    """Keys that were read."""
    ends: dict[str, int] = field(default_factory=dict)
    """Up to where they were read, by logical topic."""

    @classmethod
    def of(cls, known: Known) -> Restored:
        """What is taken over from an owner in this process."""
        return cls(
            visits=known.visits,
            read_to={place.topic.rpartition(".")[2]: offset for place, offset in known.read_to.items()},
            said_from=known.agreed["dispositions"],
            newest_ms=known.newest_ms,
            unseen=dict(known.unseen),
            agreed=known.agreed,
        )

    def learn(self, records: Iterable[InRecord], desk: RouteDesk) -> None:
        """Take in the newest record of each key; one that is none of route's is remembered as a stray."""
        for record in _newest(self._dated(records)):
            key = _key(record)
            self.touched.add(key)
            try:
                self._learn(record, desk)
            except (KeyError, ValueError) as error:
                self.strays.append((record, str(error)))
                is_visit = MOST_VISIT_ID >= len(key) > 0 and ":" not in key
                if is_visit and desk.partition_of(key) == record.partition:
                    # What was known of a visit before is not its state any more.
                    self.visits.forget(key)
                    self.damaged.add(key)

    def _dated(self, records: Iterable[InRecord]) -> Iterator[InRecord]:
        for record in records:
            if record.key != PROBE_KEY.encode():
                self.newest_ms = max(self.newest_ms or 0, record.timestamp_ms)
                yield record

    def _learn(self, record: InRecord, desk: RouteDesk) -> None:
        key = (record.key or b"").decode()
        headers = dict(record.headers)
        if key == READ_TO_KEY:
            told = {name: int(value) for name, value in record.headers}
            self.said_from = told.pop(SAID_FROM)
            self.unseen = {name.removeprefix(UNSEEN): told.pop(name) for name in tuple(told) if name.startswith(UNSEEN)}
            self.read_to = told
        elif record.value is None:
            self.visits.forget(key)
            # Noted, so that a disposition that is still visible does not bring the visit back.
            self.forgotten.add(key)
        elif FORGET_HEADER in headers:
            require_place(key, desk, record)
            dormant = Dormant.of(record.value, int(headers[FORGET_HEADER]))
            if self.thorough:
                dormant.visit(key)
            self.visits.put_dormant(key, dormant)
            self._learn_revision(key, headers)
        else:
            message = decode(record.headers, record.value).message
            if isinstance(message, VisitSnapshot) and message.visit_id == key:
                require_place(key, desk, record)
                self.visits.put(key, message)
                self._learn_revision(key, headers)
            elif isinstance(message, CameraProgress):
                self.visits.cameras[camera_key(message)] = message
            else:
                raise Stray(f"{message.TYPE} under the key {key!r} does not belong into route-state")

    def _learn_revision(self, key: str, headers: Mapping[str, bytes]) -> None:
        if FIRST_HEADER in headers:
            self.first[key] = int(headers[FIRST_HEADER])
        if REVISED_HEADER in headers:
            self.revised[key] = int(headers[REVISED_HEADER])

    def where_to_read(self, committed: Mapping[Position, int], broker: Broker) -> dict[Position, int]:
        """Where each joined topic is read on.

        Offsets that were committed without the state that belongs to them would pass over its records: they are read
        again, which is harmless where only some of their effects are known. What was deleted since cannot be.
        """
        told = {place: self.read_to.get(place.topic.rpartition(".")[2], offset) for place, offset in committed.items()}
        behind = [place for place, offset in committed.items() if told[place] < offset]
        if not behind:
            return dict(committed)
        with broker.reader(dict.fromkeys(behind, 0)) as reader:
            oldest = reader.beginning_offsets(behind)
        return {**committed, **{place: told[place] for place in behind if told[place] >= oldest[place]}}


@dataclass(slots=True)
class _VisibleRevisions:
    """What readers of `dispositions` see from `first` on to `end`: the newest revision of each visit."""

    first: int
    end: int
    newest: dict[str, Disposition] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    """Visits whose pass was appended too late."""

    def learn(self, record: InRecord, message: Disposition, desk: RouteDesk) -> None:
        """Take in one record; of two of one revision the first counts."""
        if desk.append_time and message.is_late_pass(record.timestamp_ms):
            self.late.append(message.visit_id)
        known = self.newest.get(message.visit_id)
        if known is None or known.revision < message.revision:
            self.newest[message.visit_id] = message


def restore(
    broker: Broker, desk: RouteDesk, partition: int, *, thorough: bool = False, known: Known | None = None
) -> Restored:
    """The memory of a partition as the log has it, to the end as it is now; `thorough` reads final visits too.

    The predecessor must be fenced before: what it left open is aborted then and does not hide the end. What is `known`
    is changed in place; where that breaks off, it can be taken over once more.

    Raises:
        DamagedState: where the state of a final visit cannot be read; only without `thorough`.
    """
    restored = Restored(thorough=thorough) if known is None else Restored.of(known)
    restored.learn(_records(broker, desk, "route-state", partition, restored), desk)
    for visit in restored.visits.newest():
        restored.visits.positions.learn(visit, desk.recipe(visit.recipe))
    return restored


def mend(
    broker: Broker, desk: RouteDesk, restored: Restored, writer: Writer, now_ms: int, horizon_ms: int
) -> TransactionPlan:
    """A plan after which `dispositions`, `reinspections` and the memory say the same; `said_from` is its own.

    `horizon_ms` is how far before the last word of its owner a partition is looked through that does not tell since
    when it has to be; by the log's time, since no clock of a process is believed.
    """
    visits, plan = restored.visits, TransactionPlan(restored.visits, desk, writer, now_ms)
    said = _said(broker, desk, restored, writer.partition, horizon_ms)
    plan.said_from = restored.ends["dispositions"] = said.end
    for message in said.newest.values():
        if message.visit_id not in restored.forgotten and visits.revision(message.visit_id) < message.revision:
            plan.settle(message.visit_id, RoutingSeen(message))
    for visit_id, from_offset in restored.revised.items():
        seen = said.newest.get(visit_id)
        if from_offset >= said.first and visits.revision(visit_id) > (-1 if seen is None else seen.revision):
            plan.settle(visit_id, RoutingUnseen(restored.first.get(visit_id)))
    for visit_id in said.late:
        plan.settle(visit_id, PassLate())
    # What nothing tells of is ended, or its state would be found damaged by every heir.
    plan.changes |= dict.fromkeys(restored.damaged - plan.changes.keys())
    _mend_slots(plan, broker, desk, restored)
    plan.reject(restored.strays)
    plan.finish()
    return plan


def _slots(
    plan: TransactionPlan, broker: Broker, desk: RouteDesk, restored: Restored
) -> dict[str, SlotOpen | SlotClose]:
    """The last word on every slot; of a memory that was taken over, of visits that were touched."""
    seen: dict[str, SlotOpen | SlotClose] = {}
    since = 0 if restored.agreed is None else restored.agreed["reinspections"]
    newest = list(_newest(_records(broker, desk, "reinspections", plan.writer.partition, restored)))
    restored.touched |= {visit_of(_key(record)) for record in newest if record.offset >= since} | plan.changes.keys()
    for record in newest:
        if record.value is None or (record.offset < since and visit_of(_key(record)) not in restored.touched):
            continue
        try:
            message = slot_in(record, desk)
        except ValueError as error:
            restored.strays.append((record, str(error)))
        else:
            seen[message.slot_id] = message
    return seen


def _mend_slots(plan: TransactionPlan, broker: Broker, desk: RouteDesk, restored: Restored) -> None:
    """Let each visit that may be torn look at its slots as readers see them."""
    seen = _slots(plan, broker, desk, restored)
    for effect in plan.effects:
        if isinstance(effect, Publish) and not isinstance(effect.message, Disposition):
            # As readers will see them once this plan has committed.
            seen[effect.message.slot_id] = effect.message
    by_visit: defaultdict[str, list[SlotOpen | SlotClose]] = defaultdict(list)
    for message in seen.values():
        by_visit[message.visit_id].append(message)
    under_review = plan.under_review()
    if restored.agreed is not None:
        under_review &= restored.touched | plan.changes.keys()
    for visit_id in by_visit.keys() | under_review:
        slots = tuple(by_visit.get(visit_id, ()))
        is_over = visit_id in plan.visits and not plan.visits.is_open(visit_id) and visit_id not in plan.changes
        if not is_over or any(isinstance(slot, SlotOpen) for slot in slots):
            plan.settle(visit_id, SlotsSeen(slots))


def _said(broker: Broker, desk: RouteDesk, restored: Restored, partition: int, horizon_ms: int) -> _VisibleRevisions:
    position = Position(desk.namespace.topic("dispositions"), partition)
    with broker.reader({position: 0}) as reader:
        oldest = reader.beginning_offsets([position])[position]
        first, end = restored.said_from, reader.end_offsets([position])[position]
        if first is None and restored.newest_ms is not None:
            first = reader.offsets_for_times({position: max(0, restored.newest_ms - horizon_ms)})[position]
            first = end if first is None else first
        first = oldest if first is None else max(oldest, first)
        lately = end
        if restored.newest_ms is not None:
            since_ms = max(0, restored.newest_ms - LATE_STATE_MS)
            found = reader.offsets_for_times({position: since_ms})[position]
            lately = end if found is None else found
        said = _VisibleRevisions(first, end)
        # Of a state that is damaged the revisions tell, however long ago they were made.
        reader.seek(position, oldest if restored.damaged else min(first, max(oldest, lately)))
        for record in read_to_end(reader, _POLL_S):
            counts = record.offset >= first or _key(record) in restored.damaged
            try:
                message = disposition_in(record, desk)
            except ValueError as error:
                restored.strays += [(record, str(error))] if counts else []
                continue
            if counts:
                said.learn(record, message, desk)
            if message.is_pass and record.offset >= lately:
                restored.passes.append(message)
    return said


def _records(broker: Broker, desk: RouteDesk, logical: str, partition: int, restored: Restored) -> Iterator[InRecord]:
    """To the end as it is now: of route-state from where a memory that was taken over agreed with it, else all."""
    position = Position(desk.namespace.topic(logical), partition)
    with reader_of_all(broker, [position]) as reader:
        if restored.agreed is not None and logical == "route-state":
            reader.seek(position, restored.agreed[logical])
        yield from read_to_end(reader, _POLL_S)
        restored.ends[logical] = reader.position(position)


def _newest(records: Iterable[InRecord]) -> Iterable[InRecord]:
    """The newest record of each key, in the order of the log, as compaction leaves them; all that have no key."""
    found: dict[bytes | int, InRecord] = {}
    for record in records:
        key = record.key or record.offset
        found.pop(key, None)
        found[key] = record
    return found.values()


def _key(record: InRecord) -> str:
    return (record.key or b"").decode(errors="replace")
