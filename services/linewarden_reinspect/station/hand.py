"""A visit in somebody's hands: what left for the screen, and how far it was judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from linewarden_schemas.decision import Shown
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.vocabulary import Judgement


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What a person said of the plain pictures, and which of them were on the screen. Epoch milliseconds."""

    judgement: Judgement
    shown: tuple[Shown, ...]
    at_ms: int


@dataclass(slots=True)
class Hand:
    """A visit in somebody's hands.

    `delivered` holds the digests of the pictures that left for the screen, `layers` those of their maps.
    `knows_already`: this person was told before what the machine thinks of the visit, and cannot judge it blind.
    """

    slot: SlotOpen
    token: str
    until_ms: int
    claimed_s: float
    delivered: dict[str, str] = field(default_factory=dict)
    layers: dict[str, dict[str, str]] = field(default_factory=dict)
    knows_already: bool = False
    first: FirstAnswer | None = None
    attempted: Judgement | None = None

    @property
    def is_told(self) -> bool:
        """Whether reasons, verdicts and maps may be shown: only after the first answer."""
        return self.knows_already or self.first is not None

    def has_frame(self, frame_id: str) -> bool:
        """Whether the frame is of this visit."""
        return any(frame.frame_id == frame_id for frame in self.slot.frames)
