"""What the balance keeps of each record: the fields that it asks for, since a ledger holds every visit at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from linewarden_history.reading import WrittenAt
from linewarden_schemas.disposition import SlotFrame
from linewarden_schemas.inspection import Location, MeasuredDefect
from linewarden_schemas.vocabulary import (
    Act,
    CameraCondition,
    Cause,
    CloseReason,
    Judgement,
    LineMode,
    LockCause,
    Loss,
    Outcome,
    Role,
    Routing,
    Skill,
    Undecidable,
    Verdict,
)

LineStateFacts = tuple[LineMode, int, str | None, str | None, bool, bool]
"""Mode, since when (epoch ms), order, shift, whether passing was locked, whether there is a gate."""


@dataclass(frozen=True, slots=True)
class ToldState:
    """A state of a line as it was told: when it was written (epoch ms), and whether and until when it lets pass."""

    at_ms: int
    mode: LineMode
    locks: tuple[LockCause, ...]
    valid_until_ms: int | None

    def against(self, at_ms: int) -> str | None:
        """What this state says against a pass at that time; None for nothing."""
        if self.locks:
            return f"passing was locked on the line ({self.locks[0].value})"
        if self.mode is not LineMode.PRODUCTION:
            return f"the line was in {self.mode.value}, not in production"
        if self.valid_until_ms is not None and self.valid_until_ms <= at_ms:
            return "a check with master parts was due on the line"
        return None


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
    conditions: tuple[CameraCondition, ...]
    is_simulated: bool
    written: WrittenAt

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
        if not set(other.conditions) <= set(self.conditions):
            yield "another condition of its camera"

    def adds_to(self, first: CapturedFrame) -> bool:
        """Whether this one, sent again, names of its part what the first did not; others may name it otherwise."""
        names = ("part_id", "lot_id", "product_id", "bin_slot", "returned")
        told = any(getattr(first, name) is None and getattr(self, name) is not None for name in names)
        return told or (self.known_bad and not first.known_bad)


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
    defects: tuple[MeasuredDefect, ...] | None
    accepted: bool
    location: Location | None
    source: str
    written: WrittenAt

    def contradictions(self, other: InspectedFrame) -> Iterator[str]:
        """What another answer to the same frame says differently.

        A frame that was sent again may be late then; an answer that is late is only contradicted by a defect.
        """
        is_late = Undecidable.LATE in {self.undecidable, other.undecidable}
        if self.verdict is not other.verdict and not (is_late and other.verdict is not Verdict.NG):
            yield f"{self.verdict.value} and {other.verdict.value}"
        if self.verdict is other.verdict and self.accepted is not other.accepted:
            yield "accepted by criteria, and not"
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
        if any(
            one is not None and two is not None and abs(one - two) > 0.02 for one, two in scores
        ):  # as across devices
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
    written: WrittenAt


@dataclass(frozen=True, slots=True)
class ActedVisit:
    """What a gate reports to have done with a visit; None where it saw no part, or does not know."""

    visit_id: str
    actual: Routing | None
    written: WrittenAt


@dataclass(frozen=True, slots=True)
class SlotOpened:
    """A slot was opened, or its request was sent again."""

    slot_id: str
    visit_id: str
    round: int
    generation: int
    skill: Skill
    causes: tuple[Cause, ...]
    frames: tuple[SlotFrame, ...]
    line_id: str
    part_id: str | None
    product_id: str | None
    bin_slot: str | None
    recipe: RecipeName
    is_simulated: bool
    opened_ms: int
    written: WrittenAt


@dataclass(frozen=True, slots=True)
class SlotClosed:
    """The end of a slot, with the decision that ended it; `closed_ms` in epoch ms."""

    slot_id: str
    visit_id: str
    reason: CloseReason
    decision_id: str | None
    actor: str | None
    closed_ms: int
    written: WrittenAt


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
    written: WrittenAt
    shown: frozenset[tuple[str, str]] = frozenset()
    hand_to: Skill | None = None


@dataclass(slots=True)
class Reviewed:
    """What people were asked about one visit, and what they answered; by offset where that is known.

    `dropped` are slots that a tombstone takes out, with the last one's offset.
    """

    slots: list[SlotOpened | SlotClosed] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decided] = field(default_factory=dict)
