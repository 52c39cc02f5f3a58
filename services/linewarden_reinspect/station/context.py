"""What the routes work with, and how a request finds its session."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from linewarden_reinspect.evidence.store import EvidenceSource
from linewarden_runtime.clock import Clock

from .desk import Desk
from .guards import require_token
from .sessions import Session, Sessions
from .watch import QueueWatch


@dataclass(frozen=True, slots=True)
class Station:
    """Everything that the routes work with. `lines` empty means that people work for every line."""

    desk: Desk
    sessions: Sessions
    evidence: EvidenceSource
    watch: QueueWatch
    clock: Clock
    namespace: str
    secure_cookie: bool = False
    lines: tuple[str, ...] = ()
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; the browser holds a `__Host-` one to TLS, path and host."""
        return "__Host-linewarden" if self.secure_cookie else "linewarden"


def station_of(request: Request) -> Station:
    """The station that serves this request."""
    return cast("Station", request.app.state.station)


def session_of(request: Request) -> Session:
    """Who asks. Raises NotSignedIn, and Forbidden for a changing request without the session's token."""
    station = station_of(request)
    session = station.sessions.find(request.cookies.get(station.cookie))
    require_token(request, session)
    return session


CurrentStation = Annotated[Station, Depends(station_of)]
CurrentSession = Annotated[Session, Depends(session_of)]
