"""What route decides: dispositions by revision, and the opening and closing of slots."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from linewarden_schemas.base import (
    Actor,
    Count,
    Digest,
    DurationMs,
    EpochMs,
    Finite,
    Id,
    Message,
    MessagePart,
    Share,
    Text,
)
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.reason import CodedReasons
from linewarden_schemas.vocabulary import Cause, CloseReason, Outcome, Role, Routing, Skill, Undecidable, Verdict


class ViewResult(MessagePart):
    """What was known of one expected view when the disposition was made."""

    view_id: Id
    frame_id: Id | None = None
    verdict: Verdict | None = None
    undecidable: Undecidable | None = None
    p_defect: Share | None = None
    suspicion: Finite | None = None


class Disposition(Message):
    """One revision of what becomes of a visit. Revision 0 exists once and carries the routing."""

    TYPE: ClassVar[str] = "linewarden.disposition.v1"

    visit_id: Id
    revision: Count
    routing: Routing
    outcome: Outcome | None = None
    final: bool
    causes: tuple[Cause, ...] = ()
    reasons: tuple[Text, ...] = ()
    reasons_coded: CodedReasons = ()
    views: tuple[ViewResult, ...] = ()
    line_id: Id
    station_id: Id | None = None
    part_id: Id | None = None
    lot_id: Id | None = None
    product_id: Id | None = None
    cavity: Id | None = None
    recipe: RecipeRef
    line_state: LineStateRef | None = None
    returned_from: Id | None = None
    first_captured_ms: EpochMs
    decide_by_ms: EpochMs
    decided_ms: EpochMs
    actors: tuple[Actor, ...] = ()
    decision_ids: tuple[Id, ...] = ()
    concession: Id | None = None
    alarm: Text | None = None
    is_simulated: bool = False

    @property
    def is_pass(self) -> bool:
        """Whether it lets the part go on the machine's word."""
        return self.revision == 0 and self.routing is Routing.TRUSTED_PASS

    def is_late_pass(self, append_ms: int) -> bool:
        """Whether it's a pass whose record was appended (epoch ms, by the broker) at or after its decide-by."""
        return self.is_pass and append_ms >= self.decide_by_ms

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.routing is Routing.DIVERTED and self.revision == 0 and not self.causes:
            raise ValueError("a diversion has a cause")
        if self.revision == 0 and self.outcome is not None:
            raise ValueError("revision 0 carries the routing; outcomes come with later revisions")
        if self.outcome is Outcome.USE_AS_IS and self.concession is None:
            raise ValueError("use_as_is needs the number of its concession")
        return self


class SlotFrame(MessagePart):
    """A frame that the slot asks about, and where frame and inspection lie."""

    frame_id: Id
    view_id: Id
    doubtful: bool
    sha256: Digest | None = None
    frame: SourceRef | None = None
    inspection: SourceRef | None = None
    verdict: Verdict | None = None
    p_defect: Share | None = None
    suspicion: Finite | None = None
    reasons: tuple[Text, ...] = ()
    reasons_coded: CodedReasons = ()


MOST_NOTE = 500
"""Characters of a note: slots and states carry it, and are sent again."""


class Handover(MessagePart):
    """Who handed a slot on, when, why in a word (`reason`) and in their own words (`note`)."""

    actor: Actor
    role: Role
    at_ms: EpochMs
    reason: Id | None = None
    note: Annotated[str, Field(max_length=MOST_NOTE)] | None = None


class SlotOpen(Message):
    """A request for one person's judgement. Sent again under the same id when a late frame joins.

    `handover` is there where somebody was unsure, and handed it to a lead, or back to operators.
    `skill` is the authority that is asked for, `needs` what a person must have learnt. `capacity_per_hour` and
    `max_age_ms` are the recipe's; they ask for a slower line or a stop.
    """

    TYPE: ClassVar[str] = "linewarden.slot-open.v1"

    slot_id: Id
    visit_id: Id
    round: Count
    generation: Count
    causes: Annotated[tuple[Cause, ...], Field(min_length=1)]
    reasons: tuple[Text, ...] = ()
    reasons_coded: CodedReasons = ()
    risk: Share
    opened_ms: EpochMs
    due_ms: EpochMs
    line_id: Id
    part_id: Id | None = None
    product_id: Id | None = None
    recipe: RecipeRef
    bin_slot: Id | None = None
    skill: Skill = Skill.OPERATOR
    needs: Id | None = None
    capacity_per_hour: Count | None = None
    max_age_ms: DurationMs | None = None
    excluded_actors: tuple[Actor, ...] = ()
    missing_views: tuple[Id, ...] = ()
    handover: Handover | None = None
    frames: tuple[SlotFrame, ...] = ()
    is_simulated: bool = False


class SlotClose(Message):
    """The end of a slot: answered, escalated, undone, refused or withdrawn."""

    TYPE: ClassVar[str] = "linewarden.slot-close.v1"

    slot_id: Id
    visit_id: Id
    reason: CloseReason
    detail: Text | None = None
    closed_ms: EpochMs
    decision_id: Id | None = None
    actor: Actor | None = None
