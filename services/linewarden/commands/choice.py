"""Options that choose visits, the same for every command, and the index behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_history.index.store import StoryIndex
    from linewarden_history.selection import Selection
    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace

DEFAULT_INDEX = Path("linewarden-index.sqlite")

Index = Annotated[
    Path, typer.Option("--index", metavar="FILE", envvar="LINEWARDEN_REPLAY__INDEX", help="Where the index is kept.")
]
Archived = Annotated[
    Path | None,
    typer.Option(
        "--archive", metavar="DIR", exists=True, file_okay=False, help="Read an archive instead of the live topics."
    ),
]
Begin = Annotated[str, typer.Option("--from", help="Captured from then on: ISO 8601 or epoch ms.")]
End = Annotated[str, typer.Option("--to", help="Captured up to then; now by default.")]
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
Operator = Annotated[str | None, typer.Option(help="Judged by this person.")]


@dataclass(frozen=True, slots=True)
class Words:
    """What the options said, unread."""

    begin: str = "0"
    end: str = ""
    line: str | None = None
    camera: str | None = None
    lot: str | None = None
    part: str | None = None
    recipe: str | None = None
    bundle: str | None = None
    verdict: str | None = None
    routing: str | None = None
    operator: str | None = None

    def selection(self) -> Selection:
        """The selection; raises typer.BadParameter for a word that is none."""
        from linewarden_history.selection import Selection  # noqa: PLC0415 - the same
        from linewarden_schemas.vocabulary import Routing, Verdict  # noqa: PLC0415 - nothing heavy before it is needed

        with in_words():
            return Selection(
                parse_time(self.begin),
                parse_time(self.end) if self.end else time.time_ns() // 1_000_000,
                line_id=self.line,
                camera_id=self.camera,
                lot_id=self.lot,
                part_id=self.part,
                recipe=self.recipe,
                bundle=self.bundle,
                verdict=None if self.verdict is None else Verdict(self.verdict),
                routing=None if self.routing is None else Routing(self.routing),
                operator=self.operator,
            )


@contextmanager
def in_words() -> Iterator[None]:
    """Tell what a person can mend in one line, as wrong usage."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_time(text: str) -> int:
    """As `epoch_ms`; raises typer.BadParameter."""
    from linewarden_history.selection import epoch_ms  # noqa: PLC0415 - nothing heavy before it is needed

    with in_words():
        return epoch_ms(text)


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
