"""Acts on a line by compare and set: who acts has read what the topics say of it in the same turn (`publishing`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from linewarden_domain.line_situation import LineRefusal, LineSituation
from linewarden_domain.words import Said
from linewarden_runtime.books import LineBook, RecipeBook, TopicBook, readable
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Broker, Closing
from linewarden_runtime.provision import act_record
from linewarden_runtime.publishing import publish_in_turn
from linewarden_runtime.recipes import KnownRecipes
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.changeover import Changeover, MasterCheck
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import LineState, RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import CheckOutcome

LineAct = Callable[[LineSituation, KnownRecipes], Sequence[Message]]


class ActRefused(ConfigurationError):
    """What somebody wanted of a line may not be done; `told` says why in every language."""

    def __init__(self, told: Said) -> None:
        super().__init__(told.sentence)
        self.told = told


class ActBook(Closing):
    """The last changeover and checks of each line, and every check that did not pass."""

    def __init__(self, broker: Broker, namespace: Namespace) -> None:
        self.changeovers: dict[str, Changeover] = {}
        self.checks: dict[str, MasterCheck] = {}
        self.good: dict[str, MasterCheck] = {}
        self.wrong: dict[str, list[MasterCheck]] = {}
        self._book = TopicBook(broker, namespace.topic("line-acts"), self.learn, self._forget)
        self._book.refresh()

    def refresh(self) -> None:
        """Learn what was told since."""
        self._book.refresh()

    def close(self) -> None:
        """Close the reader; what was learnt can still be asked for."""
        self._book.close()

    def learn(self, record: InRecord) -> None:
        """Take one record of the topic."""
        message = readable(record)
        if isinstance(message, Changeover):
            self.changeovers[message.line_id] = message
        if isinstance(message, MasterCheck):
            self.checks[message.line_id] = message
            if message.outcome is CheckOutcome.PASSED:
                self.good[message.line_id] = message
            elif message.outcome is not None:
                self.wrong.setdefault(message.line_id, []).append(message)

    def _forget(self) -> None:
        self.changeovers, self.checks, self.good, self.wrong = {}, {}, {}, {}


def situation_of(line_id: str, now_ms: int, lines: LineBook, acts: ActBook, recipes: KnownRecipes) -> LineSituation:
    """A line as these books know it now (epoch ms).

    Raises:
        ConfigurationError: where its newest activation cannot be read.
    """
    active = lines.activation(line_id, now_ms)
    return LineSituation(
        line_id=line_id,
        now_ms=now_ms,
        state=lines.state(line_id),
        active=active,
        recipe=None if active is None else recipes.get(active.recipe),
        changeover=acts.changeovers.get(line_id),
        check=acts.checks.get(line_id),
        good=acts.good.get(line_id),
    )


def look_at_line(broker: Broker, namespace: Namespace, line_id: str, now_ms: int) -> LineSituation:
    """A line as the topics tell it now (epoch ms). Raises as `situation_of`, and BrokerUnavailable."""
    with (
        RecipeBook(broker, namespace) as recipes,
        LineBook(broker, namespace) as lines,
        ActBook(broker, namespace) as acts,
    ):
        return situation_of(line_id, now_ms, lines, acts, recipes.all)


def act_on_line(
    broker: Broker,
    namespace: Namespace,
    line_id: str,
    act: LineAct,
    source: str,
    now_ms: Callable[[], int],
    *,
    seen: LineSituation | None = None,
) -> tuple[Message, ...]:
    """Do something with a line and write what it tells, all of it or nothing; what was written.

    Raises:
        ActRefused: for what may not be done.
        ConfigurationError: where somebody else told another state since the line was `seen`, if that is given.
        BrokerUnavailable: as `publish_in_turn`.
    """
    written: list[Message] = []

    def decide(book: RecipeBook) -> Sequence[OutRecord]:
        with LineBook(broker, namespace) as lines, ActBook(broker, namespace) as acts:
            line = situation_of(line_id, now_ms(), lines, acts, book.all)
        # The turn before was not confirmed, and still came through.
        if written and any(one in (line.state, line.changeover, line.check, line.active) for one in written):
            return []
        if seen is not None and line.state is not None and line.state != seen.state:
            raise ConfigurationError(
                f"{line.state.actor} told meanwhile that line {line_id} is in {line.mode.value}; "
                f"look at 'linewarden line show {line_id}', then say it again"
            )
        try:
            written[:] = act(line, book.all)
        except LineRefusal as refusal:
            raise ActRefused(refusal.told) from refusal
        return [act_record(namespace, one, source) for one in written]

    publish_in_turn(broker, namespace, decide, source)
    return tuple(written)


def known_recipe(recipes: KnownRecipes, ref: RecipeRef) -> Recipe:
    """The content of a recipe that somebody names. Raises LineRefusal where nobody may judge by it."""
    recipe = recipes.get(ref)
    if recipe is None:
        raise LineRefusal("act_recipe_unknown", detail=recipes.problem(ref) or ref.short)
    return recipe


def state_in(messages: Sequence[Message]) -> LineState | None:
    """The line state among what an act told."""
    return next((one for one in messages if isinstance(one, LineState)), None)
