"""What people decide, and the events of the queue that tell who held what."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from .base import Actor, Digest, EpochMs, Id, Message, Part, Text
from .vocabulary import Act, Judgement, Outcome, Role


class Shown(Part):
    """What was on the screen of one frame: the digest of the picture and the layers over it."""

    frame_id: Id
    sha256: Digest | None = None
    layers: tuple[Id, ...] = ()


class Decision(Message):
    """One act of one person on one slot. `covers` names the frames that were looked at."""

    TYPE: ClassVar[str] = "linewarden.decision.v1"

    decision_id: Id
    slot_id: Id
    visit_id: Id
    act: Act = Act.JUDGE
    judgement: Judgement | None = None
    first_judgement: Judgement | None = None
    outcome: Outcome | None = None
    concession: Id | None = None
    undoes: Id | None = None
    actor: Actor
    role: Role
    decided_ms: EpochMs
    covers: tuple[Id, ...] = ()
    shown: tuple[Shown, ...] = ()
    defect_class: Id | None = None
    comment: Text | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.act is Act.JUDGE) != (self.judgement is not None):
            raise ValueError("a judgement is given exactly where the act is to judge")
        if (self.act is Act.UNDO) != (self.undoes is not None):
            raise ValueError("an undo names the decision that it undoes, and nothing else does")
        if self.outcome is Outcome.USE_AS_IS and self.concession is None:
            raise ValueError("use_as_is needs the number of its concession")
        return self


class QueueEvent(Message):
    """A transition of a slot in the queue that Kafka does not decide: claims, leases, skips."""

    TYPE: ClassVar[str] = "linewarden.queue-event.v1"

    slot_id: Id
    visit_id: Id
    event: Id
    actor: Actor
    at_ms: EpochMs
    cause: Text | None = None
