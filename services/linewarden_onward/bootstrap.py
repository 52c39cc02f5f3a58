"""The only place where onward's clients are built."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from linewarden_onward.interface import OutputRun
from linewarden_onward.loop import OnwardLoop
from linewarden_onward.options import OutputOptions
from linewarden_onward.settings import FirstStart, OnwardOptions, OnwardSettings, with_output
from linewarden_onward.teller import Teller
from linewarden_onward.tenure import Tenure, TenureLimits
from linewarden_runtime import logs
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, run_visibly, stop_on_signals
from linewarden_runtime.ports import Broker, Start
from linewarden_runtime.topic_settings import verify_topics
from linewarden_runtime.watchdog import Watchdog
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import OutputState


def main(argv: Sequence[str] | None = None) -> int:  # noqa: ARG001 - every service has the same entry
    """Run onward until SIGTERM; 75 where another process took its output over."""
    stop = Stop()
    stop_on_signals(stop)
    return run_service("onward", _serve, stop)


def _serve(stop: Stop) -> None:
    settings = OnwardSettings.load()
    logs.configure("onward", level=settings.log_level)
    for name in ("httpx", "asyncua"):
        logging.getLogger(name).setLevel(logging.WARNING)  # else a line a request
    options, output = with_output(settings.onward)
    namespace = Namespace(settings.namespace)
    if namespace.is_isolated:
        raise ConfigurationError(f"namespace {namespace.name} belongs to a replay or shadow; no plant is told of it")
    broker, clock, health = KafkaBroker(settings.kafka), SystemClock(), Health()
    verify_topics(broker, namespace, ("dispositions", "actuations", "outputs", "dead-letters"))

    def serve() -> None:
        with opened_loop(broker, namespace, options, output, clock, health, stop) as loop:
            loop.run(stop)

    with HealthServer(health, settings.health_port, settings.health_host):
        run_visibly(serve, health, stop, clock)


@contextmanager
def opened_loop(
    broker: Broker,
    namespace: Namespace,
    options: OnwardOptions,
    output: OutputOptions,
    clock: Clock,
    health: Health,
    stop: Stop,
    limits: TenureLimits | None = None,
    idle_poll_s: float = 0.1,
) -> Iterator[OnwardLoop]:
    """A loop with clients of its own that has taken the output over.

    Raises:
        Fenced: somebody else took it at the same time.
        TransactionFailed: the broker did not confirm.
    """
    health.not_ready("output", "taking it over")
    time = BrokerTime(clock, f"onward-{output.output_id}", stamps=broker.append_time)
    about = OutputState(
        output_id=output.output_id,
        line_id=options.line_id,
        kind=output.kind,
        epoch=0,
        since_ms=0,
        has_gate=output.has_gate,
        instance=_this_process(),
    )
    with broker.admin() as admin:
        partitions = admin.describe(namespace.topic("actuations")).partitions
    name, wake, watchdog = f"onward-{output.output_id}", threading.Event(), Watchdog()
    with closing(watchdog), Tenure(broker, namespace, about, time, clock, limits) as tenure:
        tenure.take(stop)
        run = OutputRun(options.line_id, tenure.epoch, clock, stop.event, tenure.now_ms)
        teller = Teller(
            output,
            run,
            lambda: tenure.is_held,
            health,
            wake=wake.set,
            backoff=Backoff(options.retry_s, options.retry_at_most_s),
            beat_s=options.beat_s,
            simulated_opens=options.simulated_opens,
            guard=lambda doing: watchdog.guard(f"{name}: {doing}", options.hangs_s),
        )
        # A member with a name of its own: whoever takes the output over takes its place in the group too.
        with broker.consumer(
            group=namespace.group(name),
            topics=[namespace.topic("dispositions")],
            instance=name,
            start=Start.LATEST if options.start is FirstStart.LATEST else Start.EARLIEST,
            max_records=options.max_records,
        ) as consumer:
            yield OnwardLoop(
                consumer,
                tenure,
                teller,
                DeadLetters("onward", namespace, clock),
                time,
                clock,
                health,
                namespace=namespace,
                output_id=output.output_id,
                line_id=options.line_id,
                partitions=partitions,
                wake=wake,
                max_records=options.max_records,
                idle_poll_s=idle_poll_s,
                simulated_opens=options.simulated_opens,
            )


def _this_process() -> str:
    """Host and process, as an id, for whoever looks at who acts."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{socket.gethostname()}-{os.getpid()}")[-128:]
