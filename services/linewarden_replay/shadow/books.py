"""Recipes and activations of the live line, as they become known."""

from __future__ import annotations

from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.recipe import Recipe


class Books:
    """What a shadow has to know of the line; `recipes` changes in place, with keys as `KnownRecipes.by_key` gives."""

    def __init__(self, broker: Broker, live: Namespace) -> None:
        self.recipes: dict[str, Recipe] = {}
        self._book = RecipeBook(broker, live)
        self.lines = LineBook(broker, live)

    def refresh(self) -> None:
        """Learn what recipes there are, and what is active now."""
        self._book.refresh()
        self.recipes.clear()
        self.recipes.update(self._book.all.by_key())
        self.lines.refresh()

    def close(self) -> None:
        """Close the readers."""
        self._book.close()
        self.lines.close()
