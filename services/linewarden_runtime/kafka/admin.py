"""Topics and groups, seen from outside."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError
from linewarden_runtime.kafka.faults import translated
from linewarden_runtime.kafka.reader import KafkaReader
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Closing, TopicDescription, TopicSpec
from linewarden_runtime.records import Position

_Read = TypeVar("_Read")


class KafkaAdmin(Closing):
    """Topics and groups of a Kafka-protocol broker, as `linewarden_runtime.ports.Admin` promises."""

    def __init__(self, settings: KafkaSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        with translated():
            self._client = KafkaAdminClient(**settings.connection())
        self._closed = False

    def create_topics(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Make those that are missing and wait until each has its leaders."""
        wanted = {spec.name: spec for spec in topics}
        existing = self.topics() & wanted.keys()
        for name in sorted(existing):
            self._require_count(wanted[name])
        missing = {
            name: {
                "num_partitions": spec.partitions,
                "replication_factor": spec.replication,
                "configs": dict(spec.configs),
            }
            for name, spec in wanted.items()
            if name not in existing
        }
        if missing:
            with translated():
                self._create(missing)
                self._client.wait_for_topics(list(missing))
        return list(missing)

    def _create(self, topics: dict[str, Any]) -> None:
        try:
            self._client.create_topics(topics)
        except kafka_errors.TopicAlreadyExistsError:
            return  # another process was faster
        except (kafka_errors.InvalidConfigurationError, kafka_errors.PolicyViolationError) as error:
            raise ConfigurationError(f"topics {sorted(topics)}: {error}") from error

    def _require_count(self, spec: TopicSpec) -> None:
        count = len(self._metadata(spec.name)["partitions"])
        if count != spec.partitions:
            raise ConfigurationError(
                f"{spec.name} has {count} partitions, not {spec.partitions}: name the line's own number, --partitions "
                f"{count}; changing it is a drained migration"
            )

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics that exist, and wait until they are gone."""
        doomed = self.topics() & set(names)
        if not doomed:
            return
        with translated():
            self._client.delete_topics(sorted(doomed))
        deadline = self._clock.monotonic() + self._settings.bootstrap_timeout_ms / 1000
        # A deletion is answered before it is done; who makes the topic anew at once would find it there still.
        while self.topics() & doomed:
            if self._clock.monotonic() > deadline:
                raise BrokerUnavailable(f"{sorted(doomed)} are still there")

    def topics(self) -> frozenset[str]:
        """List all topics but Kafka's own."""
        with translated():
            names = self._patiently(self._client.list_topics)
        return frozenset(name for name in names if not name.startswith("__"))

    def describe(self, name: str) -> TopicDescription:
        """Describe a topic as it is, with the configuration that is set on it."""
        found = self._metadata(name)
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        with translated():
            configs = self._patiently(lambda: self._client.describe_configs([resource]))["topic"].get(name, {})
        values = {key: str(entry["value"]) for key, entry in configs.items()}
        return TopicDescription(name, str(found["topic_id"]), len(found["partitions"]), values)

    def configure(self, name: str, configs: Mapping[str, str]) -> None:
        """Set some settings of a topic."""
        with translated():
            self._client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(configs))])

    def _metadata(self, name: str) -> dict[str, Any]:
        with translated():
            found: list[dict[str, Any]] = self._patiently(lambda: self._client.describe_topics([name]))
        if not found or found[0].get("error_code"):
            raise ConfigurationError(f"unknown topic {name!r}; create it with 'linewarden topics create'")
        return found[0]

    def topic_id(self, name: str) -> str:
        """Fetch the identity of a topic."""
        return str(self._metadata(name)["topic_id"])

    def committed(self, group: str) -> dict[Position, int]:
        """Fetch all committed offsets of a group, waiting for the coordinator that a new broker first has to make."""
        found: dict[TopicPartition, OffsetAndMetadata]
        with translated():
            found = self._patiently(lambda: self._client.list_group_offsets({group: None})).get(group, {})
        # -1: the group has no offset of a partition that it was asked for.
        return {Position(*p): int(value.offset) for p, value in found.items() if value.offset >= 0}

    def _patiently(self, read: Callable[[], _Read]) -> _Read:
        """Ask until there is an answer or the time to find a broker is over; for reads, which may be repeated."""
        deadline = self._clock.monotonic() + self._settings.bootstrap_timeout_ms / 1000
        while True:
            try:
                return read()
            except (  # what a broker answers that has just begun, or stalls for a moment
                kafka_errors.CoordinatorNotAvailableError,
                kafka_errors.CoordinatorLoadInProgressError,
                kafka_errors.KafkaTimeoutError,
            ):
                if self._clock.monotonic() > deadline:
                    raise
                self._clock.wait(threading.Event(), 0.2)

    def provision(self, group: str, topics: Iterable[str]) -> dict[Position, int]:
        """Commit the earliest offset wherever a group without members has none."""
        known = self.committed(group)
        every = [Position(t, n) for t in topics for n in range(len(self._metadata(t)["partitions"]))]
        missing = dict.fromkeys((p for p in every if p not in known), 0)
        if not missing:
            return {}
        with KafkaReader.at(missing, self._settings, max_records=1) as reader:
            chosen = reader.beginning_offsets(missing.keys())
        named = {TopicPartition(*p): OffsetAndMetadata(offset, "", -1) for p, offset in chosen.items()}
        with translated():
            answers = self._client.alter_group_offsets(group, named)
        refused = {p: kind.__name__ for p, kind in answers.items() if kind is not kafka_errors.NoError}
        if refused:
            raise ConfigurationError(f"group {group} could not be provisioned: {refused}; stop its members")
        return chosen

    def close(self) -> None:
        """Disconnect from the broker; twice is harmless."""
        if not self._closed:
            self._closed = True
            self._client.close()
