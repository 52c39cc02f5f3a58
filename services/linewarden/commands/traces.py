"""`linewarden traces`: where the time of each visit went, as OpenTelemetry traces for a collector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import connect, show
from linewarden.commands.options import Json, finite, parse_time

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

    from linewarden.traces import VisitTrace
    from linewarden_runtime.ports import Reader
    from linewarden_runtime.records import Position

_POLL_S = 0.5
_AGAIN_S = 5.0
_TOLD_AT_ONCE = 100


def traces(
    collector: Annotated[
        str, typer.Argument(metavar="URL", help="OTLP over HTTP: http://HOST:4318 of a collector, Jaeger or Tempo.")
    ],
    begin: Annotated[
        str, typer.Option("--from", help="Written from then on: 2026-01-31, 14:00, -2h (UTC without a zone).")
    ] = "-1h",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    share: Annotated[
        float, typer.Option(callback=finite, min=0.0, max=1.0, help="Of all visits; by their ids, so always the same.")
    ] = 1.0,
    settle: Annotated[
        float,
        typer.Option(callback=finite, min=1.0, help="With --follow: seconds without a record that end a visit."),
    ] = 30.0,
    as_json: Json = False,
) -> None:
    """Send one trace a visit, from trigger to output, made of the topics: the line does nothing for it.

    A trace tells times, cameras, bundles and devices, and no verdict, routing or cause: a visit may wait for people who
    must not know them. The same visit has the same trace id whoever sends it, and how often. Exits 1 where the
    collector does not take them; with --follow it waits for it, and the topics keep what is to come.
    """
    from linewarden.traces import TOPICS, TraceBook  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_runtime.books import positions_of, readable  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.lifecycle import Stop, stop_on_signals  # noqa: PLC0415

    line, stop, clock, since_ms = connect(), Stop(), SystemClock(), parse_time(begin)
    stop_on_signals(stop)
    exporter, book, told, left_out = _exporter(collector), TraceBook(line.namespace.name), 0, 0
    places = [one for name in TOPICS for one in positions_of(line.broker, line.namespace.topic(name))]
    with line.broker.reader(dict.fromkeys(places, 0), max_records=500) as reader:
        ends = _sought(reader, places, since_ms)
        while not stop.is_set():
            for record in reader.poll(_POLL_S):
                if record.value is not None and (message := readable(record)) is not None:
                    book.learn(message, record.timestamp_ms, clock.monotonic())
            is_read = all(reader.position(place) >= end for place, end in ends.items())
            is_last = is_read and not follow
            quiet_s = float("inf") if is_last else clock.monotonic() - settle if is_read else float("-inf")
            for some in _chunks(book.over(quiet_s)):
                drawn = [one for one in some if one.is_drawn(share)]
                while not (is_sent := _sent(exporter, line.namespace.name, drawn)) and follow and not stop.is_set():
                    typer.echo(f"{collector} does not take traces; tried again in {_AGAIN_S:g} s", err=True)
                    stop.wait(clock, _AGAIN_S)
                if not is_sent:
                    typer.echo(f"{collector} does not take traces; {told} visits were told", err=True)
                    raise typer.Exit(1)
                told, left_out = told + len(drawn), left_out + len(some) - len(drawn)
            if is_last:
                break
    exporter.shutdown()
    row = {"told": told, "left out by share": left_out, "cut short": book.cut_short, "late records": book.late_records}
    show([row], as_json=as_json)


def _sought(reader: Reader, places: list[Position], since_ms: int) -> dict[Position, int]:
    """Stand where records were written from then on; where each partition ends now."""
    ends = reader.end_offsets(places)
    firsts = reader.offsets_for_times(dict.fromkeys(places, max(0, since_ms)))
    for place in places:
        first = firsts.get(place)
        reader.seek(place, ends[place] if first is None else first)
    return ends


def _chunks(found: Iterator[VisitTrace]) -> Iterator[list[VisitTrace]]:
    some: list[VisitTrace] = []
    for one in found:
        some.append(one)
        if len(some) == _TOLD_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _exporter(collector: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    if not collector.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{collector!r} is no http://HOST:PORT")
    where = collector.rstrip("/")
    return OTLPSpanExporter(where if where.endswith("/v1/traces") else f"{where}/v1/traces", timeout=10)


def _sent(exporter: SpanExporter, namespace: str, some: list[VisitTrace]) -> bool:
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

    spans = [span for one in some for span in _spans(namespace, one)]
    return not spans or exporter.export(spans) is SpanExportResult.SUCCESS


def _spans(namespace: str, trace: VisitTrace) -> Iterator[ReadableSpan]:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    sampled, root = TraceFlags(TraceFlags.SAMPLED), trace.spans[0]
    parent = SpanContext(trace.trace_id, trace.span_id(root), is_remote=False, trace_flags=sampled)
    for span in trace.spans:
        own = SpanContext(trace.trace_id, trace.span_id(span), is_remote=False, trace_flags=sampled)
        where = {"service.name": f"linewarden-{span.service}", "service.namespace": namespace}
        yield ReadableSpan(
            span.name,
            context=own,
            parent=None if span is root else parent,
            resource=Resource(where),
            attributes={f"linewarden.{name}": value for name, value in span.attributes.items()},
            events=[Event(name, timestamp=at_ms * 1_000_000) for name, at_ms in span.events],
            start_time=span.start_ms * 1_000_000,
            end_time=span.end_ms * 1_000_000,
        )
