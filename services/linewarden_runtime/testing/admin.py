"""Topics and groups of the in-memory bus, seen from outside."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Closing, TopicDescription, TopicSpec
from linewarden_runtime.records import Position

if TYPE_CHECKING:
    from linewarden_runtime.testing.broker import MemoryBroker


class MemoryAdmin(Closing):
    """Topics and groups of a `MemoryBroker`, as `linewarden_runtime.ports.Admin` promises."""

    def __init__(self, broker: "MemoryBroker") -> None:
        self._broker = broker

    def create_topics(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Make those that are missing."""
        made = []
        for spec in topics:
            existing = self._broker.specs.get(spec.name)
            if existing is None:
                self._broker.create(spec)
                made.append(spec.name)
            elif existing.partitions != spec.partitions:
                raise ConfigurationError(
                    f"{spec.name} has {existing.partitions} partitions, not {spec.partitions}: name the line's own "
                    f"number, --partitions {existing.partitions}; changing it is a drained migration"
                )
        return made

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics with their records at once; unknown ones are ignored."""
        for name in names:
            self._broker.drop(name)

    def topics(self) -> frozenset[str]:
        """Names of all topics there are, whatever their namespace."""
        return frozenset(self._broker.specs)

    def describe(self, name: str) -> TopicDescription:
        """Describe a topic as it is."""
        count = self._broker.count(name)
        return TopicDescription(name, self._broker.ids[name], count, dict(self._broker.specs[name].configs))

    def configure(self, name: str, configs: Mapping[str, str]) -> None:
        """Set some settings of a topic."""
        spec = self._broker.specs[name]
        self._broker.specs[name] = replace(spec, configs={**spec.configs, **configs})

    def topic_id(self, name: str) -> str:
        """Fetch the identity of a topic."""
        return self.describe(name).topic_id

    def committed(self, group: str) -> dict[Position, int]:
        """All committed offsets of a group by partition; empty for one that nobody ever joined."""
        return dict(self._broker.group(group).offsets)

    def provision(self, group: str, topics: Iterable[str]) -> dict[Position, int]:
        """Commit the earliest offset where there is none."""
        offsets = self._broker.group(group).offsets
        every = [Position(topic, n) for topic in topics for n in range(self._broker.count(topic))]
        chosen = {p: self._broker.log(p).start for p in every if p not in offsets}
        offsets.update(chosen)
        return chosen

    def close(self) -> None:
        """Does nothing: an admin in memory holds no connection."""
