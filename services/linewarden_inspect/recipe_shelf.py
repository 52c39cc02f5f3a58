"""Recipes for many threads: one thread reads the topic, the others look up and wait, within a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

import structlog

from linewarden_domain.words import Said, said
from linewarden_runtime.books import RecipeBook
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.freshness import Freshness
from linewarden_runtime.metrics import RECIPE_FAILURES
from linewarden_runtime.recipes import KnownRecipes
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused

_REMEMBERED_UNKNOWN = 1000
_log = structlog.get_logger(__name__)


class RecipeShelf:
    """Follows `recipes` from `start` to `close`.

    A frame may name a recipe that this process has not seen yet. Whoever asks first waits for it at most
    `wait_s`; after that everybody is told at once that it is unknown, until it turns up. One that was published with
    another content, or is in doubt, is not waited for. Once `stale_s` went by without a look that succeeded, nobody
    knows whether what is known still holds: every frame is refused then, until a look succeeds.
    """

    def __init__(
        self,
        open_book: Callable[[], RecipeBook],
        *,
        wait_s: float,
        refresh_s: float,
        clock: Clock,
        stale_s: float = 60.0,
        on_news: Callable[[list[Recipe]], object] = lambda _: None,
    ) -> None:
        self._open_book, self._on_news = open_book, on_news
        self._wait_s, self._refresh_s, self._clock = wait_s, refresh_s, clock
        self._freshness = Freshness(clock, stale_s)
        self._recipes = KnownRecipes()
        self._asked: Bounded[str, float] = Bounded(_REMEMBERED_UNKNOWN)
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stopped = False
        self._failure: BaseException | None = None
        self._read_once = False
        # No Background: a failure is raised by whoever asks for a recipe next.
        self._thread = threading.Thread(target=self._run, name="recipes", daemon=True)

    def start(self) -> None:
        """Begin, and return when everything published so far is known; raises what reading raised."""
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._read_once or self._failure is not None)
            self._raise_failure()

    def get(self, ref: RecipeRef) -> Recipe | None:
        """The recipe, None if it is unknown after the wait.

        Raises:
            PictureRefused: where the recipes could not be renewed for so long that none is believed.
        """
        stale = self.stale()
        if stale is not None:
            raise PictureRefused(Undecidable.UNKNOWN_RECIPE, stale, in_passing=True)
        if ref.name in self._recipes.versions:
            return self._recipes.get(ref)
        with self._changed:
            deadline = self._asked.setdefault(ref.name, self._clock.monotonic()) + self._wait_s
            while ref.name not in self._recipes.versions and not self._stopped:
                self._raise_failure()
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    break
                self._wake.set()
                self._changed.wait(min(left, self._refresh_s))
            return self._recipes.get(ref)

    def glance(self, ref: RecipeRef) -> Recipe | None:
        """The recipe as it is known now, without waiting; None where it is unknown, or none is believed."""
        return None if self.stale() is not None else self._recipes.get(ref)

    def stale(self) -> Said | None:
        """Why none is believed; None where they are renewed."""
        age_s = self._freshness.stale_s()
        return None if age_s is None else said("recipes_stale", seconds=age_s)

    def known(self) -> list[Recipe]:
        """Every version known now, oldest first."""
        return self._recipes.known()

    def close(self) -> None:
        """Stop following; nobody waits any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._follow()
        except BaseException as failure:  # noqa: BLE001 - raised again by whoever asks next
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _follow(self) -> None:
        with ExitStack() as stack:
            with self._freshness.look():
                book = stack.enter_context(closing(self._open_book()))
            self._learn(book)
            while not self._stopped:
                self._clock.wait(self._wake, self._refresh_s)
                self._wake.clear()
                try:
                    with self._freshness.look():
                        book.refresh()
                        self._learn(book)  # before anybody believes that it was renewed
                except BrokerUnavailable as error:
                    RECIPE_FAILURES.inc()
                    _log.warning("recipes may be stale", error=str(error))
                    self._learn(book)

    def _learn(self, book: RecipeBook) -> None:
        before, now = self._recipes, book.all
        with self._changed:
            self._recipes, self._read_once = now, True
            self._changed.notify_all()
        news = [recipe for recipe in now.known() if before.get(recipe.ref()) is None] if now is not before else []
        if news:
            self._on_news(news)
