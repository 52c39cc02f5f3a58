"""Recipes by reference, without asking the log for an unknown one at every record."""

from __future__ import annotations

from collections.abc import Callable

from linewarden_runtime.clock import Clock
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe


class PatientRecipes:
    """Remembers for `retry_s` that a recipe is unknown; a known one never changes and is kept."""

    def __init__(self, get: Callable[[RecipeRef], Recipe | None], clock: Clock, retry_s: float = 1.0) -> None:
        self._get = get
        self._clock = clock
        self._retry_s = retry_s
        self._known: dict[str, Recipe] = {}
        self._unknown_until: dict[str, float] = {}

    def __call__(self, ref: RecipeRef) -> Recipe | None:
        """The recipe; None if it is unknown still."""
        key = recipe_key(ref.recipe_id, ref.version)
        if key in self._known:
            return self._known[key]
        if self._clock.monotonic() < self._unknown_until.get(key, 0.0):
            return None
        recipe = self._get(ref)
        if recipe is None:
            self._unknown_until[key] = self._clock.monotonic() + self._retry_s
        else:
            self._known[key] = recipe
        return recipe
