"""One signed-in person, and what is in their hands; `access/sessions.py` says who is signed in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from linewarden_domain.authority import MAY_TAKE
from linewarden_runtime.bounded import Bounded
from linewarden_schemas.decision import Decision
from linewarden_schemas.vocabulary import Role, Skill

from .hand import Hand

_REMEMBERED = 50


@dataclass(slots=True)
class Session:
    """One signed-in browser. Requests of a session are served one at a time under `lock`.

    `how` names the way in; `signs` is what topics and queue know the person by, a pseudonym where there is one.
    `ahead` is the visit that was taken for after the one in `hand`.
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
    recorded: Bounded[str, Decision] = field(default_factory=lambda: Bounded(_REMEMBERED))

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
