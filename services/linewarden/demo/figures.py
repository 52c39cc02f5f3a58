"""What the screen shows while the line runs: counted from the topics alone, by whoever follows them, and timed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from linewarden_runtime.books import positions_of
from linewarden_runtime.ports import Broker, Closing
from linewarden_runtime.records import InRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
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
        """Count one message; one of a kind that is not shown changes nothing."""
        match message:
            case Capture() if message.frame_id not in self.captured:
                self.captured.add(message.frame_id)
                self.visits.add(message.visit_id)
                self.lost += message.lost is not None
            case Inspection() if message.frame_id not in self.inspected:
                self.inspected.add(message.frame_id)
                self.verdicts[message.verdict] += 1
            case Disposition() if message.revision == 0 and message.visit_id not in self.routings:
                self.routings[message.visit_id] = message.routing
                self.causes.update(cause.value for cause in message.causes)
                self.latencies_ms.append(message.decided_ms - message.first_captured_ms)
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


class Follower(Closing):
    """Feeds `figures` with what was published since the last call; belongs to one thread."""

    def __init__(self, broker: Broker, namespace: Namespace, figures: Figures) -> None:
        followed = ("captures", "inspections", "dispositions", "reinspections", "dead-letters")
        positions = [place for name in followed for place in positions_of(broker, namespace.topic(name))]
        self._reader = broker.reader(dict.fromkeys(positions, 0), max_records=500)
        for position, offset in self._reader.beginning_offsets(positions).items():
            self._reader.seek(position, offset)
        self._figures = figures

    def follow(self, timeout_s: float) -> int:
        """Count what arrives within the time; how many records that were."""
        records = self._reader.poll(timeout_s)
        for record in records:
            self._learn(record)
        return len(records)

    def close(self) -> None:
        """Close the reader; the figures stay."""
        self._reader.close()

    def _learn(self, record: InRecord) -> None:
        if record.value is None:
            return  # a tombstone says only that something is forgotten
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            self._figures.unreadable += 1
            return
        self._figures.learn(message)


@dataclass(slots=True)
class Timing:
    """Monotonic seconds. `begun` is when the command was given."""

    begun: float
    first_frame: float | None = None
    first_routing: float | None = None
    last_change: float | None = None
    _seen: tuple[int, int, int] = (0, 0, 0)

    def look(self, figures: Figures, now: float) -> None:
        """Note what the figures show for the first time."""
        seen = (len(figures.captured), len(figures.inspected), len(figures.routings))
        if seen == self._seen:
            return
        self._seen, self.last_change = seen, now
        if self.first_frame is None and seen[0]:
            self.first_frame = now
        if self.first_routing is None and seen[2]:
            self.first_routing = now

    def idle_s(self, now: float) -> float:
        """How long nothing has changed."""
        return now - (self.begun if self.last_change is None else self.last_change)

    @property
    def running_s(self) -> float:
        """From the first frame to the last change."""
        if self.first_frame is None or self.last_change is None:
            return 0.0
        return self.last_change - self.first_frame

    @property
    def seconds_to_first_routing(self) -> float | None:
        """From the command to the first routing."""
        return None if self.first_routing is None else self.first_routing - self.begun
