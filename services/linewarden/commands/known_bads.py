"""`linewarden known-bads`: pictures of known defects in the station's queue, and how many of them people catch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.context import connect, in_one_line, now_ms, show
from linewarden.commands.evaluate import side_of
from linewarden.commands.options import Data, Json, Layout, Line, Split, finite, in_words, parse_end, parse_time

if TYPE_CHECKING:
    from linewarden_train.data.samples import Label

app = typer.Typer(help="Known defects, slipped into the queue to measure people.", no_args_is_help=True)

Seed = Annotated[int | None, typer.Option(min=0, help="Chooses pictures and times; each run others by default.")]


@app.command()
def choose(
    data: Data,
    count: Annotated[int, typer.Option(min=1, help="How many to choose.")],
    seed: Seed = 0,
    recent: Annotated[
        Path | None, typer.Option(help="Groups shown lately, one a line.", exists=True, dir_okay=False)
    ] = None,
    split: Split = "",
    layout: Layout = "auto",
    as_json: Json = False,
) -> None:
    """Choose labelled defects: classes in turn, one picture a group."""
    labels, _ = _chosen(data, layout, split, count, seed, recent)
    rows = [{"picture": one.name, "class": one.defect_class, "group": one.group} for one in labels]
    show(rows, as_json=as_json, empty="no defective group is left that was not shown lately")
    raise typer.Exit(0 if len(rows) == count else 1)


@app.command()
def add(
    data: Annotated[Path, typer.Option("--from", help="Folder of the labelled set.", exists=True, file_okay=False)],
    line: Annotated[str, typer.Option(help="The line whose queue they come into.")],
    per_shift: Annotated[int, typer.Option(min=1, help="How many in a shift, at times that are drawn.")],
    shift_hours: Annotated[
        float, typer.Option(callback=finite, min=0.1, help="Length of the shift that begins now.")
    ] = 8.0,
    at_once: Annotated[bool, typer.Option("--at-once", help="All of them now instead of over the shift.")] = False,
    shown: Annotated[
        Path | None, typer.Option(help="File of groups shown lately: they are left out, and new ones put in.")
    ] = None,
    split: Split = "",
    seed: Seed = None,
    layout: Layout = "auto",
) -> None:
    """Slip known defects into a line's queue over one shift, as captures that look like its newest; until Ctrl-C.

    Each is withheld whatever the machine says, and counted neither as production nor in exports. Exits 1 where fewer
    came in than were asked for. The folder's pictures should be of this line's cameras, in their format; where a visit
    has several views, a part's pictures are one group, each with its view as a word of its path: P17_left.png.
    """
    import random  # noqa: PLC0415 - nothing heavy before it is needed

    from linewarden.known_bads.seeding import Seeding, by_view, picture_of, slip_in  # noqa: PLC0415
    from linewarden_runtime.clock import SystemClock  # noqa: PLC0415
    from linewarden_runtime.lifecycle import Stop, stop_on_signals  # noqa: PLC0415

    stop, clock = Stop(), SystemClock()

    def wait_until(at_ms: int) -> bool:
        return not clock.wait(stop.event, max(0.0, (at_ms - clock.now_ms()) / 1000))

    labels, known = _chosen(data, layout, split, per_shift, seed, shown if shown and shown.exists() else None)
    dice = random.Random(seed)  # noqa: S311 - no secret hangs on it; without a seed nobody can repeat it
    begin, here = now_ms(), connect()
    seeding = Seeding(here.broker, here.namespace, line, clock, dice, begin)
    views, parts = seeding.views(), []
    for label in labels:
        of_part = [one.name for one in known if one.group == label.group]
        names = {views[0]: label.name} if len(views) == 1 else by_view(of_part, views)
        parts.append({view: picture_of(data / name) for view, name in names.items()})
    times = sorted(begin + dice.randrange(round(shift_hours * 3_600_000)) for _ in parts)
    stop_on_signals(stop)
    told = slip_in(seeding, parts, [begin] * len(times) if at_once else times, wait_until)
    added = [label for label, one in zip(labels, told, strict=False) if one]
    if shown is not None and added:
        with shown.open("a", encoding="utf-8") as file:
            file.writelines(f"{label.group}\n" for label in added)
    typer.echo(f"{len(added)} of {per_shift} added to the queue of {line}{_why_not(told, labels, per_shift)}")
    raise typer.Exit(0 if len(added) == per_shift else 1)


@app.command()
def rates(
    begin: Annotated[
        str,
        typer.Option(
            "--from", help="Shown from then on: 2026-01-31, 2026-01-31T06:00, 14:00, -2h (UTC without a zone)."
        ),
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Shown up to then; now by default.")] = "",
    line: Line = None,
    as_json: Json = False,
) -> None:
    """Show how many people caught, by line, day and shift, with exact 95 % intervals. The last week by default."""
    from linewarden.known_bads.catches import by_shift  # noqa: PLC0415
    from linewarden_history.reports.gather import gather, tell_visits  # noqa: PLC0415
    from linewarden_history.reports.store import VisitStore  # noqa: PLC0415
    from linewarden_history.selection import Selection  # noqa: PLC0415

    here = connect()
    with in_words():
        to_ms = parse_end(end)
        stretch = Selection(parse_time(begin) if begin else to_ms - 7 * 86_400_000, to_ms, line_id=line)
        with VisitStore() as shelf:
            gather(here.broker, here.namespace, stretch, shelf)
            rows = by_shift(tell_visits(shelf, stretch))
    show(rows if as_json else [_readable(row) for row in rows], as_json=as_json, empty="no known-bad was shown")


def _readable(row: dict[str, Any]) -> dict[str, str]:
    value = row.pop("value")
    interval = f"{row.pop('low'):.0%} to {row.pop('high'):.0%}"
    return {key: str(told) for key, told in row.items()} | {
        "catch rate of answered": "no answer yet" if value is None else f"{value:.0%} ({interval})"
    }


def _why_not(told: list[Any], labels: list[Label], wanted: int) -> str:
    reasons = []
    if len(labels) < wanted:
        reasons.append(f"the set has {len(labels)} that were not shown lately")
    if [] in told:
        reasons.append(f"{told.count([])} fell into a time without production")
    if len(told) < len(labels):
        reasons.append("stopped before its end")
    return f": {'; '.join(reasons)}" if reasons else ""


def _chosen(
    data: Path, layout: str, split: str, count: int, seed: int | None, recent: Path | None
) -> tuple[list[Label], Sequence[Label]]:
    """The chosen pictures, and all of the side that they were chosen from."""
    import numpy as np  # noqa: PLC0415

    from linewarden_train.live.known_bads import choose_known_bads  # noqa: PLC0415

    with in_one_line():
        samples = side_of(data, layout, split)
        shown = set() if recent is None else set(recent.read_text().splitlines())
        chosen = choose_known_bads(samples.labels, count, np.random.default_rng(seed), recent=shown)
    return [samples.labels[index] for index in chosen], samples.labels
