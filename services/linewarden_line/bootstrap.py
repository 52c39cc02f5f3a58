"""The only place where the line's clients are built."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from linewarden_domain.line_situation import LineSituation
from linewarden_line import metrics
from linewarden_line.acts_part import ActsPart
from linewarden_line.alarms.keeping import AlarmKeeping
from linewarden_line.alarms.stages import StageWatch
from linewarden_line.part import LinePart
from linewarden_line.process import FOLLOWED, RECALLED, LineProcess
from linewarden_line.settings import LineKeeping, LineSettings
from linewarden_runtime import logs
from linewarden_runtime.acting import ActBook, act_on_line, situation_of
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.books import LineBook, RecipeBook, positions_of, read_until, readable
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import BrokerUnavailable, ConfigurationError, TransactionFailed
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, run_service, stop_on_signals
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import Position
from linewarden_runtime.topic_settings import verify_topics
from linewarden_schemas.alarm import LineWord
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import LineMode

_CLOCKS_APART_MS = 60_000
"""How far before the begin of a check its records are looked for: whoever began it may have another clock than the
broker, and what is older counts for nothing."""
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
    verify_topics(broker, namespace, {*RECALLED, *FOLLOWED, "recipes", "activations", "line-acts"})
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
        with ExitStack() as stack:
            parts = parts_of(broker, namespace, options, clock, stack)
            process = stack.enter_context(LineProcess(broker, namespace, about, parts, clock))
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


def parts_of(
    broker: Broker, namespace: Namespace, options: LineKeeping, clock: Clock, stack: ExitStack
) -> list[LinePart]:
    """The jobs of the process, each new and knowing nothing yet; their clients are closed with the stack."""
    return [
        acts_part(broker, namespace, options.line_id, clock, stack),
        alarm_part(broker, namespace, options, clock, stack),
    ]


def alarm_part(
    broker: Broker, namespace: Namespace, options: LineKeeping, clock: Clock, stack: ExitStack
) -> AlarmKeeping:
    """The job that keeps the line's alarms."""
    stages = stack.enter_context(StageWatch(broker, namespace, options.alarms.stages))
    return AlarmKeeping(namespace, options.line_id, options.alarms, stages, clock)


def acts_part(broker: Broker, namespace: Namespace, line_id: str, clock: Clock, stack: ExitStack) -> ActsPart:
    """The job that keeps the line's acts going."""
    source, opened = namespace.source("line"), list[tuple[LineBook, ActBook, RecipeBook]]()

    def look() -> LineSituation:
        if not opened:  # only now: a broker that is away is waited for by whoever looks
            books = LineBook(broker, namespace), ActBook(broker, namespace), RecipeBook(broker, namespace)
            opened.append(books)
            for book in books:
                stack.enter_context(book)
        lines, acts, recipes = opened[0]
        for book in opened[0]:
            book.refresh()
        return situation_of(line_id, clock.now_ms(), lines, acts, recipes.all)

    def act(wanted: Callable[[LineSituation], Sequence[Message]]) -> object:
        return act_on_line(broker, namespace, line_id, lambda line, _: wanted(line), source, clock.now_ms)

    def count(since_ms: int) -> tuple[int, Mapping[int, int]]:
        return decided_since(broker, namespace, line_id, since_ms)

    def seen_since(since_ms: int) -> Iterator[Message]:
        return written_since(broker, namespace, ("captures", "inspections"), since_ms - _CLOCKS_APART_MS)

    return ActsPart(line_id, clock, look, act, count, seen_since)


def written_since(broker: Broker, namespace: Namespace, topics: Sequence[str], since_ms: int) -> Iterator[Message]:
    """What was written to some topics since a time (epoch ms, the broker's) and can be read, by partition in order."""
    positions = [one for name in topics for one in positions_of(broker, namespace.topic(name))]
    with _reader_since(broker, positions, since_ms) as (reader, ends):
        for record in read_until(reader, ends):
            message = readable(record)
            if message is not None:
                yield message


def decided_since(broker: Broker, namespace: Namespace, line_id: str, since_ms: int) -> tuple[int, Mapping[int, int]]:
    """How many parts were decided in production since a time (epoch ms), and up to where each partition was read."""
    positions, found = positions_of(broker, namespace.topic("dispositions")), 0
    with _reader_since(broker, positions, since_ms) as (reader, ends):
        for record in read_until(reader, ends):
            told = readable(record)
            if isinstance(told, Disposition) and told.revision == 0 and told.line_id == line_id:
                state = told.line_state
                found += state is not None and state.mode is LineMode.PRODUCTION and told.decided_ms > since_ms
    return found, {position.partition: end for position, end in ends.items()}


@contextmanager
def _reader_since(
    broker: Broker, positions: Sequence[Position], since_ms: int
) -> Iterator[tuple[Reader, Mapping[Position, int]]]:
    """A reader that stands at the first record of a time (epoch ms), and where each partition ends now."""
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        starts = reader.offsets_for_times(dict.fromkeys(positions, max(0, since_ms)))
        ends = reader.end_offsets(positions)
        for position in positions:
            start = starts[position]
            reader.seek(position, ends[position] if start is None else start)
        yield reader, ends


def _this_process() -> str:
    """Host and process, as an id, for whoever looks at who acts."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{socket.gethostname()}-{os.getpid()}")[-128:]
