"""What the routes work with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from linewarden_reinspect.evidence.store import EvidenceSource
from linewarden_runtime.clock import Clock
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe

from .access.access import Access
from .access.guard import CurrentSession
from .desk import Desk
from .insight.insight import Insight
from .references import References
from .studies import Studies
from .texts import language_of
from .watch import QueueWatch


def _no_recipe(_: RecipeRef) -> Recipe | None:
    return None


@dataclass(frozen=True, slots=True)
class Station:
    """Everything that the routes work with. `lines` empty means that people work for every line."""

    desk: Desk
    access: Access
    insight: Insight
    evidence: EvidenceSource
    watch: QueueWatch
    clock: Clock
    namespace: str
    lines: tuple[str, ...] = ()
    recipe: Callable[[RecipeRef], Recipe | None] = _no_recipe
    references: References = field(default_factory=References)
    studies: Studies = field(default_factory=Studies)
    break_after_s: float = 3600.0
    stop: threading.Event = field(default_factory=threading.Event)


def station_of(request: Request) -> Station:
    """The station that serves this request."""
    return cast("Station", request.app.state.station)


CurrentStation = Annotated[Station, Depends(station_of)]

CurrentLanguage = Annotated[str, Depends(language_of)]

__all__ = ["CurrentLanguage", "CurrentSession", "CurrentStation", "Station", "station_of"]
