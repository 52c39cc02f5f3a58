"""Which recipe version and line state are in force, read from the topics and known through a broker's outage."""

from __future__ import annotations

import threading

import structlog

from linewarden_domain.judgeable import LONGEST_DECIDE_BY_MS
from linewarden_ingest.captures import InForce, Pins
from linewarden_ingest.metrics import BOOK_FAILURES, DOUBTFUL, UNPINNED
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError
from linewarden_runtime.freshness import Freshness
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.recipe import Recipe, TimeBudget
from linewarden_schemas.vocabulary import LineMode

_log = structlog.get_logger(__name__)


class PinBoard:
    """The books of one line. `refresh` and `follow` belong to one thread; `pins` may be asked from another.

    Once `max_age_s` went by without a refresh that succeeded, nobody knows whether what is known is still in force:
    captures are taken and carry that doubt, so that their visits divert.
    """

    def __init__(
        self,
        lines: LineBook,
        recipes: RecipeBook,
        line_id: str,
        clock: Clock,
        *,
        max_age_s: float = 60.0,
    ) -> None:
        self._lines, self._recipes, self._line_id = lines, recipes, line_id
        self._freshness = Freshness(clock, max_age_s)
        self._known = recipes.all

    def refresh(self) -> None:
        """Learn what was published since.

        Raises:
            BrokerUnavailable: where the broker does not answer; what is known stays in force.
        """
        with self._freshness.look():
            self._lines.refresh()
            self._recipes.refresh()
            self._known = self._recipes.all

    def follow(self, clock: Clock, stop: threading.Event) -> None:
        """Refresh every second until the stop; an outage is counted and waited out."""
        while not clock.wait(stop, 1.0):
            try:
                self.refresh()
            except BrokerUnavailable as error:
                BOOK_FAILURES.labels(line=self._line_id).inc()
                _log.warning("recipes and line state may be stale", line_id=self._line_id, error=str(error))

    def recipe(self, at_ms: int) -> Recipe | None:
        """The recipe in force at a time, for the start of the line; None where its captures will divert.

        Raises:
            ConfigurationError: in one line, with the command that mends it, where no recipe is active or the active
                version was never published.
        """
        activation, _ = self._activation(at_ms)
        if activation.recipe.name not in self._known.versions:
            raise ConfigurationError(
                f"recipe {activation.recipe.short} is active on line {self._line_id} but was never published; "
                "run 'linewarden recipe add FILE' or activate another version"
            )
        return self._known.get(activation.recipe)

    def pins(self, at_ms: int) -> Pins:
        """What a capture of that time (epoch ms) pins; asked once a capture.

        A recipe that is unknown is pinned all the same, with the default budget, and counted: inspect then answers
        that it is unknown, and the visit diverts. So does one whose pins are in doubt.

        Raises:
            ConfigurationError: where no recipe was ever active.
        """
        activation, doubt = self._activation(at_ms)
        recipe = self._known.get(activation.recipe)
        if recipe is None:
            UNPINNED.labels(line=self._line_id).inc()
        ref = activation.recipe if recipe is None else recipe.ref()
        stale_s = self._freshness.stale_s()
        if doubt is None and stale_s is not None:
            doubt = f"recipe and line state could not be renewed for {stale_s:.0f} s"
        if doubt is not None:
            DOUBTFUL.labels(line=self._line_id).inc()
        budget_ms = (recipe.time if recipe else TimeBudget()).decide_by_ms
        # A recipe from before such times were refused must not make a capture that nobody can read.
        return Pins(ref, min(budget_ms, LONGEST_DECIDE_BY_MS), self._state(at_ms), doubt)

    def in_force(self, at_ms: int) -> InForce:
        """What a capture of that time would pin; nothing where the recipe is unknown, or anything is in doubt."""
        if not self._lines.activations(self._line_id) or self._freshness.stale_s() is not None:
            return InForce()
        activation, doubt = self._activation(at_ms)
        recipe = self._known.get(activation.recipe)
        if doubt is not None or recipe is None:
            return InForce()
        return InForce(recipe.ref(), self._state(at_ms).ref())

    def close(self) -> None:
        """Close the readers of recipes and of line states; the board cannot be asked any more."""
        self._lines.close()
        self._recipes.close()

    def _activation(self, at_ms: int) -> tuple[Activation, str | None]:
        """The activation to pin, and what speaks against believing it."""
        told = self._lines.activations(self._line_id)
        if not told:
            raise ConfigurationError(
                f"line {self._line_id} has no active recipe; "
                f"run 'linewarden line activate {self._line_id} RECIPE@VERSION'"
            )
        try:
            found = self._lines.activation(self._line_id, at_ms)
        except ConfigurationError as unreadable:
            return told[0], str(unreadable)
        if found is None:
            return told[0], "no recipe was active at the time of the picture; look at the camera node's clock"
        return found, None

    def _state(self, at_ms: int) -> LineState:
        # A line that never told its state is being set up: nothing of it enters statistics.
        told = self._lines.state(self._line_id, at_ms)
        return told or LineState(line_id=self._line_id, mode=LineMode.SETUP, since_ms=0, actor="ingest")
