"""Evidence ends a set time after its visit's final disposition.

The time is kept by the group's offsets alone: `dispositions` is read in its order, and a record stays uncommitted
until its evidence is due. A shorter keeping time behind a longer one waits with it; nothing ends too early.
"""

from __future__ import annotations

from collections.abc import Callable

from linewarden_inspect import metrics
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, CommitRefused, DeliveryFailed
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.ports import Consumer, Producer
from linewarden_runtime.records import InRecord, OutRecord, Position, next_offsets
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe, ReviewRules
from linewarden_schemas.vocabulary import Routing

_POLL_S = 1.0
_ACK_S = 10.0


class Forgetter:
    """Belongs to a thread of its own: a member of a group joins only while it is polled."""

    def __init__(
        self,
        consumer: Consumer,
        producer: Producer,
        namespace: Namespace,
        recipe: Callable[[RecipeRef], Recipe | None],
        clock: Clock,
    ) -> None:
        self._consumer, self._producer, self._recipe, self._clock = consumer, producer, recipe, clock
        self._topic = namespace.topic("evidence")
        self._due_ms: dict[Position, int] = {}

    def run(self, stop: Stop) -> None:
        """Turn until asked to stop."""
        while not stop.is_set():
            self.turn(_POLL_S)

    def turn(self, timeout_s: float) -> None:
        """Wait for records, and write the tombstones that are due now; what fails is read again at a later turn.

        Raises:
            Fenced: somebody else has this identity.
        """
        self._wake_due()
        set_back: set[Position] = set()
        done = [record for record in self._consumer.poll(timeout_s) if self._is_due(record, set_back)]
        deliveries = [self._producer.send(tombstone) for record in done for tombstone in self._tombstones(record)]
        try:
            for delivery in deliveries:
                delivery.result(_ACK_S)
            if done:
                self._consumer.commit(next_offsets(done))
        except (DeliveryFailed, CommitRefused, BrokerUnavailable):
            self._read_again(done)
        else:
            metrics.EVIDENCE_TOMBSTONES.inc(len(deliveries))

    def _wake_due(self) -> None:
        now_ms = self._clock.now_ms()
        held = self._consumer.assignment()
        self._due_ms = {place: due for place, due in self._due_ms.items() if due > now_ms and place in held}
        self._consumer.resume(self._consumer.paused() - self._due_ms.keys())

    def _is_due(self, record: InRecord, set_back: set[Position]) -> bool:
        """Whether the record is due; if not, its partition is set back and waits there for it."""
        place = record.position
        if place in set_back:
            return False
        due_ms = self._end_of(record)
        if due_ms <= self._clock.now_ms():
            return True
        self._due_ms[place] = due_ms
        self._consumer.pause([place])
        self._consumer.seek(place, record.offset)
        set_back.add(place)
        return False

    def _end_of(self, record: InRecord) -> int:
        disposition = _final(record)
        if disposition is None:
            return 0
        recipe = self._recipe(disposition.recipe)
        review = recipe.review if recipe else ReviewRules()
        return disposition.decided_ms + review.evidence_keep_ms

    def _tombstones(self, record: InRecord) -> list[OutRecord]:
        disposition = _final(record)
        views = disposition.views if disposition else ()
        return [OutRecord(self._topic, view.frame_id.encode(), None) for view in views if view.frame_id is not None]

    def _read_again(self, records: list[InRecord]) -> None:
        held = self._consumer.assignment()
        firsts = {record.position: record.offset for record in reversed(records)}
        for place, offset in firsts.items():
            if place in held:
                self._consumer.seek(place, offset)


def _final(record: InRecord) -> Disposition | None:
    """A final disposition of a visit that may have evidence; a first pass never had a slot."""
    if record.value is None:
        return None
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        return None  # route's readers report it; there is no evidence to end
    if not isinstance(message, Disposition) or not message.final:
        return None
    has_none = message.revision == 0 and message.routing is Routing.TRUSTED_PASS
    return None if has_none else message
