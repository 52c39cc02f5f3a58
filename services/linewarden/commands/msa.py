"""`linewarden msa`: how well machine and people measure, on parts whose truth is known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from linewarden.commands.context import progress_bar
from linewarden.commands.inspect import load_inspector
from linewarden.commands.options import Csv, Device, Json, Page, StoredReport, in_words
from linewarden.commands.report import deliver
from linewarden_runtime.files import writable_file

app = typer.Typer(help="A study of machine and operators on parts whose truth is known.", no_args_is_help=True)


@app.command()
def plan(
    source: Annotated[
        Path, typer.Argument(help="parts.csv, a folder that holds one, or folders by class.", exists=True)
    ],
    out: Annotated[Path, typer.Option(callback=writable_file, help="File to write.", dir_okay=False)],
    operator: Annotated[list[str] | None, typer.Option(help="Who judges; once for each.")] = None,
    parts: Annotated[int, typer.Option(min=2, help="Parts, half of them defective.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="How often everybody judges every part.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same plan.")] = 1,
    sheets: Annotated[Path | None, typer.Option(help="Also a folder of pictures and tables for people.")] = None,
) -> None:
    """Draw parts and the order in which everybody judges them; three (A, B, C) and three rounds by default.

    To have people judge at the station: `linewarden msa plan PARTS --out plan.json --operator ada
    --sheets STUDIES/NAME`, each named as they sign in, with LINEWARDEN_STATION__STUDIES=STUDIES; they answer at its
    page /study, and `linewarden msa run plan.json --out study.json --answers STUDIES/NAME` collects the answers.
    """
    from linewarden_history.msa import models  # noqa: PLC0415 - nothing heavy before its need
    from linewarden_history.msa.parts import read_parts  # noqa: PLC0415
    from linewarden_history.msa.plan import make_plan  # noqa: PLC0415
    from linewarden_history.msa.sheets import write_sheets  # noqa: PLC0415

    with in_words():
        found, left_out = read_parts(source)
        people = operator or ["A", "B", "C"]
        made = make_plan(found, count=parts, operators=people, rounds=rounds, seed=seed, left_out=left_out)
        if sheets is not None:
            write_sheets(made, sheets)
        models.write(out, made)
    typer.echo(f"{len(made.parts)} parts, {len(people)} operators, {rounds} rounds: {out}")
    for why, count in made.left_out.items():
        typer.echo(f"left out: {count} {why}")


@app.command()
def run(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="What `msa plan` wrote.", exists=True)],
    out: Annotated[
        Path,
        typer.Option(callback=writable_file, help="The study; one that is there already is added to.", dir_okay=False),
    ],
    bundle: Annotated[Path | None, typer.Option(help="Have this bundle judge every presentation.")] = None,
    presentations: Annotated[
        int | None, typer.Option(min=1, help="At most so many of each part; all otherwise.")
    ] = None,
    answers: Annotated[
        list[Path] | None, typer.Option(help="A folder of filled sheets, or a table; may be repeated.", exists=True)
    ] = None,
    device: Device = "auto",
) -> None:
    """Collect what the machine and the operators say of the planned parts.

    Answers that were given at the station stand in the folder that `msa plan --sheets` wrote: `--answers STUDIES/NAME`.
    """
    from linewarden_history.msa import models  # noqa: PLC0415
    from linewarden_history.msa.sheets import read_answers  # noqa: PLC0415

    if bundle is None and not answers:
        raise typer.BadParameter("give --bundle, --answers or both: there is nothing to collect")
    with in_words():
        planned = models.read(models.AppraisalPlan, plan_file)
        study = models.read(models.AttributeStudy, out) if out.exists() else models.AttributeStudy(plan=planned)
        if study.plan.digest != planned.digest:
            raise ValueError(f"{out} is a study of another plan; choose another file")
        for source in answers or ():
            judged, dropped = read_answers(study.plan, source)
            study = models.with_judgements(study, judged, dropped)
    if bundle is not None:
        from linewarden_replay.machine import present  # noqa: PLC0415 - brings torch

        scorer = load_inspector(bundle, device, 16)
        total = sum(len(part.pictures[:presentations]) for part in study.plan.parts)
        with progress_bar("presenting", total, transient=False) as shown:
            study = study.model_copy(update={"machine": present(study.plan, scorer, presentations, shown)})
    unfinished = out.with_name(f"{out.name}.partial")
    models.write(unfinished, study)
    os.replace(unfinished, out)  # noqa: PTH105 - replaces on every system, which rename does not
    told = 0 if study.machine is None else len(study.machine.presentations)
    typer.echo(f"{told} presentations, {len(study.judgements)} judgements: {out}")
    for why, count in study.dropped.items():
        typer.echo(f"count nowhere: {count} {why}")


@app.command()
def report(
    study_file: Annotated[
        Path | None, typer.Argument(metavar="STUDY", help="What `msa run` wrote.", exists=True)
    ] = None,
    page: Page = None,
    csv: Csv = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals.")] = 1,
    from_json: StoredReport = None,
    as_json: Json = False,
) -> None:
    """Effectiveness, misses, false alarms and kappas, with intervals, beside the trade's limits."""
    from linewarden_history.msa.models import AttributeStudy, read  # noqa: PLC0415
    from linewarden_history.msa.report import SCHEMA, as_csv, document  # noqa: PLC0415
    from linewarden_history.msa.report import page as draw  # noqa: PLC0415
    from linewarden_history.reports.rendering import number, percent, read_stored  # noqa: PLC0415

    if (study_file is None) == (from_json is None):
        raise typer.BadParameter("give a study, or --from-json with a stored report")
    with in_words():
        told = (
            read_stored(from_json, SCHEMA) if from_json else document(read(AttributeStudy, Path(str(study_file))), seed)
        )
    limits = told["limits"]
    columns = [f"{name} ({one['is']} {one['limit']:.0%})" for name, one in limits.items()]
    rows = [
        (
            one["name"],
            *(f"{percent(one[name]['value'])} {one['beside_limits'][name]}" for name in limits),
            percent(one["unsure"]["value"]),
            *(number(one[name]["value"], 2) for name in ("within", "against_reference")),
        )
        for one in told["appraisers"]
    ]
    deliver(
        told,
        ((page, draw), (csv, as_csv)),
        ("appraiser", *columns, "unsure", "kappa within", "kappa to reference"),
        rows,
        below=f"kappa between all operators: {number(told['between_operators']['value'], 2)}",
        as_json=as_json,
    )
