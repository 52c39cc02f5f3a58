"""`linewarden replay`: options, a bar, and what is told at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands import options, recorded
from linewarden.commands.context import progress_bar, show_table
from linewarden.commands.options import DEFAULT_INDEX, Device, Json, chosen, finite, in_words, selection_of
from linewarden_runtime.files import writable_file

if TYPE_CHECKING:  # `linewarden --help` must not wait for what only a command needs
    from linewarden_replay.inspecting import Setting
    from linewarden_replay.report import ReplayReport

IN_FORCE = "in-force"

Bundles = Annotated[
    Path,
    typer.Option(
        help="Folder of bundle folders.",
        exists=True,
        file_okay=False,
        envvar=["LINEWARDEN_REPLAY__BUNDLES", "LINEWARDEN_INSPECT__BUNDLES"],
    ),
]
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
Containment = Annotated[
    Path | None, typer.Option("--containment", metavar="CSV", help="Write the passes that would not pass now.")
]
ContainmentPage = Annotated[
    Path | None,
    typer.Option("--page", metavar="HTML", help="The same as one page with pictures.", callback=writable_file),
]


def replay(
    begin: Annotated[
        str,
        typer.Option(
            "--from", help="Captured from then on: 2026-01-31, 2026-01-31T06:00, 14:00, -2h (UTC without a zone)."
        ),
    ],
    end: Annotated[str, typer.Option("--to", help="Captured up to then, a day as a whole.")],
    bundles: Bundles,
    line: options.Line = None,
    camera: options.Camera = None,
    lot: options.Lot = None,
    part: options.Part = None,
    recipe: options.Recipe = None,
    verdict: options.WithVerdict = None,
    routing: options.Routed = None,
    operator: options.Operator = None,
    index: options.Index = DEFAULT_INDEX,
    archive: options.Archived = None,
    bundle: Annotated[
        str, typer.Option("--bundle", help="in-force: each recipe's own; or the digest of another.")
    ] = IN_FORCE,
    with_recipe: Annotated[
        str | None,
        typer.Option("--with-recipe", metavar="ID@VERSION", help="Another recipe instead of each frame's own."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Namespace of the run: replay.<name>; by its identity if none.")
    ] = None,
    device: Device = "auto",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that inspect.")] = 1,
    torch_threads: TorchThreads = 0,
    tolerance: Annotated[
        float, typer.Option(callback=finite, min=0.0, help="On p_defect and suspicion, on the device of then.")
    ] = 1e-4,
    tolerance_across: Annotated[
        float, typer.Option(callback=finite, min=0.0, help="The same where device or number format is another.")
    ] = 2e-2,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep results here; an interrupted run is gone on with.")
    ] = None,
    containment: Containment = None,
    page: ContainmentPage = None,
    as_json: Json = False,
) -> None:
    """Inspect a range of recorded frames again and list what is answered differently, and why.

    Chosen by the words of `linewarden select`; those that a frame does not tell itself are looked up in the index.

    Exits 1 where anything differs, except with another bundle or recipe, which is expected to differ.
    """
    from linewarden_history.reading import count_since  # noqa: PLC0415 - slow to import, like all that follows
    from linewarden_replay.compare import Tolerances  # noqa: PLC0415
    from linewarden_replay.inspecting import ReplayPlan  # noqa: PLC0415
    from linewarden_replay.replay import run  # noqa: PLC0415

    plan = ReplayPlan(
        selection_of(begin, end, line, camera, lot, part, recipe, None, verdict, routing, operator),
        bundles,
        setting_of(bundle, with_recipe),
        device,
        tolerances=Tolerances(tolerance, tolerance_across),
        workers=workers,
        name=name,
        torch_threads=torch_threads,
    )
    with chosen(plan.selection, index, lambda: recorded.recorded(archive), hidden=as_json) as is_chosen:
        broker, namespace = recorded.recorded(archive)
        total = count_since(broker, namespace.topic("frames"), plan.selection.from_ms)
        with progress_bar("frames", total, hidden=as_json, transient=False) as progress, kept_in(results) as path:
            report = run(broker, namespace, plan, results=path, is_chosen=is_chosen, progress=progress)
            if page is not None:
                write_page(page, report, path)
    tell(report, containment, as_json=as_json)
    raise typer.Exit(1 if report.differing and (bundle, with_recipe) == (IN_FORCE, None) else 0)


def setting_of(bundle: str, recipe: str | None) -> Setting:
    """What the words mean; raises typer.BadParameter for a recipe that is no ID@VERSION."""
    from linewarden_replay.inspecting import Setting  # noqa: PLC0415 - as above
    from linewarden_schemas.line import RecipeRef  # noqa: PLC0415

    if recipe is None:
        return Setting(None if bundle == IN_FORCE else bundle)
    with in_words():
        return Setting(None if bundle == IN_FORCE else bundle, RecipeRef.parse(recipe))


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
    from linewarden_replay.containment import containment_page  # noqa: PLC0415 - as above
    from linewarden_replay.rerun.results import pictures_in  # noqa: PLC0415

    page.write_text(containment_page(report.as_dict(), pictures_in(results)), encoding="utf-8")


def tell(
    report: ReplayReport, containment: Path | None, more: Mapping[str, object] | None = None, *, as_json: bool
) -> None:
    """Write the list where it is wanted, and print the report for people or programs."""
    from linewarden_replay.containment import write_csv  # noqa: PLC0415 - as above

    if containment is not None:
        write_csv(containment, report.containment)
    if as_json:
        typer.echo(json.dumps({**report.as_dict(), **(more or {})}, indent=1, allow_nan=False, default=str))
        return
    counts = report.counts
    figures: dict[str, object] = {
        "frames": counts.frames,
        "of them from a run before": counts.resumed,
        "unreadable": counts.unreadable,
        "pinned to another recipe than the active one": counts.pinned_otherwise,
        "visits with a view that is gone": counts.partial,
        "visits without routing": counts.unrouted,
        **{f"differs in {kind}": count for kind, count in report.by_kind.items()},
        **{f"caused by {cause}": count for cause, count in report.by_cause.items()},
        **{f"routed {way}": count for way, count in report.by_routing.items()},
        "largest deviation": f"{report.largest_deviation:.2g}",
        "passes that would not pass now": len(report.containment),
        **{name.replace("_", " "): value for name, value in (more or {}).items()},
    }
    show_table(("", ""), list(figures.items()), f"simulated, in {report.namespace}.inspections")
    _tell_ids("differs", [f"{one.frame_id} ({one.kind.value}: {'+'.join(one.causes)})" for one in report.differences])
    _tell_ids("containment", [f"{one.visit_id} (lot {one.lot_id}, part {one.part_id})" for one in report.containment])


def _tell_ids(name: str, ids: list[str]) -> None:
    most = 20
    for one in ids[:most]:
        typer.echo(f"{name}: {one}")
    if len(ids) > most:
        typer.echo(f"{name}: and {len(ids) - most} more; all of them with --json")


app = typer.Typer(help="Inspect recorded frames again, beside the live line and never into it.", no_args_is_help=True)
app.callback(invoke_without_command=True)(replay)
