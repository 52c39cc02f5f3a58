"""What route remembers of an open visit, so that a successor goes on exactly where it stopped."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from linewarden_schemas.base import Actor, Count, Digest, EpochMs, Finite, Id, Message, MessagePart, Share, Text
from linewarden_schemas.capture import Returned
from linewarden_schemas.disposition import Handover
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.reason import CodedReasons, Reason
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import (
    CameraCondition,
    Cause,
    Judgement,
    Loss,
    Outcome,
    Routing,
    Skill,
    Undecidable,
    Verdict,
)


class Contradiction(MessagePart):
    """What records of one visit say differently, in words: the name of the thing, and the values that were told.

    Of one frame where `frame_id` is given, else of the whole visit.
    """

    what: Text
    values: tuple[Text, ...]
    frame_id: Id | None = None


class ViewState(MessagePart):
    """One view of an open visit: what its capture and its inspection said. Either may come first.

    `measured`: its inspection measured defects, as criteria and zones ask for; `accepted`: by them it is OK. `located`:
    it tells where the part lay.
    """

    view_id: Id
    frame_id: Id
    decide_by_ms: EpochMs
    captured_ms: EpochMs
    captured: bool = False
    lost: Loss | None = None
    conditions: tuple[CameraCondition, ...] = ()
    out_of_time: bool = False
    camera_id: Id | None = None
    sha256: Digest | None = None
    verdict: Verdict | None = None
    undecidable: Undecidable | None = None
    p_defect: Share | None = None
    suspicion: Finite | None = None
    thresholds: Thresholds | None = None
    bundle_digest: Digest | None = None
    device: Text | None = None
    precision: Text | None = None
    doubtful: bool = True
    risk: Share | None = None
    measured: bool = False
    accepted: bool = False
    located: bool = False
    fault: Text | None = None
    fault_coded: Reason | None = None
    reasons: tuple[Text, ...] = ()
    reasons_coded: CodedReasons = ()
    frame: SourceRef | None = None
    inspection: SourceRef | None = None


class SlotState(MessagePart):
    """One slot of a visit: open, or closed with the judgement that counts (or none)."""

    slot_id: Id
    round: Count
    generation: Count
    open: bool
    skill: Skill = Skill.OPERATOR
    opened_ms: EpochMs | None = None
    closed_ms: EpochMs | None = None
    judgement: Judgement | None = None
    outcome: Outcome | None = None
    concession: Id | None = None
    actor: Actor | None = None
    decision_id: Id | None = None
    refused: bool = False
    handover: Handover | None = None


class VisitSnapshot(Message):
    """The whole state of a visit from its first record to the end of the spool's horizon.

    `first_append_ms` is the broker's time of the visit's first record; `decide_by_ms` is never later than that and
    the recipe's budget. `position` is the risk that a visit shows which was drawn for review, taken from diversions
    that were not. On a line with a gate `gate_told` is the routing of revision 0, which the gate acts by, `gate_did`
    what it reports, and `gate_due_ms` until when it has to; None where nothing more is awaited of it. `withheld` is why
    the line let nothing pass when the visit was decided, whatever state its captures pin.
    """

    TYPE: ClassVar[str] = "linewarden.visit-snapshot.v1"

    visit_id: Id
    line_id: Id
    station_id: Id | None = None
    recipe: RecipeRef
    line_state: LineStateRef | None = None
    part_id: Id | None = None
    lot_id: Id | None = None
    cavity: Id | None = None
    product_id: Id | None = None
    bin_slot: Id | None = None
    known_bad: bool = False
    position: Share | None = None
    returned: Returned | None = None
    first_captured_ms: EpochMs
    decide_by_ms: EpochMs
    first_append_ms: EpochMs | None = None
    views: tuple[ViewState, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    revision: Annotated[int, Field(ge=-1)] = -1
    routing: Routing | None = None
    causes: tuple[Cause, ...] = ()
    reasons: tuple[Text, ...] = ()
    reasons_coded: CodedReasons = ()
    outcome: Outcome | None = None
    final: bool = False
    slots: tuple[SlotState, ...] = ()
    undo_until_ms: EpochMs | None = None
    forget_at_ms: EpochMs | None = None
    gate_told: Routing | None = None
    gate_did: Routing | None = None
    gate_due_ms: EpochMs | None = None
    withheld: Text | None = None
    withheld_coded: Reason | None = None
    is_simulated: bool = False

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if (self.revision >= 0) is (self.routing is None):
            raise ValueError("a visit has a routing exactly from revision 0 on")
        if self.revision < 1 and self.outcome is not None:
            raise ValueError("an outcome comes with revision 1 at the earliest")
        if self.revision == 0 and self.routing is Routing.DIVERTED and not self.causes:
            raise ValueError("a diversion has a cause")
        if self.final and (self.revision < 0 or self.forget_at_ms is None):
            raise ValueError("a final visit is routed, and forgotten at a stated time")
        return self


class CameraProgress(Message):
    """The highest sequence of a camera that this partition of `captures` has shown.

    `forgotten_sequence` is the highest whose visit was begun and is forgotten since, of the same spool epoch. What one
    of a lower number says came after it by the spool's horizon at least, or belongs to a visit that is forgotten too.
    """

    TYPE: ClassVar[str] = "linewarden.camera-progress.v1"

    line_id: Id
    camera_id: Id
    spool_epoch: Count
    highest_sequence: Count
    forgotten_sequence: Count | None = None
