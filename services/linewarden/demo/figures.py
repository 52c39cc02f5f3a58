"""What the screen shows while the line runs, counted from the topics alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Routing, Verdict


@dataclass(slots=True)
class Figures:
    """Running counts. A record that comes twice counts once."""

    captured: set[str] = field(default_factory=set)
    visits: set[str] = field(default_factory=set)
    inspected: set[str] = field(default_factory=set)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    routings: dict[str, Routing] = field(default_factory=dict)
    causes: Counter[str] = field(default_factory=Counter)
    open_slots: set[str] = field(default_factory=set)
    dead_letters: int = 0
    latencies_ms: list[int] = field(default_factory=list)
    lost: int = 0
    unreadable: int = 0

    def learn(self, message: Message) -> None:
        """Count one message."""
        match message:
            case Capture():
                self._capture(message)
            case Inspection() if message.frame_id not in self.inspected:
                self.inspected.add(message.frame_id)
                self.verdicts[message.verdict] += 1
            case Disposition() if message.revision == 0 and message.visit_id not in self.routings:
                self._routed(message)
            case SlotOpen():
                self.open_slots.add(message.slot_id)
            case SlotClose():
                self.open_slots.discard(message.slot_id)
            case DeadLetter():
                self.dead_letters += 1
            case _:
                pass

    def routed(self, routing: Routing) -> int:
        """How many visits went this way first."""
        return sum(1 for one in self.routings.values() if one is routing)

    @property
    def lag(self) -> int:
        """Pictures taken and not inspected yet."""
        return max(0, len(self.captured) - self.lost - len(self.inspected))

    @property
    def unrouted(self) -> int:
        """Visits seen and not routed yet."""
        return len(self.visits - self.routings.keys())

    def _capture(self, capture: Capture) -> None:
        if capture.frame_id in self.captured:
            return
        self.captured.add(capture.frame_id)
        self.visits.add(capture.visit_id)
        self.lost += capture.lost is not None

    def _routed(self, disposition: Disposition) -> None:
        self.routings[disposition.visit_id] = disposition.routing
        self.causes.update(cause.value for cause in disposition.causes)
        self.latencies_ms.append(disposition.decided_ms - disposition.first_captured_ms)
