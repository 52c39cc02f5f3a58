"""The only place where the line's clients are built."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence

import structlog

from linewarden_line import metrics
from linewarden_line.alarms.keeping import AlarmKeeping
from linewarden_line.alarms.stages import StageWatch
from linewarden_line.part import LinePart
from linewarden_line.process import FOLLOWED, RECALLED, LineProcess
from linewarden_line.settings import LineKeeping, LineSettings
from linewarden_runtime import logs
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, TransactionFailed
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, stop_on_signals
from linewarden_runtime.ports import Broker
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.alarm import LineWord
from linewarden_schemas.ids import Namespace

_log = structlog.get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - every service has the same entry
    """Run the line's process until SIGTERM; 75 where another one took its line over."""
    stop = Stop()
    stop_on_signals(stop)
    return run_service("line", _serve, stop)


def _serve(stop: Stop) -> None:
    settings = LineSettings.load()
    logs.configure("line", level=settings.log_level)
    namespace = Namespace(settings.namespace)
    if namespace.is_isolated:
        raise ConfigurationError(f"namespace {namespace.name} belongs to a replay or shadow; no line has alarms there")
    broker, clock, health = KafkaBroker(settings.kafka), SystemClock(), Health()
    verify_topics(broker, namespace, {*RECALLED, *FOLLOWED})
    with HealthServer(health, settings.health_port, settings.health_host):
        keep_line(broker, namespace, settings.line, clock, health, stop)


def keep_line(
    broker: Broker, namespace: Namespace, options: LineKeeping, clock: Clock, health: Health, stop: Stop
) -> None:
    """Keep a line until asked to stop, and begin again where the broker was away.

    Raises:
        Fenced: another process took the line over.
    """
    about = LineWord(line_id=options.line_id, epoch=0, since_ms=0, at_ms=0, instance=_this_process())
    backoff, failures = Backoff(0.5, 10.0), 0
    while not stop.is_set():
        health.not_ready("line", "taking it over")
        parts = parts_of(broker, namespace, options, clock)
        with LineProcess(broker, namespace, about, parts, clock) as process:
            try:
                process.start()
                health.ready("line")
                while not stop.is_set():
                    health.beat()
                    process.step()
                    failures = 0
            except (BrokerUnavailable, TransactionFailed) as fault:
                failures += 1
                metrics.AGAIN.labels(line=options.line_id).inc()
                _log.warning("the line is taken up again", why=str(fault), failures=failures)
                about = about.model_copy(update={"epoch": max(about.epoch, process.epoch)})
        if failures:
            health.beat()
            stop.wait(clock, backoff.wait_s(failures))


def parts_of(broker: Broker, namespace: Namespace, options: LineKeeping, clock: Clock) -> list[LinePart]:
    """The jobs of the process, each new and knowing nothing yet."""
    stages = StageWatch(broker, namespace, options.alarms.stages)
    return [AlarmKeeping(namespace, options.line_id, options.alarms, stages, clock)]


def _this_process() -> str:
    """Host and process, as an id, for whoever looks at who acts."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{socket.gethostname()}-{os.getpid()}")[-128:]
