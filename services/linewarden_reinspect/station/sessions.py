"""One signed-in person, and how far the visit in their hands was judged; `access/sessions.py` says who is signed in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from linewarden_domain.authority import MAY_TAKE
from linewarden_runtime.bounded import Bounded
from linewarden_schemas.decision import Decision, Shown
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.vocabulary import Judgement, Role, Skill


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

    def is_named(self, code: str) -> bool:
        """Whether a code is of this part, its bin place or its slot; no code is of every part."""
        return code in {"", self.slot.part_id, self.slot.bin_slot, self.slot.slot_id}


@dataclass(slots=True)
class Session:
    """One signed-in browser. Requests of a session are served one at a time under `lock`.

    `how` names the way in; `signs` is what topics and queue know the person by, a pseudonym where there is one.
    `ahead` is the visit that was taken for after the one in `hand`, `last` the one that was judged last, `undone` the
    slot whose judgement was taken back last and that is not in hand again.
    """

    session_id: str
    csrf: str
    actor: str
    role: Role
    how: str
    signs: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    hand: Hand | None = None
    ahead: Hand | None = None
    last: Hand | None = None
    undone: str | None = None
    recorded: Bounded[str, Decision] = field(default_factory=lambda: Bounded(50))

    @property
    def is_lead(self) -> bool:
        """Whether slots for a lead may be taken."""
        return self.role in MAY_TAKE[Skill.LEAD]

    def remember(self, decision: Decision) -> None:
        """Keep what was recorded, so that the same request again is the same decision."""
        self.recorded[decision.decision_id] = decision

    def last_judgement(self) -> Decision | None:
        """The newest recorded judgement that was not undone."""
        undone = {decision.undoes for decision in self.recorded.values()}
        judged = (d for d in reversed(self.recorded.values()) if d.judgement and d.decision_id not in undone)
        return next(judged, None)
