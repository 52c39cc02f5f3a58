"""Evidence ends a set time after its visit's latest final disposition, and not while the visit is remembered.

What is due goes by the broker's time, as the append times that were read tell it, and between them by the monotonic
clock, so that a quiet line forgets too; this machine's wall clock ends nothing. The time is kept by the group's offsets
alone: `dispositions` is acted on in its order, and a record stays uncommitted until its evidence is due. A shorter
keeping time behind a longer one waits with it; nothing ends too early.

A visit may be opened again after it was final, until route has forgotten it at the end of the spool's horizon; its
picture may be gone from `frames` by then, so a shorter keeping time counts for nothing. So each partition is read to
its end before anything of it ends: by then it is known which visits were opened later, and their evidence is left to
their next final disposition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from linewarden_inspect import metrics
from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.errors import BrokerUnavailable, CommitRefused, DeliveryFailed
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.ports import Consumer, Producer
from linewarden_runtime.records import InRecord, OutRecord, Position, next_offsets
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe, ReviewRules, TimeBudget
from linewarden_schemas.vocabulary import Routing


@dataclass(slots=True)
class _PartitionProgress:
    """How far a partition is done (`head`) and known (`ahead`), and when `head` is due (epoch ms).

    `reopened`: the offset at which a visit was last opened again, of those beyond `head`. `until` is the end that has
    to be known before anything ends.
    """

    head: int
    ahead: int = 0
    due_ms: int = 0
    until: int | None = None
    acting: bool = False
    reopened: dict[str, int] = field(default_factory=dict)


class Forgetter:
    """Belongs to a thread of its own: a member of a group joins only while it is polled."""

    def __init__(
        self,
        consumer: Consumer,
        producer: Producer,
        namespace: Namespace,
        recipe: Callable[[RecipeRef], Recipe | None],
        time: BrokerTime,
    ) -> None:
        self._consumer, self._producer, self._recipe, self._time = consumer, producer, recipe, time
        self._topic = namespace.topic("evidence")
        self._places: dict[Position, _PartitionProgress] = {}
        self._now_ms = 0
        """When this turn judges what is due: one moment for all of it, however long the turn takes.

        A record that is not due yet is left with all behind it, and what is left is gone back to later.
        """

    def run(self, stop: Stop) -> None:
        """Turn until asked to stop."""
        while not stop.is_set():
            self.turn(1.0)

    def turn(self, timeout_s: float) -> None:
        """Wait for records, and write the tombstones that are due now; what fails is read again at a later turn.

        Raises:
            Fenced: somebody else has this identity.
        """
        self._time.look()
        self._begin_acting()
        records = self._consumer.poll(timeout_s)
        for record in records:
            self._time.saw(record.timestamp_ms)
        self._now_ms = self._time.now_ms()
        done = [record for record in records if self._take(record)]
        deliveries = [self._producer.send(tombstone) for record in done for tombstone in self._tombstones(record)]
        try:
            for delivery in deliveries:
                delivery.result(10.0)
            if done:
                self._consumer.commit(next_offsets(done))
        except (DeliveryFailed, CommitRefused, BrokerUnavailable):
            self._do_again(done)
        else:
            metrics.EVIDENCE_TOMBSTONES.inc(len(deliveries))
        self._look_on()

    def _begin_acting(self) -> None:
        """Go back to what is due, in partitions that are known to their end."""
        held = self._consumer.assignment()
        self._places = {position: place for position, place in self._places.items() if position in held}
        now_ms = self._time.now_ms()
        due = {at: one for at, one in self._places.items() if not one.acting and one.head < one.ahead}
        due = {at: one for at, one in due.items() if one.due_ms <= now_ms}
        unasked = [position for position, place in due.items() if place.until is None]
        try:
            ends = self._consumer.end_offsets(unasked) if unasked else {}
        except BrokerUnavailable:
            return  # nothing ends before the end is known; it is asked for again at the next turn
        for position, place in due.items():
            place.until = ends.get(position, place.until)
            if place.until is not None and self._consumer.position(position) >= place.until:
                place.acting, place.until = True, None
                self._consumer.seek(position, place.head)

    def _take(self, record: InRecord) -> bool:
        """Whether the record is done with: it is due, or asks for nothing."""
        place = self._places.setdefault(record.position, _PartitionProgress(head=record.offset))
        if not place.acting:
            self._note(place, record)
            return False
        if place.due_ms > self._now_ms or record.offset >= place.ahead:
            return False
        place.due_ms = self._end_of(place, record)
        if place.due_ms > self._now_ms:
            return False
        place.head = record.offset + 1
        return True

    def _note(self, place: _PartitionProgress, record: InRecord) -> None:
        place.ahead = max(place.ahead, record.offset + 1)
        disposition = _disposition(record)
        if disposition is not None and disposition.revision > 0 and not disposition.final:
            place.reopened[disposition.visit_id] = record.offset

    def _look_on(self) -> None:
        """Go on reading ahead where nothing more is due."""
        held = self._consumer.assignment()
        for position, place in self._places.items():
            is_over = place.head >= place.ahead or place.due_ms > self._now_ms
            if place.acting and is_over and position in held:
                place.acting = False
                self._consumer.seek(position, place.ahead)
            place.reopened = {visit: offset for visit, offset in place.reopened.items() if offset >= place.head}

    def _do_again(self, records: list[InRecord]) -> None:
        for position, offset in {record.position: record.offset for record in reversed(records)}.items():
            place = self._places[position]
            place.head, place.due_ms = offset, 0
            if position in self._consumer.assignment():
                self._consumer.seek(position, offset)

    def _end_of(self, place: _PartitionProgress, record: InRecord) -> int:
        """When the evidence that this record speaks of may end (epoch ms); 0 where it speaks of none."""
        disposition = self._ending(place, record)
        if disposition is None:
            return 0
        recipe = self._recipe(disposition.recipe)
        review, time = (recipe.review, recipe.time) if recipe else (ReviewRules(), TimeBudget())
        forgotten_ms = max(disposition.decided_ms, disposition.decide_by_ms) + time.remembered_ms
        return max(disposition.decided_ms + review.evidence_keep_ms, forgotten_ms)

    def _tombstones(self, record: InRecord) -> list[OutRecord]:
        disposition = self._ending(self._places[record.position], record)
        views = disposition.views if disposition else ()
        return [OutRecord(self._topic, view.frame_id.encode(), None) for view in views if view.frame_id is not None]

    @staticmethod
    def _ending(place: _PartitionProgress, record: InRecord) -> Disposition | None:
        """The final disposition that ends evidence: not a first pass, which had no slot, and no visit opened again."""
        found = _disposition(record)
        if found is None or not found.final or place.reopened.get(found.visit_id, -1) > record.offset:
            return None
        has_none = found.revision == 0 and found.routing is Routing.TRUSTED_PASS
        return None if has_none else found


def _disposition(record: InRecord) -> Disposition | None:
    if record.value is None:
        return None
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        return None  # route's readers report it; there is no evidence to end
    return message if isinstance(message, Disposition) else None
