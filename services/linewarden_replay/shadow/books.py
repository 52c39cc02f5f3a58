"""Recipes and activations of the live line, as they become known."""

from __future__ import annotations

from collections.abc import Iterable

from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace, recipe_key
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe


class Books:
    """What a shadow has to know of the line; `recipes` by ID@VERSION grows in place, since a version never changes."""

    def __init__(self, broker: Broker, live: Namespace) -> None:
        self.recipes: dict[str, Recipe] = {}
        self._book = RecipeBook(broker, live)
        self.lines = LineBook(broker, live)

    def look_up(self, refs: Iterable[RecipeRef]) -> None:
        """Learn the recipes of some frames, and what is active now."""
        for ref in set(refs):
            found = self._book.get(ref)
            if found is not None:
                self.recipes[recipe_key(ref.recipe_id, ref.version)] = found
        self.lines.refresh()

    def close(self) -> None:
        """Close the readers."""
        self._book.close()
        self.lines.close()
