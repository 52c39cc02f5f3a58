"""What the routes work with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.station.access.access import Access
from linewarden_reinspect.station.access.guard import CurrentSession
from linewarden_reinspect.station.alarm_watch import AlarmWatch
from linewarden_reinspect.station.desk import ReviewDesk
from linewarden_reinspect.station.insight.insight import Insight
from linewarden_reinspect.station.references import References
from linewarden_reinspect.station.studies import Studies
from linewarden_reinspect.station.texts import language_of
from linewarden_reinspect.station.watch import QueueWatch
from linewarden_runtime.clock import Clock
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe


@dataclass(frozen=True, slots=True)
class StationContext:
    """Everything that the routes work with. `lines` empty means that people work for every line.

    `wall` shows the line to whoever asks, without sign-in; with `wall_parts` its parts as well.
    """

    desk: ReviewDesk
    access: Access
    insight: Insight
    evidence: EvidenceStore
    watch: QueueWatch
    alarms: AlarmWatch
    clock: Clock
    namespace: str
    lines: tuple[str, ...] = ()
    recipe: Callable[[RecipeRef], Recipe | None] = lambda _: None
    references: References = field(default_factory=References)
    studies: Studies = field(default_factory=Studies)
    break_after_s: float = 3600.0
    wall: bool = False
    wall_parts: bool = False
    stop: threading.Event = field(default_factory=threading.Event)


def station_of(request: Request) -> StationContext:
    """The station that serves this request."""
    return cast("StationContext", request.app.state.station)


CurrentStation = Annotated[StationContext, Depends(station_of)]


class RequestBody(BaseModel):
    """What a page's module sends; a field that nobody asked for is refused."""

    model_config = ConfigDict(extra="forbid")


CurrentLanguage = Annotated[str, Depends(language_of)]

__all__ = ["CurrentLanguage", "CurrentSession", "CurrentStation", "RequestBody", "StationContext", "station_of"]
