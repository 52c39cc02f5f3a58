"""Who is signed in, and what is in their hands. Sessions live in this process: a restart signs everybody out."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from linewarden_reinspect import metrics
from linewarden_runtime.clock import Clock
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.vocabulary import Judgement, Role

from .errors import Forbidden, NotSignedIn, TooMany

_REMEMBERED = 50


@dataclass(slots=True)
class Hand:
    """A visit in somebody's hands. `delivered` holds the digests of the pictures that left for the screen."""

    slot: SlotOpen
    token: str
    until_ms: int
    claimed_s: float
    delivered: dict[str, str] = field(default_factory=dict)
    attempted: Judgement | None = None


@dataclass(slots=True)
class Session:
    """One signed-in browser. Requests of a session are served one at a time under `lock`."""

    session_id: str
    csrf: str
    actor: str
    role: Role
    began_s: float
    seen_s: float
    lock: threading.RLock = field(default_factory=threading.RLock)
    hand: Hand | None = None
    recorded: OrderedDict[str, Decision] = field(default_factory=OrderedDict)

    @property
    def is_lead(self) -> bool:
        """Whether slots for a lead may be taken."""
        return self.role in {Role.LEAD, Role.QUALITY}

    def remember(self, decision: Decision) -> None:
        """Keep what was recorded, so that the same request again is the same decision."""
        self.recorded[decision.decision_id] = decision
        while len(self.recorded) > _REMEMBERED:
            self.recorded.popitem(last=False)

    def last_judgement(self) -> Decision | None:
        """The newest recorded judgement that was not undone."""
        undone = {decision.undoes for decision in self.recorded.values()}
        judged = (d for d in reversed(self.recorded.values()) if d.judgement and d.decision_id not in undone)
        return next(judged, None)


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long a sign-in lasts, and how many failed ones are borne in a minute."""

    idle_s: float = 900.0
    longest_s: float = 9 * 3600.0
    failures_per_minute: int = 10


class Sessions:
    """Signs in with a link's token: one link for operators, one for leads, both made for one start."""

    def __init__(self, links: dict[str, Role], clock: Clock, rules: SessionRules | None = None) -> None:
        self._links, self._clock, self._rules = links, clock, rules or SessionRules()
        self._sessions: dict[str, Session] = {}
        self._failures: deque[float] = deque()
        self._lock = threading.Lock()

    def sign_in(self, link: str, actor: str) -> Session:
        """A new session. Raises Forbidden for a wrong link, TooMany after many of them."""
        now = self._clock.monotonic()
        with self._lock:
            self._limit(now)
            role = self._role(link)
            if role is None:
                self._failures.append(now)
                metrics.SIGN_INS.labels("refused").inc()
                raise Forbidden("This link is not valid. Ask for the link that the station printed at its start.")
            session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), actor, role, now, now)
            self._sessions[session.session_id] = session
            metrics.SIGN_INS.labels("done").inc()
            return session

    def find(self, session_id: str | None) -> Session:
        """The session of a cookie. Raises NotSignedIn where there is none or it is over."""
        now = self._clock.monotonic()
        with self._lock:
            session = self._sessions.get(session_id or "")
            if session is None:
                raise NotSignedIn("Please sign in.")
            if now - session.seen_s > self._rules.idle_s or now - session.began_s > self._rules.longest_s:
                del self._sessions[session.session_id]
                raise NotSignedIn("You were away for a while. Please sign in again.")
            session.seen_s = now
            return session

    def end(self, session: Session) -> None:
        """Sign out."""
        with self._lock:
            self._sessions.pop(session.session_id, None)

    def _role(self, link: str) -> Role | None:
        matches = [role for known, role in self._links.items() if secrets.compare_digest(known.encode(), link.encode())]
        return matches[0] if matches else None

    def _limit(self, now: float) -> None:
        while self._failures and now - self._failures[0] > 60.0:
            self._failures.popleft()
        if len(self._failures) >= self._rules.failures_per_minute:
            metrics.SIGN_INS.labels("limited").inc()
            raise TooMany("Too many failed sign-ins. Wait a minute.")
