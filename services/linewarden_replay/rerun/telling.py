"""A report of a replay or a shadow, printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import typer
from rich.console import Console
from rich.table import Table

from linewarden_replay.report import ReplayReport

_SHOWN = 20


def print_report(report: ReplayReport, more: Mapping[str, object], *, as_json: bool) -> None:
    """Print it, with what `more` there is to say, as a table for people or as one JSON document for programs."""
    if as_json:
        typer.echo(json.dumps({**report.as_dict(), **more}, indent=1, allow_nan=False, default=str))
        return
    table = Table("", "", title=f"simulated, in {report.namespace}.inspections")
    for name, value in (*_rows(report), *((name.replace("_", " "), value) for name, value in more.items())):
        table.add_row(name, str(value))
    Console().print(table)
    _print_ids("differs", (f"{one.frame_id} ({one.kind.value}: {'+'.join(one.causes)})" for one in report.differences))
    _print_ids("containment", (f"{one.visit_id} (lot {one.lot_id}, part {one.part_id})" for one in report.containment))


def _rows(report: ReplayReport) -> Iterator[tuple[str, object]]:
    counts = report.counts
    yield "frames", counts.frames
    yield "of them from a run before", counts.resumed
    yield "unreadable", counts.unreadable
    yield "pinned to another recipe than the active one", counts.pinned_otherwise
    yield "visits with a view that is gone", counts.partial
    yield "visits without routing", counts.unrouted
    for kind, count in report.by_kind.items():
        yield f"differs in {kind}", count
    for cause, count in report.by_cause.items():
        yield f"caused by {cause}", count
    for way, count in report.by_routing.items():
        yield f"routed {way}", count
    yield "largest deviation", f"{report.largest_deviation:.2g}"
    yield "passes that would not pass now", len(report.containment)


def _print_ids(name: str, ids: Iterable[str]) -> None:
    told = list(ids)
    for one in told[:_SHOWN]:
        typer.echo(f"{name}: {one}")
    if len(told) > _SHOWN:
        typer.echo(f"{name}: and {len(told) - _SHOWN} more; all of them with --json")
