"""What the topics of a namespace say, reduced to what a balance needs. Order between topics does not matter.

Within a topic the first record of an id counts, as with every reader; what comes after is a duplicate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Cause, Loss, Routing, Undecidable, Verdict

CameraEpoch = tuple[str, str, str, int]
"""Line, station, camera, spool epoch: one contiguous run of sequences from 0."""


def place(topic: str, partition: int, offset: int) -> str:
    """Where a record lies, in words."""
    return f"{topic}[{partition}]@{offset}"


def visit_of(message: Message) -> str | None:
    """The visit that a message is about; None where it names none."""
    named: str | None = getattr(message, "visit_id", None)
    if named is None and isinstance(message, DeadLetter) and message.source.topic.endswith(".frames") and message.key:
        return message.key.decode(errors="replace")  # its headers could not be read; the key is the visit
    return named


def run_of(message: Capture | CameraHeartbeat) -> CameraEpoch:
    """The run of sequences that a capture or heartbeat belongs to."""
    return message.line_id, message.station_id, message.camera_id, message.spool_epoch


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One captured view; `lost` says why there is no picture."""

    frame_id: str
    visit_id: str
    captured_ms: int
    decide_by_ms: int
    lost: Loss | None


@dataclass(frozen=True, slots=True)
class InspectedFrame:
    """The first inspection of a frame."""

    frame_id: str
    visit_id: str
    verdict: Verdict
    undecidable: Undecidable | None
    doubtful: bool
    p_defect: float | None
    suspicion: float | None
    frame_sha256: str | None
    captured_ms: int
    inspected_ms: int

    def contradicts(self, other: InspectedFrame) -> bool:
        """Whether two answers to one frame differ. A frame that was sent again may be late the second time."""
        if Undecidable.LATE in {self.undecidable, other.undecidable}:
            return False
        mine, others = ((one.verdict, one.undecidable, one.frame_sha256) for one in (self, other))
        return mine != others


@dataclass(frozen=True, slots=True)
class RoutedVisit:
    """One revision of a visit's disposition."""

    visit_id: str
    revision: int
    routing: Routing
    causes: tuple[Cause, ...]
    final: bool
    first_captured_ms: int
    decide_by_ms: int
    decided_ms: int
    frame_ids: tuple[str | None, ...]
    """Of every expected view; None for one that was missing or had no verdict."""


@dataclass(slots=True)
class Ledger:
    """Everything learnt so far; `learn` may be called with any message of the namespace."""

    captured: dict[str, CapturedFrame] = field(default_factory=dict)
    sequences: dict[CameraEpoch, dict[int, str]] = field(default_factory=dict)
    doubled_sequences: set[str] = field(default_factory=set)
    last_sequences: dict[CameraEpoch, int] = field(default_factory=dict)
    closed_sequences: dict[CameraEpoch, int] = field(default_factory=dict)
    """The last numbers of a closed period: what follows begins there, not at 0."""
    inspected: dict[str, InspectedFrame] = field(default_factory=dict)
    contradicted: set[str] = field(default_factory=set)
    duplicates: int = 0
    first: dict[str, RoutedVisit] = field(default_factory=dict)
    latest: dict[str, RoutedVisit] = field(default_factory=dict)
    routed_twice: set[str] = field(default_factory=set)
    open_slots: dict[str, str] = field(default_factory=dict)
    closed_slots: set[str] = field(default_factory=set)
    last_close_ms: dict[str, int] = field(default_factory=dict)
    dead_frames: set[str] = field(default_factory=set)
    dead_visits: set[str] = field(default_factory=set)
    dead_letters: int = 0
    dead_sources: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    """Records that are none of ours, as `topic[partition]@offset`; each must have become a dead letter."""
    expired: set[str] = field(default_factory=set)
    """Records that are gone and were not closed by any period, or were closed by one that the log does not reach any
    more, as `topic[partition]@first-last`."""

    def learn_unreadable(self, topic: str, partition: int, offset: int) -> None:
        """Enter a record that could not be read."""
        self.unreadable.add(place(topic, partition, offset))

    def learn(self, message: Message) -> None:
        """Enter one message; kinds that no balance needs are passed over."""
        match message:
            case Capture():
                self._capture(message)
            case CameraHeartbeat():
                run = run_of(message)
                self.last_sequences[run] = max(message.last_sequence, self.last_sequences.get(run, -1))
            case Inspection():
                self._inspection(message)
            case Disposition():
                self._disposition(message)
            case SlotOpen():
                if message.slot_id not in self.closed_slots:
                    self.open_slots[message.slot_id] = message.visit_id
            case SlotClose():
                self._close(message)
            case DeadLetter():
                self._dead_letter(message)
            case _:
                pass

    def _capture(self, capture: Capture) -> None:
        holder = self.sequences.setdefault(run_of(capture), {}).setdefault(capture.sequence, capture.frame_id)
        if holder != capture.frame_id:
            self.doubled_sequences |= {holder, capture.frame_id}
        if capture.frame_id in self.captured:
            self.duplicates += 1
            return
        self.captured[capture.frame_id] = CapturedFrame(
            capture.frame_id, capture.visit_id, capture.captured_ms, capture.decide_by_ms, capture.lost
        )

    def _inspection(self, message: Inspection) -> None:
        found = InspectedFrame(
            frame_id=message.frame_id,
            visit_id=message.visit_id,
            verdict=message.verdict,
            undecidable=message.undecidable,
            doubtful=message.is_doubtful,
            p_defect=message.p_defect,
            suspicion=message.suspicion,
            frame_sha256=message.frame_sha256,
            captured_ms=message.captured_ms,
            inspected_ms=message.inspected_ms,
        )
        known = self.inspected.setdefault(message.frame_id, found)
        if known is not found:
            self.duplicates += 1
            if known.contradicts(found):
                self.contradicted.add(message.frame_id)

    def _disposition(self, message: Disposition) -> None:
        routed = RoutedVisit(
            visit_id=message.visit_id,
            revision=message.revision,
            routing=message.routing,
            causes=message.causes,
            final=message.final,
            first_captured_ms=message.first_captured_ms,
            decide_by_ms=message.decide_by_ms,
            decided_ms=message.decided_ms,
            frame_ids=tuple(view.frame_id if view.verdict is not None else None for view in message.views),
        )
        if routed.revision == 0 and self.first.setdefault(message.visit_id, routed) is not routed:
            self.routed_twice.add(message.visit_id)
        before = self.latest.get(message.visit_id)
        if before is None or routed.revision > before.revision:
            self.latest[message.visit_id] = routed

    def _close(self, close: SlotClose) -> None:
        self.closed_slots.add(close.slot_id)
        self.open_slots.pop(close.slot_id, None)
        before = self.last_close_ms.get(close.visit_id, 0)
        self.last_close_ms[close.visit_id] = max(before, close.closed_ms)

    def _dead_letter(self, letter: DeadLetter) -> None:
        self.dead_letters += 1
        self.dead_sources.add(place(letter.source.topic, letter.source.partition, letter.source.offset))
        if letter.frame_id is not None:
            self.dead_frames.add(letter.frame_id)
        visit_id = visit_of(letter)
        if visit_id is not None:
            self.dead_visits.add(visit_id)
