"""`linewarden bundle`: what a bundle is, what it may do, who said so, and as an ONNX file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import actor, in_one_line, show, show_table, today
from linewarden.commands.options import Device, Json, finite
from linewarden_runtime.files import writable_file, writable_folder

if TYPE_CHECKING:
    from linewarden_schemas.recipe import Recipe
    from linewarden_vision.bundle import Bundle

app = typer.Typer(help="Bundles: stages, qualification, evidence.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", exists=True, file_okay=False)]


@app.command(name="show")
def show_(folder: Folder, as_json: Json = False) -> None:
    """Show stage, promotions, thresholds with their sources, and the qualification."""
    from linewarden_train.qualification.words import in_words  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder)
    card = bundle.card
    facts = {
        "name": card.name,
        "digest": bundle.digest,
        "content": bundle.content,
        "stage": card.stage,
        "created": card.created,
        "network": f"{card.network.name} {card.network.encoder}",
        "made of": f"{len(bundle.groups.hashes)} groups" if bundle.groups else "groups unknown",
        "classes": ", ".join(bundle.classes.names) if bundle.classes else "tells none",
        "qualification": _qualification_row(bundle, None)["detail"],
    }
    thresholds = [
        {
            "threshold": name,
            "value": f"{limit.value:.6g}",
            "set": limit.provenance.set_name,
            "n": str(limit.provenance.n),
            "point": limit.provenance.curve_point,
            "date": limit.provenance.date,
        }
        for name, limit in card.thresholds.named.items()
    ]
    promotions = [
        {
            "stage": step.stage,
            "who": step.who,
            "date": step.date,
            "evidence": f"{step.evidence.kind} {step.evidence.sha256[:12]}",
            "n": str(step.evidence.n),
            "overridden": "" if step.override is None else f"{step.override}; lacked {'; '.join(step.lacking or ())}",
        }
        for step in bundle.promotions
    ]
    if as_json:
        classes = None if bundle.classes is None else bundle.classes.held_out.model_dump(mode="json")
        lists = {"thresholds": thresholds, "promotions": promotions, "notes": list(card.notes)}
        told = {**facts, **lists, "class_confusion": classes}
        typer.echo(json.dumps(told, indent=1))
        return
    show_table(("", ""), list(facts.items()))
    show(thresholds)
    show(promotions, empty="no promotion: taught")
    _show_classes(bundle)
    if bundle.qualification is not None:
        typer.echo("\n".join(in_words(bundle.qualification)))


@app.command()
def promote(
    folder: Folder,
    stage: Annotated[str, typer.Argument(help="The next stage: shadow, assisted or released.")],
    evidence: Annotated[
        list[Path],
        typer.Option(
            help="evaluation.json, qualification.json, or what 'shadow --json' printed; may be repeated.",
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option(callback=writable_folder, help="Folder of the promoted bundle, new or empty.")],
    who: Annotated[str | None, typer.Option(help="Who promotes; the user of this shell by default.")] = None,
    shadow_hours: Annotated[
        float, typer.Option(callback=finite, min=0.0, help="Hours that a shadow has to have run before assisted.")
    ] = 8.0,
    shadow_frames: Annotated[int, typer.Option(min=1, help="Frames that it has to have judged.")] = 1000,
    override: Annotated[
        str | None, typer.Option(metavar="REASON", help="Promote without what the stage asks for; it stays on record.")
    ] = None,
) -> None:
    """Take one step, and say in one line what the bundle is worth.

    shadow asks for an evaluation on groups it never saw, assisted also for a shadow run, released for a qualification
    that holds. What is lacking is refused, unless somebody overrides it and says why. The promoted bundle has a digest
    of its own: name it in a new recipe version. Parts pass on trust only while a qualification holds (released), or a
    live limit within the recipe's (assisted).
    """
    from linewarden_train.evidence import PromotionCase, StageNeeds, strongest  # noqa: PLC0415
    from linewarden_vision.bundle import read_bundle, write_bundle  # noqa: PLC0415
    from linewarden_vision.promotions import STAGES, to_files  # noqa: PLC0415
    from linewarden_vision.promotions import promote as take  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder)
        wanted = next((known for known in STAGES if known == stage), None)
        if wanted is None:
            raise ValueError(f"stage {stage!r} is none of {', '.join(STAGES)}")
        case = PromotionCase(bundle, today())
        for path in evidence:
            case.add(str(path), path.read_bytes())
        if bundle.qualification is not None and bundle.unqualified(bundle.qualification.precision, today()) is None:
            case.qualification = case.qualification or bundle.qualification
        lacking, worth = case.lacking(wanted, StageNeeds(shadow_hours, shadow_frames)), case.worth()
        typer.echo(f"{bundle.card.name}: {worth}")
        ladder = take(
            bundle.promotions,
            content=bundle.content,
            stage=wanted,
            who=actor(who),
            date=today(),
            evidence=strongest(case.files, wanted),
            worth=worth,
            lacking=lacking,
            override=override,
        )
        extra = {**bundle.extra, **to_files(ladder)}
        if case.qualification is not None:
            extra |= case.qualification.to_files()
        digest = write_bundle(out, bundle.card, bundle.weights, bundle.golden, extra)
    step = ladder[-1]
    typer.echo(f"{stage} by {step.who}, on {step.evidence.kind} {step.evidence.sha256[:12]}, n = {step.evidence.n}")
    if step.lacking:
        typer.echo(f"OVERRIDDEN by {step.who} ({step.override}), without {'; '.join(step.lacking)}")
    if wanted == "assisted":
        typer.echo("every OK of it diverts on a line until a limit within the recipe's is told: linewarden live")
    elif wanted == "released" and case.qualification is None:
        typer.echo("not qualified: every OK of it diverts on a line until 'linewarden qualify'")
    typer.echo(f"bundle {digest} in {out}; a recipe has to name this digest")


@app.command()
def verify(
    folder: Folder,
    digest: Annotated[str | None, typer.Option(help="The digest that a recipe names.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="JSON of a recipe that the qualification has to hold under.", exists=True)
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Check files, digest, golden verdicts on this device, promotions and qualification. Exits 1 where one fails."""
    from linewarden_schemas.recipe import Recipe  # noqa: PLC0415
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415
    from linewarden_vision.errors import GateError  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder, expected_digest=digest)
        asked = None if recipe is None else Recipe.model_validate_json(recipe.read_bytes())
        try:
            precision: str | None = Inspector.from_bundle(bundle, device).precision
            gate = ""
        except GateError as error:
            precision, gate = None, str(error)
    void = bool(bundle.promotions) and bundle.card.stage == "taught"
    stage = "promoted with other content: void, so it is only taught" if void else f"stage {bundle.card.stage}"
    rows = [
        {"check": "files and digest", "well": "yes", "detail": bundle.digest},
        {"check": "golden verdicts", "well": "NO" if gate else "yes", "detail": gate or f"repeated at {precision}"},
        {"check": "promotions", "well": "NO" if void else "yes", "detail": stage},
        _qualification_row(bundle, precision, asked),
    ]
    show(rows, as_json=as_json)
    raise typer.Exit(1 if any(row["well"] == "NO" for row in rows) else 0)


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(callback=writable_file, help="The ONNX file.", dir_okay=False)],
    size: Annotated[
        str, typer.Option(help="Input as HEIGHTxWIDTH, where a bundle's inputs differ; most golden ones by default.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write model.onnx with margin, suspicion, maps and mask; refused where a golden verdict flips."""
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_vision.export.onnx_file import export_bundle  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder)
        shape: tuple[int, int] | None = None
        if size:
            height, _, width = size.partition("x")
            if not (height.isdigit() and width.isdigit()):
                raise ValueError(f"--size takes HEIGHTxWIDTH, such as 224x160; not {size!r}")
            shape = int(height), int(width)
        try:
            model, report = export_bundle(bundle, shape)
        except ImportError as error:
            raise ValueError(f"{error.name} is missing: pip install 'linewarden[export]'") from error
    unfinished = out.with_name(f"{out.name}.partial")
    unfinished.write_bytes(model)
    os.replace(unfinished, out)  # noqa: PTH105 - replaces on every system, which rename does not
    if as_json:
        typer.echo(json.dumps({"bundle_digest": bundle.digest, "bytes": len(model), **asdict(report)}, indent=1))
        return
    typer.echo(f"{out}: {len(model)} bytes, of bundle {bundle.digest[:12]}")
    typer.echo(f"input {report.height}x{report.width}, any batch")
    typer.echo(f"gate passed on {report.pictures} of {report.golden} golden pictures")
    typer.echo(f"largest deviation of a margin: {report.margin_deviation:.2g}")
    typer.echo(f"held to the golden set: {report.covers}")
    if report.diverted_more:
        typer.echo(f"{report.diverted_more} of them the bundle trusts after its second look; the export diverts them")


def _show_classes(bundle: Bundle) -> None:
    """Show what true regions of each class were told to be, on groups that did not teach it."""
    from linewarden_train.evaluation.words import confusion_headers, confusion_rows  # noqa: PLC0415

    if bundle.classes is None:
        return
    table = bundle.classes.held_out
    told_from = bundle.classes.told_from
    typer.echo(f"classes, told from a probability of {told_from:g} on; on {table.how}")
    show_table(confusion_headers(table), confusion_rows(table))


def _qualification_row(bundle: Bundle, precision: str | None, recipe: Recipe | None = None) -> dict[str, str]:
    own = bundle.qualification.precision if bundle.qualification else ""
    why = bundle.unqualified(precision or own, today(), recipe)
    if bundle.qualification is None:
        return {"check": "qualification", "well": "none", "detail": str(why)}
    criteria = bundle.qualification.criteria_digest
    held = f"n = {bundle.qualification.n} groups, valid to {bundle.qualification.expires}, "
    held += "without criteria" if criteria is None else f"with the criteria {criteria[:12]}"
    return {"check": "qualification", "well": "NO" if why else "yes", "detail": why or held}
