"""Recipes by reference for pages, which do without one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.recipes import PatientRecipes
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe

_log = structlog.get_logger(__name__)


class Recipes:
    """Asks the topic at most every `retry_s` for each recipe."""

    def __init__(self, get: Callable[[RecipeRef], Recipe | None], clock: Clock, retry_s: float = 5.0) -> None:
        self._known = PatientRecipes(get, clock, retry_s)

    def __call__(self, ref: RecipeRef) -> Recipe | None:
        """The recipe; None while it is unknown or cannot be read."""
        try:
            return self._known(ref)
        except RuntimeFault as fault:
            _log.warning("recipe not read", recipe=ref.short, detail=str(fault))
            return None
