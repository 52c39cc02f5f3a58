"""Options that several commands take, declared once; what they choose, and the index behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import now_ms
from linewarden_domain.times import end_of, epoch_ms, seconds
from linewarden_runtime.files import writable_file, writable_folder

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_history.index.store import StoryIndex
    from linewarden_history.selection import Selection
    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace

DEFAULT_INDEX = Path("linewarden-index.sqlite")

Json = Annotated[bool, typer.Option("--json", help="One JSON document for programs instead of a table.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of the set.", exists=True, file_okay=False)]
Split = Annotated[str, typer.Option(help="Side of the set; all of it with an empty name.")]
Layout = Annotated[str, typer.Option("--layout", help="The set's layout, if it is not to be recognised.")]
BundleFolder = Annotated[Path, typer.Option("--bundle", help="Folder of the bundle.", exists=True, file_okay=False)]
NewBundle = Annotated[
    Path,
    typer.Option("--out", metavar="BUNDLE", help="Folder of the bundle; made if absent.", callback=writable_folder),
]
BundleName = Annotated[str, typer.Option(help="Name of the bundle; that of its folder by default.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")]
Simulated = Annotated[bool, typer.Option("--simulated", help="Also what a simulated line made.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says so; the user of this shell by default.")]
Page = Annotated[Path | None, typer.Option(callback=writable_file, metavar="HTML", help="The report as one page.")]
Csv = Annotated[Path | None, typer.Option(callback=writable_file, metavar="CSV", help="The report as a table.")]
StoredReport = Annotated[
    Path | None, typer.Option(help="Make page and table of a stored report instead.", exists=True, dir_okay=False)
]
Index = Annotated[
    Path, typer.Option("--index", metavar="FILE", envvar="LINEWARDEN_REPLAY__INDEX", help="Where the index is kept.")
]
Archived = Annotated[
    Path | None,
    typer.Option(
        "--archive", metavar="DIR", exists=True, file_okay=False, help="Read an archive instead of the live topics."
    ),
]
Begin = Annotated[
    str,
    typer.Option(
        "--from", help="Captured from then on: 2026-01-31, 2026-01-31T06:00, 14:00, -2h (UTC without a zone)."
    ),
]
End = Annotated[str, typer.Option("--to", help="Captured up to then, a day as a whole; now by default.")]
Line = Annotated[str | None, typer.Option(help="One line of the namespace; all by default.")]
Camera = Annotated[str | None, typer.Option(help="With a frame of this camera.")]
Lot = Annotated[str | None, typer.Option(help="Of this lot.")]
Part = Annotated[str | None, typer.Option(help="Of this part, by its serial.")]
Recipe = Annotated[str | None, typer.Option(help="Inspected under this recipe, or ID@VERSION.")]
Bundle = Annotated[str | None, typer.Option(help="With a frame that this bundle judged (digest).")]
WithVerdict = Annotated[
    str | None, typer.Option("--verdict", help="With a frame of this verdict: OK, NG, NOT_DECIDABLE.")
]
Routed = Annotated[str | None, typer.Option("--routing", help="First trusted_pass, diverted or rejected.")]
Offline = Annotated[bool, typer.Option("--no-follow", help="Answer from the index as it is, without the broker.")]
Operator = Annotated[str | None, typer.Option(help="Judged by this person.")]


def selection_of(
    begin: str = "0",
    end: str = "",
    line: str | None = None,
    camera: str | None = None,
    lot: str | None = None,
    part: str | None = None,
    recipe: str | None = None,
    bundle: str | None = None,
    verdict: str | None = None,
    routing: str | None = None,
    operator: str | None = None,
) -> Selection:
    """What the options choose; raises typer.BadParameter for a word that is none."""
    from linewarden_history.selection import Selection  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_schemas.vocabulary import Routing, Verdict  # noqa: PLC0415

    with in_words():
        return Selection(
            parse_time(begin),
            parse_end(end),
            line_id=line,
            camera_id=camera,
            lot_id=lot,
            part_id=part,
            recipe=recipe,
            bundle=bundle,
            verdict=None if verdict is None else Verdict(verdict),
            routing=None if routing is None else Routing(routing),
            operator=operator,
        )


@contextmanager
def in_words() -> Iterator[None]:
    """Tell what a person can mend in one line, as wrong usage."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def finite(value: float | None) -> float | None:
    """The same number; raises typer.BadParameter for one that is none or without end, which no bound keeps out."""
    if value is None or math.isfinite(value):
        return value
    raise typer.BadParameter(f"{value} is no number to reckon with")


def parse_time(text: str) -> int:
    """Epoch ms of a time as people write it; raises typer.BadParameter, with what it may be."""
    with in_words():
        return epoch_ms(text, now_ms())


def parse_end(text: str) -> int:
    """As `parse_time`, now for nothing; a day alone belongs to the range as a whole."""
    with in_words():
        return end_of(text, now_ms()) if text else now_ms()


def parse_duration(text: str) -> float:
    """Seconds of a number with its unit (90s, 30m, 8h, 2d); raises typer.BadParameter for anything else."""
    with in_words():
        return seconds(text)


def clock_of(at_ms: int | None) -> str:
    """Epoch ms as a time in UTC, to the millisecond; empty for none."""
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "milliseconds")[:23]


@contextmanager
def opened_index(
    path: Path, live: Callable[[], tuple[Broker, Namespace]], *, follow: bool = True, hidden: bool = False
) -> Iterator[StoryIndex]:
    """The index of the live namespace, read on to the end of its topics unless `follow` says no; with a bar."""
    from rich.progress import Progress, TextColumn  # noqa: PLC0415 - slow to import, like all that follows

    from linewarden_history.index.following import catch_up  # noqa: PLC0415
    from linewarden_history.index.store import StoryIndex  # noqa: PLC0415

    broker, namespace = live()
    with StoryIndex(path, namespace.name) as index:
        if follow:
            columns = (TextColumn("{task.description}"), TextColumn("{task.completed} records"))
            with Progress(*columns, disable=hidden, transient=True) as bar:
                tasks: dict[str, int] = {}

                def read(name: str, done: int) -> None:
                    task = tasks.setdefault(name, len(tasks))
                    if task == len(bar.tasks):
                        bar.add_task(f"reading {name}", total=None)
                    bar.advance(bar.task_ids[task], done)

                catch_up(broker, namespace, index, progress=read)
        yield index


@contextmanager
def chosen(
    selection: Selection, path: Path, live: Callable[[], tuple[Broker, Namespace]], *, hidden: bool = False
) -> Iterator[Callable[[str], bool]]:
    """Whether a visit is selected; the index is only opened where the selection needs it."""
    if not selection.needs_index:
        yield lambda _visit: True
        return
    from linewarden_history.index.story import is_selected  # noqa: PLC0415 - the same

    with opened_index(path, live, hidden=hidden) as index:
        yield lambda visit: is_selected(index, selection, visit)
