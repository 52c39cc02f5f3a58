"""`linewarden msa`: how well machine and people measure, on parts whose truth is known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden.commands.choice import in_words
from linewarden_runtime.files import writable_file

from .inspect import load_inspector, progress_bar

if TYPE_CHECKING:
    from linewarden_history.msa.models import AppraisalPlan, AttributeStudy

app = typer.Typer(help="A study of machine and operators on parts whose truth is known.", no_args_is_help=True)
_Out = Annotated[Path, typer.Option(callback=writable_file, help="File to write.", dir_okay=False)]


@app.command()
def plan(
    source: Annotated[
        Path, typer.Argument(help="parts.csv, a folder that holds one, or folders by class.", exists=True)
    ],
    out: _Out,
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
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Collect what the machine and the operators say of the planned parts.

    Answers that were given at the station stand in the folder that `msa plan --sheets` wrote: `--answers STUDIES/NAME`.
    """
    from linewarden_history.msa import models  # noqa: PLC0415
    from linewarden_history.msa.sheets import read_answers  # noqa: PLC0415

    if bundle is None and not answers:
        raise typer.BadParameter("give --bundle, --answers or both: there is nothing to collect")
    with in_words():
        study = _begun(models.read(models.AppraisalPlan, plan_file), out)
        for source in answers or ():
            judged, dropped = read_answers(study.plan, source)
            study = models.with_judgements(study, judged, dropped)
    if bundle is not None:
        study = study.model_copy(update={"machine": _present(study.plan, bundle, device, presentations)})
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
    page: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="HTML", help="The report as one page.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(callback=writable_file, metavar="CSV", help="The report as a table.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals.")] = 1,
    from_json: Annotated[
        Path | None, typer.Option(help="Make page and table of a stored report instead.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one JSON document.")] = False,
) -> None:
    """Effectiveness, misses, false alarms and kappas, with intervals, beside the trade's limits."""
    from linewarden_history.msa.models import AttributeStudy, read  # noqa: PLC0415
    from linewarden_history.msa.report import (  # noqa: PLC0415
        SCHEMA,
        as_csv,
        document,
    )
    from linewarden_history.msa.report import page as draw  # noqa: PLC0415
    from linewarden_history.reports.rendering import as_json as stored  # noqa: PLC0415
    from linewarden_history.reports.rendering import read_stored  # noqa: PLC0415

    if (study_file is None) == (from_json is None):
        raise typer.BadParameter("give a study, or --from-json with a stored report")
    with in_words():
        told = (
            read_stored(from_json, SCHEMA) if from_json else document(read(AttributeStudy, Path(str(study_file))), seed)
        )
    if page is not None:
        page.write_text(draw(told), encoding="utf-8")
    if csv is not None:
        csv.write_text(as_csv(told), encoding="utf-8")
    if as_json:
        typer.echo(stored(told), nl=False)
    else:
        _tell(told, [one for one in (page, csv) if one is not None])


def _begun(planned: AppraisalPlan, out: Path) -> AttributeStudy:
    """The study so far; raises ValueError where the file is one of another plan."""
    from linewarden_history.msa.models import AttributeStudy, read  # noqa: PLC0415

    if not out.exists():
        return AttributeStudy(plan=planned)
    known = read(AttributeStudy, out)
    if known.plan.digest != planned.digest:
        raise ValueError(f"{out} is a study of another plan; choose another file")
    return known


def _present(planned: AppraisalPlan, bundle: Path, device: str, most: int | None) -> Any:  # noqa: ANN401 - heavy to import
    from linewarden_replay.machine import present  # noqa: PLC0415 - brings torch

    scorer = load_inspector(bundle, device, 16)
    total = sum(len(part.pictures[:most]) for part in planned.parts)
    with progress_bar("presenting", total) as shown:
        return present(planned, scorer, most, shown)


def _tell(told: dict[str, Any], written: list[Path]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from linewarden_history.reports.rendering import number, percent  # noqa: PLC0415

    table = Table("appraiser", *(f"{name} ({one['is']} {one['limit']:.0%})" for name, one in told["limits"].items()))
    for name in ("unsure", "kappa within", "kappa to reference"):
        table.add_column(name)
    for one in told["appraisers"]:
        cells = [f"{percent(one[name]['value'])} {one['beside_limits'][name]}" for name in told["limits"]]
        kappas = [number(one[name]["value"], 2) for name in ("within", "against_reference")]
        table.add_row(one["name"], *cells, percent(one["unsure"]["value"]), *kappas)
    Console().print(table)
    typer.echo(f"kappa between all operators: {number(told['between_operators']['value'], 2)}")
    for path in written:
        typer.echo(f"written: {path}")
