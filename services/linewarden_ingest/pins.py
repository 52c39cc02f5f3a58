"""Which recipe version and line state are in force, read from the topics and known through a broker's outage."""

from __future__ import annotations

import threading

import structlog

from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.recipe import Recipe, TimeBudget
from linewarden_schemas.vocabulary import LineMode

from .captures import Pins
from .metrics import BOOK_FAILURES, UNPINNED

_REFRESH_S = 1.0
_log = structlog.get_logger(__name__)


class PinBoard:
    """The books of one line. `refresh` and `follow` belong to one thread; `pins` may be asked from another."""

    def __init__(self, lines: LineBook, recipes: RecipeBook, line_id: str) -> None:
        self._lines, self._recipes, self._line_id = lines, recipes, line_id
        self._known: dict[str, Recipe] = {}
        self._copy()

    def refresh(self) -> None:
        """Learn what was published since.

        Raises:
            BrokerUnavailable: where the broker does not answer; what is known stays in force.
        """
        self._lines.refresh()
        self._recipes.refresh()
        self._copy()

    def follow(self, clock: Clock, stop: threading.Event) -> None:
        """Refresh every second until the stop; an outage is counted and waited out."""
        while not clock.wait(stop, _REFRESH_S):
            try:
                self.refresh()
            except BrokerUnavailable as error:
                BOOK_FAILURES.labels(line=self._line_id).inc()
                _log.warning("recipes and line state may be stale", line_id=self._line_id, error=str(error))

    def recipe(self, at_ms: int) -> Recipe:
        """The recipe in force at a time, for the start of the line.

        Raises:
            ConfigurationError: in one line, with the command that mends it.
        """
        activation = self._activation(at_ms)
        recipe = self._known.get(_key(activation))
        if recipe is None:
            raise ConfigurationError(
                f"recipe {_key(activation)} is active on line {self._line_id} but was never published; "
                "run 'linewarden recipe add FILE' or activate another version"
            )
        return recipe

    def pins(self, at_ms: int) -> Pins:
        """What a capture of that time (epoch ms) pins; asked once a capture.

        An active version that was never published is pinned all the same, with the default budget, and counted:
        inspect then answers that it is unknown, and the visit diverts.

        Raises:
            ConfigurationError: where no recipe was active then.
        """
        activation = self._activation(at_ms)
        recipe = self._known.get(_key(activation))
        if recipe is None:
            UNPINNED.labels(line=self._line_id).inc()
        budget = recipe.time if recipe else TimeBudget()
        return Pins(activation.recipe, budget.decide_by_ms, self._state())

    def close(self) -> None:
        """Close the readers."""
        self._lines.close()
        self._recipes.close()

    def _activation(self, at_ms: int) -> Activation:
        activation = self._lines.activation(self._line_id, at_ms)
        if activation is None:
            raise ConfigurationError(
                f"line {self._line_id} has no active recipe; "
                f"run 'linewarden line activate {self._line_id} RECIPE@VERSION'"
            )
        return activation

    def _state(self) -> LineState:
        told = self._lines.state(self._line_id)
        # A line that never told its state is being set up: nothing of it enters statistics.
        return told or LineState(line_id=self._line_id, mode=LineMode.SETUP, since_ms=0, actor="ingest")

    def _copy(self) -> None:
        self._known = {recipe_key(one.recipe_id, one.version): one for one in self._recipes.known()}


def _key(activation: Activation) -> str:
    return recipe_key(activation.recipe.recipe_id, activation.recipe.version)
