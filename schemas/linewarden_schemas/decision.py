"""What people decide, and the events of the queue that tell who held what."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from linewarden_schemas.base import Actor, Digest, EpochMs, Id, Message, MessagePart, Text
from linewarden_schemas.vocabulary import Act, Judgement, Outcome, Role, Skill

MOST_MASK_BYTES = 256 * 1024
MOST_MARKS_BYTES = 512 * 1024
"""Of one drawn mask, and of all masks of a decision together: with the rest they stay below the topic's record."""


class Shown(MessagePart):
    """What was on the screen of one frame: the digest of the picture, the layers over it and their digests."""

    frame_id: Id
    sha256: Digest | None = None
    layers: tuple[Id, ...] = ()
    layer_digests: dict[str, Digest] = Field(default_factory=dict)


class Mark(MessagePart):
    """What a person drew on one frame: a PNG of 8 bit grey in the picture's size, 255 where the defect is."""

    frame_id: Id
    mask_png: Annotated[bytes, Field(max_length=MOST_MASK_BYTES)]


class Decision(Message):
    """One act of one person on one slot. `covers` names the frames that were looked at.

    `blind`: the first judgement was given on the plain pictures of `first_shown`, before anything that the machine
    thinks of the part was told; `judgement` is the one that counts. Absent in what was decided elsewhere.
    Whoever is unsure hands the part on, to a lead or, from a lead, back to operators (`hand_to`), and says why in a
    word (`unsure_because`); `comment` is the note that goes with it.
    """

    TYPE: ClassVar[str] = "linewarden.decision.v1"

    decision_id: Id
    slot_id: Id
    visit_id: Id
    act: Act = Act.JUDGE
    judgement: Judgement | None = None
    first_judgement: Judgement | None = None
    first_shown: tuple[Shown, ...] = ()
    first_ms: EpochMs | None = None
    blind: bool | None = None
    outcome: Outcome | None = None
    concession: Id | None = None
    undoes: Id | None = None
    actor: Actor
    role: Role
    decided_ms: EpochMs
    covers: tuple[Id, ...] = ()
    shown: tuple[Shown, ...] = ()
    defect_class: Id | None = None
    marks: tuple[Mark, ...] = ()
    comment: Text | None = None
    unsure_because: Id | None = None
    hand_to: Skill | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.act is Act.JUDGE) != (self.judgement is not None):
            raise ValueError("a judgement is given exactly where the act is to judge")
        if (self.act is Act.UNDO) != (self.undoes is not None):
            raise ValueError("an undo names the decision that it undoes, and nothing else does")
        if self.outcome is Outcome.USE_AS_IS and self.concession is None:
            raise ValueError("use_as_is needs the number of its concession")
        if self.judgement is not Judgement.UNSURE and (self.hand_to or self.unsure_because) is not None:
            raise ValueError("only who is unsure hands a part on")
        if self.blind and self.first_judgement is None:
            raise ValueError("what was judged blind names its first judgement")
        if sum(len(mark.mask_png) for mark in self.marks) > MOST_MARKS_BYTES:
            raise ValueError(f"the masks of a decision are at most {MOST_MARKS_BYTES} bytes together")
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
