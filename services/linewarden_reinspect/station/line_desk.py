"""Lines as leads act on them: looked at in the topics for each request, changed by compare and set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linewarden_domain.line_situation import LineSituation
from linewarden_domain.words import in_words
from linewarden_reinspect.station.errors import Conflict, NotRecorded
from linewarden_runtime.acting import ActBook, ActRefused, act_on_line, situation_of
from linewarden_runtime.books import LineBook, RecipeBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.ports import Broker
from linewarden_runtime.recipes import KnownRecipes
from linewarden_schemas.base import Message
from linewarden_schemas.ids import Namespace


@dataclass(frozen=True, slots=True)
class LineDesk:
    """The lines of a namespace on which a recipe was ever activated."""

    broker: Broker
    namespace: Namespace
    clock: Clock

    def look(self) -> tuple[list[LineSituation], list[str]]:
        """Every line as it is now, and the newest version of each recipe. Raises BrokerUnavailable."""
        with (
            RecipeBook(self.broker, self.namespace) as recipes,
            LineBook(self.broker, self.namespace) as lines,
            ActBook(self.broker, self.namespace) as acts,
        ):
            now_ms = self.clock.now_ms()
            found = [situation_of(one, now_ms, lines, acts, recipes.all) for one in sorted(lines.lines)]
            newest = {one.recipe_id: one.ref().name for one in recipes.all.known()}
        return found, sorted(newest.values())

    def act(self, line_id: str, act: Callable[[LineSituation, KnownRecipes], Sequence[Message]], language: str) -> None:
        """Do something with a line.

        Raises:
            Conflict: for what may not be done, in the language.
            NotRecorded: where Kafka does not confirm; the same act again is safe.
        """
        source = self.namespace.source("station")
        try:
            act_on_line(self.broker, self.namespace, line_id, act, source, self.clock.now_ms)
        except ActRefused as refusal:
            why = in_words(refusal.told.reason, language) or str(refusal)
            raise Conflict("problem.line_act", why=why) from refusal
        except BrokerUnavailable as fault:
            raise NotRecorded("problem.change_unconfirmed") from fault
