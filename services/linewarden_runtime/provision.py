"""From the catalogue to topics, and records of messages that people and commands write."""

from __future__ import annotations

from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Admin, TopicSpec
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.changeover import Changeover, MasterCheck
from linewarden_schemas.ids import Namespace, recipe_key
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.topics import CATALOGUE


def topic_specs(namespace: Namespace, partitions: int, replication: int = 1) -> list[TopicSpec]:
    """Every topic of the catalogue in a namespace; those by visit share `partitions`."""
    return [
        TopicSpec(
            namespace.topic(name), partitions if topic.by_visit or topic.is_spread else 1, topic.config(), replication
        )
        for name, topic in CATALOGUE.items()
    ]


def provision_topics(admin: Admin, namespace: Namespace, partitions: int = 12, replication: int = 1) -> list[str]:
    """Make the topics that are missing and return their names.

    Raises:
        ConfigurationError: where a topic exists with another partition count; changing it is a migration.
    """
    return admin.create_topics(topic_specs(namespace, partitions, replication))


def recipe_record(namespace: Namespace, recipe: Recipe, source: str) -> OutRecord:
    """A recipe version, keyed by id, version and the digest of its content."""
    key = recipe_key(recipe.recipe_id, recipe.version, recipe.digest())
    return _record(namespace.topic("recipes"), key, recipe, source, recipe.created_ms)


def activation_record(namespace: Namespace, activation: Activation, source: str) -> OutRecord:
    """An activation, keyed by line."""
    return _record(namespace.topic("activations"), activation.line_id, activation, source, activation.from_ms)


def line_state_record(namespace: Namespace, state: LineState, source: str) -> OutRecord:
    """A line state, keyed by line."""
    return _record(namespace.topic("line-state"), state.line_id, state, source, state.since_ms)


def act_record(namespace: Namespace, message: Message, source: str) -> OutRecord:
    """The record of what an act on a line tells, keyed by line.

    Raises:
        TypeError: for a message that no act tells.
    """
    match message:
        case LineState():
            return line_state_record(namespace, message, source)
        case Activation():
            return activation_record(namespace, message, source)
        case Changeover() | MasterCheck():
            return _record(namespace.topic("line-acts"), message.line_id, message, source, message.at_ms)
    raise TypeError(f"{message.TYPE} is told by no act on a line")


def _record(topic: str, key: str, message: Message, source: str, at_ms: int) -> OutRecord:
    return event_record(topic, key, message, id=f"{key}.{at_ms}", source=source, time_ms=at_ms)
