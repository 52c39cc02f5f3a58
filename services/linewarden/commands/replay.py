"""`linewarden replay`: options, a bar, and what is told at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands import choice
from linewarden.commands.choice import DEFAULT_INDEX, Words, chosen, in_words
from linewarden_runtime.files import writable_file

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_history.selection import Selection
    from linewarden_replay.inspecting import Setting
    from linewarden_replay.replay import Plan
    from linewarden_replay.report import ReplayReport
    from linewarden_runtime.ports import Broker
    from linewarden_schemas.ids import Namespace

IN_FORCE = "in-force"
_BUNDLES = ["LINEWARDEN_REPLAY__BUNDLES", "LINEWARDEN_INSPECT__BUNDLES"]

Bundles = Annotated[Path, typer.Option(help="Folder of bundle folders.", exists=True, file_okay=False, envvar=_BUNDLES)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")]
TorchThreads = Annotated[
    int,
    typer.Option(
        min=0,
        max=256,
        envvar="LINEWARDEN_INSPECT__TORCH_THREADS",
        help="Threads of the network in each process. As many as the line's workers have repeat its numbers; another "
        "number rounds otherwise. 0 leaves torch its own.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document for programs instead of a table.")]
Csv = Annotated[
    Path | None, typer.Option("--containment", metavar="CSV", help="Write the passes that would not pass now.")
]
Page = Annotated[
    Path | None,
    typer.Option("--page", metavar="HTML", help="The same as one page with pictures.", callback=writable_file),
]
_Bundle = Annotated[str, typer.Option("--bundle", help="in-force: each recipe's own; or the digest of another.")]
_Recipe = Annotated[
    str | None, typer.Option("--with-recipe", metavar="ID@VERSION", help="Another recipe instead of each frame's own.")
]
_Name = Annotated[str | None, typer.Option(help="Namespace of the run: replay.<name>; by its identity if none.")]
_Same = Annotated[float, typer.Option(min=0.0, help="On p_defect and suspicion, on the device of then.")]
_Across = Annotated[float, typer.Option(min=0.0, help="The same where device or number format is another.")]
_Workers = Annotated[int, typer.Option(min=1, max=64, help="Processes that inspect.")]
_Results = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep results here; an interrupted run is gone on with.")
]


def replay(
    begin: Annotated[str, typer.Option("--from", help="Captured from then on: ISO 8601 or epoch ms.")],
    end: Annotated[str, typer.Option("--to", help="Captured up to then.")],
    bundles: Bundles,
    line: choice.Line = None,
    camera: choice.Camera = None,
    lot: choice.Lot = None,
    part: choice.Part = None,
    recipe: choice.Recipe = None,
    verdict: choice.WithVerdict = None,
    routing: choice.Routed = None,
    operator: choice.Operator = None,
    index: choice.Index = DEFAULT_INDEX,
    archive: choice.Archived = None,
    bundle: _Bundle = IN_FORCE,
    with_recipe: _Recipe = None,
    name: _Name = None,
    device: Device = "auto",
    workers: _Workers = 1,
    torch_threads: TorchThreads = 0,
    tolerance: _Same = 1e-4,
    tolerance_across: _Across = 2e-2,
    results: _Results = None,
    containment: Csv = None,
    page: Page = None,
    as_json: Json = False,
) -> None:
    """Inspect a range of recorded frames again and list what is answered differently, and why.

    Chosen by the words of `linewarden select`; those that a frame does not tell itself are looked up in the index.

    Exits 1 where anything differs, except with another bundle or recipe, which is expected to differ.
    """
    selection = Words(begin, end, line, camera, lot, part, recipe, None, verdict, routing, operator).selection()
    plan = _plan(
        selection, bundles, bundle, with_recipe, (device, workers, torch_threads), name, (tolerance, tolerance_across)
    )
    report = _run(plan, partial(_recorded, archive), index, results, page, hidden=as_json)
    tell(report, containment, as_json=as_json)
    raise typer.Exit(1 if report.differing and (bundle, with_recipe) == (IN_FORCE, None) else 0)


def _plan(
    selection: Selection,
    store: Path,
    bundle: str,
    recipe: str | None,
    on: tuple[str, int, int],
    name: str | None,
    tolerances: tuple[float, float],
) -> Plan:
    from linewarden_replay.compare import Tolerances  # noqa: PLC0415 - slow to import, like all that follows
    from linewarden_replay.replay import Plan  # noqa: PLC0415

    device, workers, threads = on
    setting = setting_of(bundle, recipe)
    return Plan(selection, store, setting, device, "auto", Tolerances(*tolerances), workers, name, threads)


def setting_of(bundle: str, recipe: str | None) -> Setting:
    """What the words mean; raises typer.BadParameter for a recipe that is no ID@VERSION."""
    from linewarden_replay.inspecting import Setting  # noqa: PLC0415 - as above
    from linewarden_schemas.line import RecipeRef  # noqa: PLC0415

    if recipe is None:
        return Setting(None if bundle == IN_FORCE else bundle)
    with in_words():
        return Setting(None if bundle == IN_FORCE else bundle, RecipeRef.parse(recipe))


def _run(
    plan: Plan,
    opened: Callable[[], tuple[Broker, Namespace]],
    index: Path,
    results: Path | None,
    page: Path | None,
    *,
    hidden: bool,
) -> ReplayReport:
    from linewarden_replay.replay import run  # noqa: PLC0415 - as above

    with (
        chosen(plan.selection, index, opened, hidden=hidden) as is_chosen,
        _frames_bar(opened, plan.selection, hidden=hidden) as (broker, namespace, progress),
        kept_in(results) as path,
    ):
        report = run(broker, namespace, plan, results=path, is_chosen=is_chosen, progress=progress)
        if page is not None:
            write_page(page, report, path)
    return report


@contextmanager
def kept_in(results: Path | None) -> Iterator[Path]:
    """The file of the results; one that nobody named ends with the block."""
    import tempfile  # noqa: PLC0415 - not for --help

    if results is not None:
        yield results
        return
    with tempfile.TemporaryDirectory(prefix="linewarden-replay-") as folder:
        yield Path(folder) / "results.sqlite"


def write_page(page: Path, report: ReplayReport, results: Path) -> None:
    """Write the containment list as one page with the pictures that the results keep."""
    from linewarden_replay.containment_page import containment_page  # noqa: PLC0415 - as above
    from linewarden_replay.rerun.results import pictures_in  # noqa: PLC0415

    page.write_text(containment_page(report.as_dict(), pictures_in(results)), encoding="utf-8")


def tell(
    report: ReplayReport, containment: Path | None, more: Mapping[str, object] | None = None, *, as_json: bool
) -> None:
    """Write the list where it is wanted, and print the report for people or programs."""
    from linewarden_replay.containment import write_csv  # noqa: PLC0415 - as above
    from linewarden_replay.rerun.telling import print_report  # noqa: PLC0415

    if containment is not None:
        write_csv(containment, report.containment)
    print_report(report, more or {}, as_json=as_json)


def _recorded(archive: Path | None) -> tuple[Broker, Namespace]:
    from linewarden.commands.recorded import recorded  # noqa: PLC0415 - slow to import

    return recorded(archive)


@contextmanager
def _frames_bar(
    opened: Callable[[], tuple[Broker, Namespace]], selection: Selection, *, hidden: bool
) -> Iterator[tuple[Broker, Namespace, Callable[[int], None]]]:
    """The recorded line, and what advances a bar over the frames of a selection."""
    from rich.progress import Progress  # noqa: PLC0415 - slow to import, like all that follows

    from linewarden_history.reading import count_since  # noqa: PLC0415

    broker, namespace = opened()
    with Progress(disable=hidden) as progress:
        task = progress.add_task("frames", total=count_since(broker, namespace.topic("frames"), selection.from_ms))
        yield broker, namespace, lambda done: progress.advance(task, done)


app = typer.Typer(help="Inspect recorded frames again, beside the live line and never into it.", no_args_is_help=True)
app.callback(invoke_without_command=True)(replay)
