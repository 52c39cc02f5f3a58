"""What the topics of a namespace say, reduced to what a balance needs. Order between topics does not matter.

Within a partition the first record of an id counts, as with every reader; what comes after is a duplicate, or
contradicts it and is kept as a further answer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import (
    Act,
    Cause,
    CloseReason,
    Judgement,
    LineMode,
    Loss,
    Outcome,
    Role,
    Routing,
    Skill,
    Undecidable,
    Verdict,
)

CameraEpoch = tuple[str, str, str, int]
"""Line, station, camera, spool epoch: one contiguous run of sequences from 0."""

LineStateFacts = tuple[LineMode, int, str | None, str | None]
"""Mode, since when (epoch ms), order, shift."""

Shared = TypeVar("Shared", bound=Hashable)

SCORE_TOLERANCE = 0.02
"""By how much two answers to one frame may differ in a score: the tolerance across devices."""


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
class Written:
    """Where a record lies, and when it was written (epoch ms); None where that is not known."""

    offset: int = 0
    at_ms: int | None = None
    place: str = ""


UNWRITTEN = Written()


@dataclass(frozen=True, slots=True)
class RecipeName:
    """Which recipe a record names; `digest` of its content, where the writer told it."""

    recipe_id: str
    version: int
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.recipe_id}@{self.version}"

    def may_be(self, other: RecipeName) -> bool:
        """Whether both can mean one content; a record without digest may mean any of its version."""
        same = (self.recipe_id, self.version) == (other.recipe_id, other.version)
        return same and (None in (self.digest, other.digest) or self.digest == other.digest)


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One captured view; `lost` says why there is no picture. `returned`: the visit before, and the authority."""

    frame_id: str
    visit_id: str
    view_id: str
    line_id: str
    station_id: str
    camera_id: str
    captured_ms: int
    decide_by_ms: int
    recipe: RecipeName
    line_state: LineStateFacts
    part_id: str | None
    lot_id: str | None
    product_id: str | None
    bin_slot: str | None
    known_bad: bool
    returned: tuple[str, str | None] | None
    sha256: str | None
    lost: Loss | None
    is_simulated: bool
    written: Written

    def contradictions(self, other: CapturedFrame) -> Iterator[str]:
        """What another capture of the same frame says differently. One that was sent again as lost is a duplicate."""
        told = (
            ("visit", self.visit_id, other.visit_id),
            ("view", self.view_id, other.view_id),
            ("line", self.line_id, other.line_id),
            ("station", self.station_id, other.station_id),
            ("camera", self.camera_id, other.camera_id),
            ("serial", self.part_id, other.part_id),
            ("lot", self.lot_id, other.lot_id),
            ("product", self.product_id, other.product_id),
            ("place", self.bin_slot, other.bin_slot),
            ("picture", self.sha256, other.sha256),
            ("time of capture", self.captured_ms, other.captured_ms),
            ("decide-by", self.decide_by_ms, other.decide_by_ms),
            ("kind, simulated or real", self.is_simulated, other.is_simulated),
        )
        yield from (f"another {what}" for what, one, two in told if None not in (one, two) and one != two)
        if self.line_state != other.line_state:
            yield "another line state"
        if not self.recipe.may_be(other.recipe):
            yield "another recipe"

    def adds_to(self, first: CapturedFrame) -> bool:
        """Whether this one, sent again, names of its part what the first did not; others may name it otherwise."""
        told = (
            (first.part_id, self.part_id),
            (first.lot_id, self.lot_id),
            (first.product_id, self.product_id),
            (first.bin_slot, self.bin_slot),
            (first.returned, self.returned),
        )
        return (self.known_bad and not first.known_bad) or any(one is None and two is not None for one, two in told)


@dataclass(frozen=True, slots=True)
class InspectedFrame:
    """The first inspection of a frame; `limits` are the thresholds that it names: of p_defect and of suspicion.

    `source` is where the picture lies that was looked at.
    """

    frame_id: str
    visit_id: str
    view_id: str
    line_id: str
    camera_id: str
    verdict: Verdict
    undecidable: Undecidable | None
    p_defect: float | None
    suspicion: float | None
    limits: tuple[float, float] | None
    recipe: RecipeName
    frame_sha256: str | None
    bundle_digest: str | None
    captured_ms: int
    decide_by_ms: int
    inspected_ms: int
    is_simulated: bool
    source: str
    written: Written

    def contradictions(self, other: InspectedFrame) -> Iterator[str]:
        """What another answer to the same frame says differently.

        A frame that was sent again may be late then; an answer that is late is only contradicted by a defect.
        """
        is_late = Undecidable.LATE in {self.undecidable, other.undecidable}
        if self.verdict is not other.verdict and not (is_late and other.verdict is not Verdict.NG):
            yield f"{self.verdict.value} and {other.verdict.value}"
        told = (
            ("visit", self.visit_id, other.visit_id),
            ("view", self.view_id, other.view_id),
            ("line", self.line_id, other.line_id),
            ("camera", self.camera_id, other.camera_id),
            ("picture", self.frame_sha256, other.frame_sha256),
            ("bundle", self.bundle_digest, other.bundle_digest),
        )
        yield from (f"another {what}" for what, one, two in told if None not in (one, two) and one != two)
        if not self.recipe.may_be(other.recipe):
            yield "another recipe"
        scores = ((self.p_defect, other.p_defect), (self.suspicion, other.suspicion))
        if any(one is not None and two is not None and abs(one - two) > SCORE_TOLERANCE for one, two in scores):
            yield "scores beyond the tolerance"


@dataclass(frozen=True, slots=True)
class ToldView:
    """What a disposition says of one view."""

    view_id: str
    frame_id: str | None
    verdict: Verdict | None
    undecidable: Undecidable | None
    p_defect: float | None
    suspicion: float | None


@dataclass(frozen=True, slots=True)
class RoutedVisit:
    """One revision of a visit's disposition."""

    visit_id: str
    revision: int
    routing: Routing
    causes: tuple[Cause, ...]
    final: bool
    outcome: Outcome | None
    views: tuple[ToldView, ...]
    line_id: str
    station_id: str | None
    part_id: str | None
    lot_id: str | None
    product_id: str | None
    recipe: RecipeName
    line_state: LineStateFacts | None
    returned_from: str | None
    first_captured_ms: int
    decide_by_ms: int
    decided_ms: int
    actors: tuple[str, ...]
    decision_ids: tuple[str, ...]
    concession: str | None
    alarm: bool
    is_simulated: bool
    written: Written


@dataclass(frozen=True, slots=True)
class AskedFrame:
    """A frame that a slot asks about, as it is shown; `doubtful`: whether a person must cover it.

    `source` is where its picture lies.
    """

    frame_id: str
    view_id: str
    doubtful: bool
    sha256: str | None
    verdict: Verdict | None
    p_defect: float | None
    suspicion: float | None
    source: str | None


@dataclass(frozen=True, slots=True)
class SlotOpened:
    """A slot was opened, or its request was sent again."""

    slot_id: str
    visit_id: str
    round: int
    generation: int
    skill: Skill
    causes: tuple[Cause, ...]
    frames: tuple[AskedFrame, ...]
    missing_views: tuple[str, ...]
    line_id: str
    part_id: str | None
    product_id: str | None
    bin_slot: str | None
    recipe: RecipeName
    is_simulated: bool
    opened_ms: int
    written: Written


@dataclass(frozen=True, slots=True)
class SlotClosed:
    """A slot was closed."""

    slot_id: str
    visit_id: str
    reason: CloseReason
    decision_id: str | None
    actor: str | None
    closed_ms: int
    written: Written


@dataclass(frozen=True, slots=True)
class Decided:
    """One act of one person on one slot; `shown` are the frames on the screen, with the digests of their pictures."""

    decision_id: str
    slot_id: str
    visit_id: str
    act: Act
    judgement: Judgement | None
    outcome: Outcome | None
    concession: str | None
    undoes: str | None
    actor: str
    role: Role
    covers: frozenset[str]
    decided_ms: int
    written: Written
    shown: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class Reviewed:
    """What people were asked about one visit, and what they answered; by offset where that is known.

    `dropped` are slots that a tombstone takes out, with the last one's offset.
    """

    slots: list[SlotOpened | SlotClosed] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decided] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
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
    reviews: dict[str, Reviewed] = field(default_factory=dict)
    recipes: dict[tuple[str, int], dict[str, tuple[Recipe, int | None]]] = field(default_factory=dict)
    """Contents of a recipe's version by their digest, each with when it was first written (epoch ms)."""
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

    def learn_unreadable(self, topic: str, partition: int, offset: int) -> None:
        """Enter a record that could not be read."""
        self.unreadable.add(place(topic, partition, offset))

    def learn_stray(self, topic: str, partition: int, offset: int) -> None:
        """Enter a record that does not belong where it lies, of which nobody makes a dead letter."""
        self.strays.add(place(topic, partition, offset))

    def learn(self, message: Message, written: Written = UNWRITTEN) -> None:
        """Enter one message, and where its record lies; kinds that no balance needs are passed over."""
        match message:
            case Capture():
                self._capture(message, written)
            case CameraHeartbeat():
                self.told_sequences.setdefault(run_of(message), {}).setdefault(message.last_sequence, written.at_ms)
            case Inspection():
                self._inspection(message, written)
            case Disposition():
                self._disposition(message, written)
            case SlotOpen() | SlotClose():
                self._reviewed(message.visit_id).slots.append(_slot_facts(message, written))
            case Decision():
                self._decision(message, written)
            case Recipe():
                self._recipe(message, written)
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

    def _capture(self, capture: Capture, written: Written) -> None:
        holder = self.sequences.setdefault(run_of(capture), {}).setdefault(capture.sequence, capture.frame_id)
        if holder != capture.frame_id:
            self.doubled_sequences |= {holder, capture.frame_id}
        returned = capture.returned
        found = CapturedFrame(
            frame_id=capture.frame_id,
            visit_id=capture.visit_id,
            view_id=self._same(capture.view_id),
            line_id=self._same(capture.line_id),
            station_id=self._same(capture.station_id),
            camera_id=self._same(capture.camera_id),
            captured_ms=capture.captured_ms,
            decide_by_ms=capture.decide_by_ms,
            recipe=self._recipe_name(capture.recipe),
            line_state=self._same(_line_state(capture.line_state)),
            part_id=capture.part_id,
            lot_id=self._same(capture.lot_id),
            product_id=self._same(capture.product_id),
            bin_slot=capture.bin_slot,
            known_bad=capture.known_bad,
            returned=None if returned is None else (returned.previous_visit_id, returned.authority),
            sha256=capture.sha256,
            lost=capture.lost,
            is_simulated=capture.is_simulated,
            written=written,
        )
        known = self.captured.setdefault(capture.frame_id, found)
        if known is not found:
            self.duplicates += 1
            first, later = _in_order(known, found)
            self.captured[capture.frame_id] = first
            if any(first.contradictions(later)) or later.adds_to(first):
                self.captured_again.setdefault(capture.frame_id, []).append(later)

    def _inspection(self, message: Inspection, written: Written) -> None:
        limits = message.thresholds
        found = InspectedFrame(
            frame_id=message.frame_id,
            visit_id=message.visit_id,
            view_id=self._same(message.view_id),
            line_id=self._same(message.line_id),
            camera_id=self._same(message.camera_id),
            verdict=message.verdict,
            undecidable=message.undecidable,
            p_defect=message.p_defect,
            suspicion=message.suspicion,
            limits=None if limits is None else self._same((limits.defect, limits.suspicion)),
            recipe=self._recipe_name(message.recipe),
            frame_sha256=message.frame_sha256,
            bundle_digest=self._same(message.bundle_digest),
            captured_ms=message.captured_ms,
            decide_by_ms=message.decide_by_ms,
            inspected_ms=message.inspected_ms,
            is_simulated=message.is_simulated,
            source=_lies(message.source),
            written=written,
        )
        known = self.inspected.setdefault(message.frame_id, found)
        if known is not found:
            self.duplicates += 1
            first, later = _in_order(known, found)
            self.inspected[message.frame_id] = first
            if any(first.contradictions(later)):
                self.inspected_again.setdefault(message.frame_id, []).append(later)

    def _disposition(self, message: Disposition, written: Written) -> None:
        routed = RoutedVisit(
            visit_id=message.visit_id,
            revision=message.revision,
            routing=message.routing,
            causes=self._same(message.causes),
            final=message.final,
            outcome=message.outcome,
            views=tuple(
                ToldView(view.view_id, view.frame_id, view.verdict, view.undecidable, view.p_defect, view.suspicion)
                for view in message.views
            ),
            line_id=self._same(message.line_id),
            station_id=self._same(message.station_id),
            part_id=message.part_id,
            lot_id=self._same(message.lot_id),
            product_id=self._same(message.product_id),
            recipe=self._recipe_name(message.recipe),
            line_state=None if message.line_state is None else self._same(_line_state(message.line_state)),
            returned_from=message.returned_from,
            first_captured_ms=message.first_captured_ms,
            decide_by_ms=message.decide_by_ms,
            decided_ms=message.decided_ms,
            actors=message.actors,
            decision_ids=message.decision_ids,
            concession=message.concession,
            alarm=message.alarm is not None,
            is_simulated=message.is_simulated,
            written=written,
        )
        if routed.revision != 0 or self.first.setdefault(message.visit_id, routed) is not routed:
            self.revisions.setdefault(message.visit_id, []).append(routed)
        before = self.latest.get(message.visit_id)
        if before is None or routed.revision > before.revision:
            self.latest[message.visit_id] = routed

    def _decision(self, message: Decision, written: Written) -> None:
        decided = Decided(
            decision_id=message.decision_id,
            slot_id=message.slot_id,
            visit_id=message.visit_id,
            act=message.act,
            judgement=message.judgement,
            outcome=message.outcome,
            concession=message.concession,
            undoes=message.undoes,
            actor=message.actor,
            role=message.role,
            covers=frozenset(message.covers),
            decided_ms=message.decided_ms,
            written=written,
            shown=frozenset((each.frame_id, each.sha256) for each in message.shown if each.sha256 is not None),
        )
        known = self._reviewed(message.visit_id).decisions
        before = known.setdefault(message.decision_id, decided)
        if before is not decided:
            self.duplicates += 1
            known[message.decision_id] = _in_order(before, decided)[0]

    def _recipe(self, recipe: Recipe, written: Written) -> None:
        contents = self.recipes.setdefault((recipe.recipe_id, recipe.version), {})
        contents.setdefault(recipe.digest(), (recipe, written.at_ms))

    def _dead_letter(self, letter: DeadLetter) -> None:
        self.dead_letters += 1
        source = place(letter.source.topic, letter.source.partition, letter.source.offset)
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

    def _same(self, value: Shared) -> Shared:
        """An equal value that was kept before: most records of a line repeat what others say."""
        return self._shared.setdefault(value, value)  # type: ignore[return-value]  # it is equal, so of its kind


Placed = TypeVar("Placed", CapturedFrame, InspectedFrame, Decided)


def _in_order(known: Placed, found: Placed) -> tuple[Placed, Placed]:
    return (known, found) if known.written.offset <= found.written.offset else (found, known)


def _lies(at: SourceRef) -> str:
    return place(at.topic, at.partition, at.offset)


def _line_state(state: LineStateRef) -> LineStateFacts:
    return state.mode, state.since_ms, state.order_id, state.shift


def _slot_facts(message: SlotOpen | SlotClose, written: Written) -> SlotOpened | SlotClosed:
    if isinstance(message, SlotOpen):
        return SlotOpened(
            slot_id=message.slot_id,
            visit_id=message.visit_id,
            round=message.round,
            generation=message.generation,
            skill=message.skill,
            causes=message.causes,
            frames=tuple(
                AskedFrame(
                    frame_id=frame.frame_id,
                    view_id=frame.view_id,
                    doubtful=frame.doubtful,
                    sha256=frame.sha256,
                    verdict=frame.verdict,
                    p_defect=frame.p_defect,
                    suspicion=frame.suspicion,
                    source=None if frame.frame is None else _lies(frame.frame),
                )
                for frame in message.frames
            ),
            missing_views=message.missing_views,
            line_id=message.line_id,
            part_id=message.part_id,
            product_id=message.product_id,
            bin_slot=message.bin_slot,
            recipe=RecipeName(message.recipe.recipe_id, message.recipe.version, message.recipe.digest),
            is_simulated=message.is_simulated,
            opened_ms=message.opened_ms,
            written=written,
        )
    return SlotClosed(
        slot_id=message.slot_id,
        visit_id=message.visit_id,
        reason=message.reason,
        decision_id=message.decision_id,
        actor=message.actor,
        closed_ms=message.closed_ms,
        written=written,
    )
