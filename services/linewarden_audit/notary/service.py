"""The notary as a process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from linewarden_audit.notary.anchors import AnchorFile
from linewarden_audit.notary.notary import Notary, NotaryLimits
from linewarden_audit.notary.signing import read_key
from linewarden_runtime import logs
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, stop_on_signals
from linewarden_runtime.settings import ServiceSettings
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.ids import Namespace


class NotarySettings(BaseModel):
    """`LINEWARDEN_NOTARY__...`; times in seconds. `anchor_file` lies outside Kafka, best on another machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_file: Path | None = None
    records: Annotated[int, Field(ge=1, le=30_000)] = 1_000
    every_s: Annotated[float, Field(gt=0)] = 10.0
    anchor_file: Path | None = None
    anchor_s: Annotated[float, Field(gt=0)] = 60.0


class NotaryProcess(ServiceSettings):
    """Settings of the process, as its environment gives them."""

    SERVICE: ClassVar[str] = "notary"

    notary: NotarySettings = NotarySettings()


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - every service has the same entry
    """Run the notary until SIGTERM; 75 where another one took over."""
    stop = Stop()
    stop_on_signals(stop)
    return run_service("notary", _serve, stop)


def _serve(stop: Stop) -> None:
    settings = NotaryProcess.load()
    logs.configure("notary", level=settings.log_level)
    own = settings.notary
    if own.key_file is None:
        raise ConfigurationError("set LINEWARDEN_NOTARY__KEY_FILE; make a key with 'linewarden audit key --out FILE'")
    health = Health()
    limits = NotaryLimits(own.records, own.every_s, anchor_s=own.anchor_s)
    anchors = None if own.anchor_file is None else AnchorFile(own.anchor_file)
    broker, namespace = KafkaBroker(settings.kafka), Namespace(settings.namespace)
    verify_topics(broker, namespace, ("dispositions", "decisions", "chain-heads"))
    notary = Notary(broker, namespace, read_key(own.key_file), SystemClock(), limits, health.beat, anchors)
    with HealthServer(health, settings.health_port, settings.health_host):
        health.not_ready("chain", "reading the last heads")
        try:
            notary.start()
            health.ready("chain")
            while not stop.is_set():
                notary.step()
        except BaseException:
            notary.abandon()
            raise
        notary.close()
