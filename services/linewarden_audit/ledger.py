"""What the topics of a namespace say, reduced to what a balance needs. Order between topics does not matter.

Within a partition the first record of an id counts, as with every reader; what comes after is a duplicate, or
contradicts it and is kept as a further answer. It shares no code with what routes, nor with the index.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from linewarden_audit.facts import (
    ActedVisit,
    CapturedFrame,
    Decided,
    InspectedFrame,
    LineStateFacts,
    RecipeName,
    Reviewed,
    RoutedVisit,
    SlotClosed,
    SlotOpened,
    ToldState,
    ToldView,
)
from linewarden_history.reading import WrittenAt, place, visit_of
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import LineState, LineStateRef, RecipeRef
from linewarden_schemas.operations import Actuation, DeadLetter
from linewarden_schemas.recipe import Recipe

CameraEpoch = tuple[str, str, str, int]
"""Line, station, camera, spool epoch: one contiguous run of sequences from 0."""

Shared = TypeVar("Shared", bound=Hashable)
Fact = TypeVar("Fact", CapturedFrame, InspectedFrame, RoutedVisit, ActedVisit, SlotOpened, SlotClosed, Decided)
_REPEATED = frozenset(
    {"view_id", "line_id", "station_id", "camera_id", "lot_id", "product_id", "bundle_digest", "causes"}
)
"""Fields in which most records of a line repeat what others say: each value is kept once."""


def run_of(message: Capture | CameraHeartbeat) -> CameraEpoch:
    """The run of sequences that a capture or heartbeat belongs to."""
    return message.line_id, message.station_id, message.camera_id, message.spool_epoch


@dataclass(slots=True)
class AuditLedger:
    """Everything learnt so far; `learn` may be called with any message of the namespace."""

    captured: dict[str, CapturedFrame] = field(default_factory=dict)
    captured_again: dict[str, list[CapturedFrame]] = field(default_factory=dict)
    """Further captures of a frame that contradict the first, or name more of its part."""
    sequences: dict[CameraEpoch, dict[int, str]] = field(default_factory=dict)
    doubled_sequences: set[str] = field(default_factory=set)
    told_sequences: dict[CameraEpoch, dict[int, int | None]] = field(default_factory=dict)
    """Numbers that a camera's heartbeats told of as its last, each with when one first did (epoch ms)."""
    closed_sequences: dict[CameraEpoch, int] = field(default_factory=dict)
    """The last numbers of a closed period: what follows begins there, not at 0."""
    inspected: dict[str, InspectedFrame] = field(default_factory=dict)
    inspected_again: dict[str, list[InspectedFrame]] = field(default_factory=dict)
    """Further inspections of a frame that contradict the first."""
    duplicates: int = 0
    first: dict[str, RoutedVisit] = field(default_factory=dict)
    latest: dict[str, RoutedVisit] = field(default_factory=dict)
    revisions: dict[str, list[RoutedVisit]] = field(default_factory=dict)
    """Every further record of a visit beside the one in `first`, in whatever order."""
    acted: dict[str, list[ActedVisit]] = field(default_factory=dict)
    """What gates report to have done, by visit."""
    reviews: dict[str, Reviewed] = field(default_factory=dict)
    recipes: dict[tuple[str, int], dict[str, tuple[Recipe, int | None]]] = field(default_factory=dict)
    """Contents of a recipe's version by their digest, each with when it was first written (epoch ms)."""
    line_states: dict[str, list[ToldState]] = field(default_factory=dict)
    """What was told of each line, in the order of the log."""
    dead_frames: set[str] = field(default_factory=set)
    unnamed_dead: dict[str, set[str]] = field(default_factory=dict)
    """Frames that became dead letters without a name, by visit: where they lie. Each stands for one frame at most."""
    dead_letters: int = 0
    dead_sources: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    """Records that are none of ours, as `topic[partition]@offset`; each must have become a dead letter."""
    miskeyed: set[str] = field(default_factory=set)
    """Records whose key is not that of their message."""
    strays: set[str] = field(default_factory=set)
    """Records that do not belong where they lie, in topics of which nobody makes dead letters."""
    expired: set[str] = field(default_factory=set)
    """Records that are gone and were not closed by any period, or were closed by one that the log does not reach any
    more, as `topic[partition]@first-last`."""
    _shared: dict[Hashable, Hashable] = field(default_factory=dict, repr=False)

    def learn(self, message: Message, written: WrittenAt | None = None) -> None:  # noqa: C901 - one case a kind
        """Enter one message, and where its record lies; kinds that no balance needs are passed over."""
        written = written or WrittenAt()
        match message:
            case Capture():
                self._capture(message, written)
            case CameraHeartbeat():
                self.told_sequences.setdefault(run_of(message), {}).setdefault(message.last_sequence, written.at_ms)
            case Inspection():
                self._inspection(message, written)
            case Disposition():
                self._disposition(message, written)
            case Actuation():
                acted = self._fact(ActedVisit, message, written=written)
                self.acted.setdefault(message.visit_id, []).append(acted)
            case SlotOpen() | SlotClose():
                self._reviewed(message.visit_id).slots.append(self._slot(message, written))
            case Decision():
                self._decision(message, written)
            case Recipe():
                self._recipe(message, written)
            case LineState():
                self._told_state(message, written)
            case DeadLetter():
                self._dead_letter(message)
            case _:
                pass

    def learn_dropped(self, slot_id: str, offset: int) -> None:
        """Enter the tombstone of a slot; one of a visit that nobody was asked about says nothing."""
        reviewed = self.reviews.get(slot_id.rsplit(".", 2)[0])
        if reviewed is not None:
            reviewed.dropped[slot_id] = offset

    def history(self, visit_id: str) -> list[RoutedVisit]:
        """Every record of a visit's dispositions, by revision, and of one revision in their order."""
        first = self.first.get(visit_id)
        known = [*([] if first is None else [first]), *self.revisions.get(visit_id, ())]
        return sorted(known, key=lambda one: (one.revision, one.written.offset))

    def _capture(self, capture: Capture, written: WrittenAt) -> None:
        holder = self.sequences.setdefault(run_of(capture), {}).setdefault(capture.sequence, capture.frame_id)
        if holder != capture.frame_id:
            self.doubled_sequences |= {holder, capture.frame_id}
        returned = capture.returned
        found = self._fact(
            CapturedFrame,
            capture,
            recipe=self._recipe_name(capture.recipe),
            line_state=self._line_state(capture.line_state),
            returned=None if returned is None else (returned.previous_visit_id, returned.authority),
            written=written,
        )
        known = self.captured.setdefault(capture.frame_id, found)
        if known is not found:
            self.duplicates += 1
            first, later = _in_order(known, found)
            self.captured[capture.frame_id] = first
            if any(first.contradictions(later)) or later.adds_to(first):
                self.captured_again.setdefault(capture.frame_id, []).append(later)

    def _inspection(self, message: Inspection, written: WrittenAt) -> None:
        limits = message.thresholds
        found = self._fact(
            InspectedFrame,
            message,
            limits=None if limits is None else self._same((limits.defect, limits.suspicion)),
            recipe=self._recipe_name(message.recipe),
            source=place(message.source),
            written=written,
        )
        known = self.inspected.setdefault(message.frame_id, found)
        if known is not found:
            self.duplicates += 1
            first, later = _in_order(known, found)
            self.inspected[message.frame_id] = first
            if any(first.contradictions(later)):
                self.inspected_again.setdefault(message.frame_id, []).append(later)

    def _disposition(self, message: Disposition, written: WrittenAt) -> None:
        routed = self._fact(
            RoutedVisit,
            message,
            views=tuple(
                ToldView(view.view_id, view.frame_id, view.verdict, view.undecidable, view.p_defect, view.suspicion)
                for view in message.views
            ),
            recipe=self._recipe_name(message.recipe),
            line_state=None if message.line_state is None else self._line_state(message.line_state),
            alarm=message.alarm is not None,
            written=written,
        )
        if routed.revision != 0 or self.first.setdefault(message.visit_id, routed) is not routed:
            self.revisions.setdefault(message.visit_id, []).append(routed)
        before = self.latest.get(message.visit_id)
        if before is None or routed.revision > before.revision:
            self.latest[message.visit_id] = routed

    def _slot(self, message: SlotOpen | SlotClose, written: WrittenAt) -> SlotOpened | SlotClosed:
        if isinstance(message, SlotClose):
            return self._fact(SlotClosed, message, written=written)
        return self._fact(SlotOpened, message, recipe=self._recipe_name(message.recipe), written=written)

    def _decision(self, message: Decision, written: WrittenAt) -> None:
        decided = self._fact(
            Decided,
            message,
            covers=frozenset(message.covers),
            shown=frozenset((each.frame_id, each.sha256) for each in message.shown if each.sha256 is not None),
            written=written,
        )
        known = self._reviewed(message.visit_id).decisions
        before = known.setdefault(message.decision_id, decided)
        if before is not decided:
            self.duplicates += 1
            known[message.decision_id] = _in_order(before, decided)[0]

    def _recipe(self, recipe: Recipe, written: WrittenAt) -> None:
        contents = self.recipes.setdefault((recipe.recipe_id, recipe.version), {})
        contents.setdefault(recipe.digest(), (recipe, written.at_ms))

    def _told_state(self, state: LineState, written: WrittenAt) -> None:
        at_ms = state.since_ms if written.at_ms is None else written.at_ms
        told = ToldState(at_ms, state.mode, tuple(one.cause for one in state.locks), state.valid_until_ms)
        self.line_states.setdefault(state.line_id, []).append(told)

    def _dead_letter(self, letter: DeadLetter) -> None:
        self.dead_letters += 1
        source = place(letter.source)
        self.dead_sources.add(source)
        if not letter.source.topic.endswith(".frames"):
            return
        told = next((value.decode(errors="replace") for name, value in letter.headers if name == "ce_id"), None)
        named, visit_id = letter.frame_id or told, visit_of(letter)
        if named is not None:
            self.dead_frames.add(named)
        elif visit_id is not None:
            self.unnamed_dead.setdefault(visit_id, set()).add(source)

    def _reviewed(self, visit_id: str) -> Reviewed:
        return self.reviews.setdefault(visit_id, Reviewed())

    def _recipe_name(self, ref: RecipeRef) -> RecipeName:
        return self._same(RecipeName(ref.recipe_id, ref.version, ref.digest))

    def _line_state(self, state: LineStateRef) -> LineStateFacts:
        return self._same((state.mode, state.since_ms, state.order_id, state.shift, state.locked, state.has_gate))

    def _fact(self, kind: type[Fact], message: Message, **told: object) -> Fact:
        """What the message says in the fields of a fact, but for those that are told."""
        values: dict[str, Any] = told
        for name in kind.__match_args__:  # the names of its fields
            if name not in told:
                value = getattr(message, name)
                values[name] = self._same(value) if name in _REPEATED else value
        return kind(**values)

    def _same(self, value: Shared) -> Shared:
        """An equal value that was kept before: most records of a line repeat what others say."""
        return self._shared.setdefault(value, value)  # type: ignore[return-value]  # it is equal, so of its kind


def _in_order(known: Fact, found: Fact) -> tuple[Fact, Fact]:
    return (known, found) if known.written.offset <= found.written.offset else (found, known)
