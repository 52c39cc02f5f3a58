"""What flows through the line, by the broker's time: which parts have arrived, are answered and are routed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from linewarden.demo import line
from linewarden.demo.figures import Figures, Follower
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Routing


class Flow(Follower):
    """Follows the topics from outside any group. Times are the broker's, epoch ms."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, line.NAMESPACE, Figures())
        self.arrived: dict[str, int] = {}
        self.routed: dict[str, Routing] = {}
        self.routed_at: dict[str, int] = {}
        self.open_slots: set[str] = set()
        self.dead_letters = 0
        self._unanswered: dict[str, str] = {}
        self._answered: set[str] = set()

    def fresh_passes(self, since_ms: int) -> int:
        """How many parts that arrived after a time have passed."""
        return sum(
            at > since_ms and self.routed.get(visit) is Routing.TRUSTED_PASS for visit, at in self.arrived.items()
        )

    def unsettled(self, visits: Collection[str]) -> set[str]:
        """Visits of these that are not routed yet, or of which a picture has no answer."""
        waiting = set(self._unanswered.values())
        return {visit for visit in visits if visit not in self.routed or visit in waiting}

    def routings(self, visits: Collection[str]) -> Counter[str]:
        """How these went."""
        return Counter(self.routed[visit].value for visit in visits if visit in self.routed)

    def _learn(self, record: InRecord) -> None:
        if record.value is None:
            return
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            return
        self._enter(message, record.timestamp_ms)

    def _enter(self, message: Message, at_ms: int) -> None:
        match message:
            case Capture():
                self.arrived.setdefault(message.visit_id, at_ms)
                if message.lost is None and message.frame_id not in self._answered:
                    self._unanswered[message.frame_id] = message.visit_id
            case Inspection():
                self._answer(message.frame_id)
            case DeadLetter():
                self.dead_letters += 1
                self._answer(message.frame_id or "")
            case Disposition() if message.revision == 0 and message.visit_id not in self.routed:
                self.routed[message.visit_id] = message.routing
                self.routed_at[message.visit_id] = at_ms
            case SlotOpen():
                self.open_slots.add(message.slot_id)
            case SlotClose():
                self.open_slots.discard(message.slot_id)
            case _:
                pass

    def _answer(self, frame_id: str) -> None:
        self._answered.add(frame_id)
        self._unanswered.pop(frame_id, None)
