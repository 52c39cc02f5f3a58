"""Recipes by reference, for many threads over one reader of the topic."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe

_log = structlog.get_logger(__name__)


class Recipes:
    """Remembers for `retry_s` that a recipe is unknown; a known one never changes and is kept."""

    def __init__(self, get: Callable[[RecipeRef], Recipe | None], clock: Clock, retry_s: float = 5.0) -> None:
        self._get, self._clock, self._retry_s = get, clock, retry_s
        self._known: dict[str, Recipe] = {}
        self._unknown_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, ref: RecipeRef) -> Recipe | None:
        """The recipe; None while it is unknown or cannot be read: a page does without it."""
        key = recipe_key(ref.recipe_id, ref.version)
        with self._lock:
            if key not in self._known and self._clock.monotonic() >= self._unknown_until.get(key, 0.0):
                self._ask(key, ref)
            return self._known.get(key)

    def _ask(self, key: str, ref: RecipeRef) -> None:
        try:
            found = self._get(ref)
        except RuntimeFault as fault:
            _log.warning("recipe_not_read", recipe=key, detail=str(fault))
            found = None
        if found is None:
            self._unknown_until[key] = self._clock.monotonic() + self._retry_s
        else:
            self._known[key] = found
