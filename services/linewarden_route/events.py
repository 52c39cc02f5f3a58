"""What happens to a visit, and what follows from it: the alphabet of the state machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from linewarden_domain.words import Said
from linewarden_route.policy import review_rules
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.operations import Actuation
from linewarden_schemas.recipe import Recipe, ReviewRules
from linewarden_schemas.route_state import VisitSnapshot


@dataclass(frozen=True, slots=True)
class CaptureSeen:
    """A capture was read; `append_ms` is the broker's append time (epoch ms)."""

    capture: Capture
    append_ms: int


@dataclass(frozen=True, slots=True)
class InspectionSeen:
    """An inspection was read; `at` is where its own record lies.

    `append_ms` is the broker's append time (epoch ms); without one it counts as appended when its frame was captured.
    """

    inspection: Inspection
    at: SourceRef
    append_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DecisionSeen:
    """A record of `decisions` about a visit of this partition; whether it is valid is not yet known."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class ActuationSeen:
    """A gate reports what it did with a visit."""

    actuation: Actuation


@dataclass(frozen=True, slots=True)
class RoutingSeen:
    """A restore found a visible revision that the state does not know, which binds whatever the state says."""

    disposition: Disposition


@dataclass(frozen=True, slots=True)
class RoutingUnseen:
    """A restore found no disposition of the visit's present revision.

    Nor is any seen from `first` on, where one transaction said several.
    """

    first: int | None = None


@dataclass(frozen=True, slots=True)
class SlotsSeen:
    """What a restore found to be the last word on each of the visit's slots."""

    slots: tuple[SlotOpen | SlotClose, ...]


@dataclass(frozen=True, slots=True)
class PassLate:
    """The visit's pass became visible at or after its decide-by: its commit came back, or its record lies, so late."""


@dataclass(frozen=True, slots=True)
class LineWithheld:
    """By what was told when the visit's pass was decided, and learnt only later, its line let nothing pass."""

    why: Said


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The time that `next_due_ms` named has come."""


Event = (
    CaptureSeen
    | InspectionSeen
    | DecisionSeen
    | ActuationSeen
    | RoutingSeen
    | RoutingUnseen
    | SlotsSeen
    | PassLate
    | LineWithheld
    | TimerDue
)


class Tally(StrEnum):
    """What is counted besides the records that are published."""

    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    LATE = "late"
    CONTRADICTION = "contradiction"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Publish:
    """A record for `dispositions` or `reinspections`."""

    message: Disposition | SlotOpen | SlotClose


@dataclass(frozen=True, slots=True)
class DropSlot:
    """The tombstone of a closed slot."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The record of this event goes to the dead letters."""

    cause: str
    detail: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Something to be counted, with its kind."""

    tally: Tally
    kind: str


Effect = Publish | DropSlot | Dead | Counted


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may know besides visit and event. `recipe` is None where the visit's is unknown.

    `named` is the content that the visit names also where nobody may judge by it, since its version has another one
    too: what a review needs is told by it still.
    `positions` are risks of real diversions, for those that were drawn. `routed_until_ms` is the append time of the
    last word of the partition's former owner (None: `now_ms`): what lies far before it may be closed and forgotten.
    `was_forgotten`: the partition has forgotten a visit of this number, or of a higher one of the record's camera.
    Without `is_timed` nobody knows the broker's time; then `now_ms` is a guess, and nothing passes. `withheld` says why
    the line lets nothing pass now.
    """

    now_ms: int
    recipe: Recipe | None
    secret: bytes
    positions: tuple[float, ...] = ()
    routed_until_ms: int | None = None
    is_timed: bool = True
    named: Recipe | None = None
    was_forgotten: bool = False
    withheld: Said | None = None

    @property
    def rules(self) -> ReviewRules:
        """What a review of the visit needs."""
        return review_rules(self.recipe or self.named)


@dataclass(frozen=True, slots=True)
class Step:
    """The visit afterwards (None: unknown or forgotten) and what follows, in order."""

    visit: VisitSnapshot | None
    effects: tuple[Effect, ...] = field(default=())
