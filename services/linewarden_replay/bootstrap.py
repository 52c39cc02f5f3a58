"""The only place that builds clients of replay and audit."""

from __future__ import annotations

from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.ports import Broker
from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.ids import Namespace


def live() -> tuple[Broker, Namespace]:
    """The broker and the live namespace that the environment names; raises ConfigurationError."""
    settings = ServiceSettings.load()
    return KafkaBroker(settings.kafka), Namespace(settings.namespace)
