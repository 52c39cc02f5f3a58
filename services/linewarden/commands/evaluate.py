"""`linewarden evaluate`: what a bundle is worth on pictures that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import in_one_line, today
from linewarden.commands.options import BundleFolder, Data, Device, Json, Layout, Split
from linewarden_runtime.files import writable_folder
from linewarden_train.progress import bars

if TYPE_CHECKING:
    from linewarden_train.data.samples import Samples


def evaluate(
    data: Data,
    bundle: BundleFolder,
    out: Annotated[
        Path, typer.Option(callback=writable_folder, help="Folder for evaluation.json and evaluation.html.")
    ],
    split: Split = "test",
    score: Annotated[str, typer.Option(help="The one score that is compared with the margin.")] = "trust",
    rivals: Annotated[bool, typer.Option(help="Score rivals too, fitted on --reference.")] = True,
    reference: Annotated[str, typer.Option(help="Side of the set that taught the bundle.")] = "train",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap and of rivals that draw.")] = 0,
    layout: Layout = "auto",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Score a split once: the primary endpoint over groups, then what is exploratory, as tables, JSON and a page."""
    from rich.console import Console  # noqa: PLC0415 - nothing heavy before it is needed

    from linewarden_train.evaluation.page import page  # noqa: PLC0415
    from linewarden_train.evaluation.results import EvaluationPlan  # noqa: PLC0415
    from linewarden_train.evaluation.run import Task, evaluate_bundle  # noqa: PLC0415
    from linewarden_train.evaluation.tables import show  # noqa: PLC0415
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    with in_one_line(), bars() as progress:
        samples, held = side_of(data, layout, split), read_bundle(bundle)
        inspector = Inspector.from_bundle(held, device)
        fitted_on = side_of(data, layout, reference) if rivals and split and reference != split else None
        task = Task(data.name, split, today(), seed, EvaluationPlan(score=score), reference=fitted_on)
        found, worst = evaluate_bundle(held, inspector, samples, task, on_progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    text = found.model_dump_json(indent=1) + "\n"
    (out / "evaluation.json").write_text(text)
    (out / "evaluation.html").write_text(page(found, worst))
    if as_json:
        typer.echo(text, nl=False)
    else:
        show(found, Console())
        typer.echo(f"written: {out / 'evaluation.json'}, {out / 'evaluation.html'}")


def side_of(data: Path, layout: str, split: str) -> Samples:
    """Read one side of a set, or all of it; raises ValueError in words.

    A set without sides of its own is dealt as `linewarden train` deals it, so that nothing is seen twice.
    """
    import warnings  # noqa: PLC0415

    from linewarden_train.data.reading_sets import read_set  # noqa: PLC0415
    from linewarden_train.data.sides import side  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pictures without a mask are counted in the report
        samples = read_set(data, layout)
    return side(samples, split) if split else samples
