"""Publishing by compare and set: who writes recipes, activations or line states has read them all in the same turn.

All publishers of a namespace share one transactional identity. A turn is: take the identity, which ends the turn of
whoever had it; read to the end; decide; write and commit. Who lost the identity on the way wrote nothing and begins
again, so of two that would contradict each other the second sees what the first wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from linewarden_domain.judgeable import BundleFacts, refusals
from linewarden_runtime.books import LineBook, RecipeBook, positions_of
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, Fenced, TransactionFailed
from linewarden_runtime.ports import Broker
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_runtime.recipes import KnownRecipes
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation, RecipeRef
from linewarden_schemas.recipe import Recipe

_log = structlog.get_logger(__name__)

Decide = Callable[[RecipeBook], Sequence[OutRecord]]


def publish_in_turn(broker: Broker, namespace: Namespace, decide: Decide, source: str) -> None:
    """Publish together what `decide` makes of the recipes as they are; it is asked again where a turn was lost.

    Contents that older software wrote without their digest in the key are written again with it, so that compaction
    keeps them.

    Raises:
        BrokerUnavailable: where no turn came to its end; nothing, or everything, was published.
    """
    topics, turns = ("recipes", "activations", "line-state", "line-acts"), 8
    writes = [position for name in topics for position in positions_of(broker, namespace.topic(name))]
    identity = namespace.transactional_id("recipes")
    for _ in range(turns):
        with broker.transactional_producer(identity, writes) as producer:
            try:
                producer.init()
                with RecipeBook(broker, namespace) as book:
                    records = decide(book)
                    kept = [recipe_record(namespace, one, source) for one in book.unkeyed()]
                if records:
                    producer.transact([*kept, *records])
            except (Fenced, TransactionFailed) as lost:
                _log.warning("somebody else publishes, or the broker did not confirm; once more", why=str(lost))
            else:
                return
    raise BrokerUnavailable(f"{turns} turns to publish were lost; see what is published, and try again")


def publish_recipe(
    broker: Broker, namespace: Namespace, recipe: Recipe, source: str, bundle: BundleFacts | None = None
) -> RecipeRef:
    """Publish a version unless the same is published already; what it is called.

    Raises:
        ConfigurationError: where the line could not judge by it, or the version exists and differs, or is in doubt.
        BrokerUnavailable: as `publish_in_turn`.
    """
    wrong = refusals(recipe, bundle)
    if wrong:
        raise ConfigurationError(f"recipe {recipe.ref().name} is not published: {'; '.join(wrong)}")
    named = [recipe.ref()]

    def decide(book: RecipeBook) -> Sequence[OutRecord]:
        same = published(book.all, recipe)
        named.append((same or recipe).ref())
        return [] if same else [recipe_record(namespace, recipe, source)]

    publish_in_turn(broker, namespace, decide, source)
    return named[-1]


def published(known: KnownRecipes, recipe: Recipe) -> Recipe | None:
    """What is published already and says the same; None where the version is still free.

    Raises:
        ConfigurationError: where the version exists and differs, or is in doubt, with the version to take instead.
    """
    name = recipe.ref().name
    version = known.versions.get(name)
    if version is None:
        return None
    free = next_version(known, recipe.recipe_id)
    if version.problem is not None:
        raise ConfigurationError(f"recipe {name} {version.problem}; publish it as version {free}")
    [same] = version.contents.values()
    if same != recipe:
        raise ConfigurationError(f"recipe {name} exists and differs; publish it as version {free}")
    return same


def next_version(known: KnownRecipes, recipe_id: str) -> int:
    """The version after every one of a recipe that was ever published, known or in doubt."""
    names = (name.rpartition("@") for name in known.versions)
    return 1 + max((int(version) for name, _, version in names if name == recipe_id), default=0)


def activate(broker: Broker, namespace: Namespace, activation: Activation, source: str) -> Activation:
    """Activate a recipe by the digest of its content; what was written.

    Raises:
        ConfigurationError: where the recipe is unknown, in doubt, or not the content that the reference names, or where
            somebody else activated one since this was called.
        BrokerUnavailable: as `publish_in_turn`.
    """
    written: list[Activation] = []
    seen = newest_activation(broker, namespace, activation.line_id)

    def decide(book: RecipeBook) -> Sequence[OutRecord]:
        newest = newest_activation(broker, namespace, activation.line_id)
        if written and newest == written[-1]:
            return []  # the turn before was not confirmed, and still came through
        if newest is not None and newest != seen:
            raise ConfigurationError(
                f"{newest.actor} activated {newest.recipe.short} on line {newest.line_id} meanwhile; "
                f"look at 'linewarden line show {newest.line_id}', then say it again"
            )
        recipe = book.all.get(activation.recipe)
        if recipe is None:
            raise ConfigurationError(f"{book.all.problem(activation.recipe)}; see 'linewarden recipe list'")
        named = {"recipe": recipe.ref(), "bundle_digest": recipe.bundle_digest}
        written.append(activation.model_copy(update=named))
        return [activation_record(namespace, written[-1], source)]

    publish_in_turn(broker, namespace, decide, source)
    return written[-1]


def newest_activation(broker: Broker, namespace: Namespace, line_id: str) -> Activation | None:
    """What was activated last on a line, of what can be read; None where nothing ever was."""
    with LineBook(broker, namespace) as lines:
        return next(iter(lines.activations(line_id)), None)
