"""The servers under the demo: a broker and a Redis, embedded or real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from linewarden_runtime.apache import ApacheKafka
from linewarden_runtime.embedded import EmbeddedBroker, EmbeddedRedis
from linewarden_runtime.kafka.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Servers:
    """What listens where, on this machine."""

    broker: EmbeddedBroker | ApacheKafka
    redis_port: int

    def kafka(self) -> KafkaSettings:
        """How to reach the broker; the embedded one has its own ways."""
        if isinstance(self.broker, EmbeddedBroker):
            return self.broker.settings(6_000)
        return KafkaSettings(bootstrap_servers=self.broker.bootstrap_servers, session_timeout_ms=6_000)

    def env(self) -> dict[str, str]:
        """The part of a service's environment that says where to connect."""
        told = self.kafka().model_dump(mode="json", exclude_defaults=True)
        kafka = {f"LINEWARDEN_KAFKA__{name.upper()}": str(value) for name, value in told.items()}
        return kafka | {"LINEWARDEN_REDIS__PORT": str(self.redis_port)}


@contextmanager
def servers(kind: str, folder: Path) -> Iterator[Servers]:
    """Start both and stop both; `kind` is `embedded` or `apache`.

    Raises:
        ConfigurationError: where one does not start, with the end of its log.
    """
    broker = ApacheKafka(folder / "kafka") if kind == "apache" else EmbeddedBroker(folder / "broker")
    with broker, EmbeddedRedis(folder / "redis") as redis:
        yield Servers(broker, redis.port)
