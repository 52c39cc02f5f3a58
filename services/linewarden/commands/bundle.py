"""`linewarden bundle`: what a bundle is, what it may do, and who said so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewarden_runtime.files import writable_folder

from .context import actor, show
from .evaluate import in_one_line, today

if TYPE_CHECKING:
    from linewarden_vision.bundle import Bundle
    from linewarden_vision.promotions import PromotionEvidence

app = typer.Typer(help="Bundles: stages, qualification, evidence.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", exists=True, file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document for programs instead of tables.")]


@app.command(name="show")
def show_(folder: Folder, as_json: Json = False) -> None:
    """Show stage, promotions, thresholds with their sources, and the qualification."""
    from linewarden_train.qualification.words import in_words  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder)
    facts = _facts(bundle)
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    plain = [{"": name, " ": value} for name, value in facts.items() if isinstance(value, str)]
    show(plain, as_json=False, empty="")
    show(facts["thresholds"], as_json=False, empty="")
    show(facts["promotions"], as_json=False, empty="no promotion: taught")
    if bundle.qualification is not None:
        typer.echo("\n".join(in_words(bundle.qualification)))


@app.command()
def promote(
    folder: Folder,
    stage: Annotated[str, typer.Argument(help="The next stage: shadow, assisted or released.")],
    evidence: Annotated[Path, typer.Option(help="evaluation.json or qualification.json.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option(callback=writable_folder, help="Folder of the promoted bundle, new or empty.")],
    who: Annotated[str | None, typer.Option(help="Who promotes; the user of this shell by default.")] = None,
) -> None:
    """Take one step. The promoted bundle has a digest of its own: name it in a new recipe version."""
    from linewarden_vision.bundle import read_bundle, write_bundle  # noqa: PLC0415
    from linewarden_vision.promotions import STAGES, to_files  # noqa: PLC0415
    from linewarden_vision.promotions import promote as take  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder)
        wanted = next((known for known in STAGES if known == stage), None)
        if wanted is None:
            raise ValueError(f"stage {stage!r} is none of {', '.join(STAGES)}")
        ladder = take(
            bundle.promotions,
            content=bundle.content,
            stage=wanted,
            who=actor(who),
            date=today(),
            evidence=_evidence(evidence, bundle),
        )
        digest = write_bundle(out, bundle.card, bundle.weights, bundle.golden, {**bundle.extra, **to_files(ladder)})
    step = ladder[-1]
    typer.echo(f"{stage} by {step.who}, on {step.evidence.kind} {step.evidence.sha256[:12]}, n = {step.evidence.n}")
    typer.echo(f"bundle {digest} in {out}; a recipe has to name this digest")


@app.command()
def verify(
    folder: Folder,
    digest: Annotated[str | None, typer.Option(help="The digest that a recipe names.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")] = "auto",
    as_json: Json = False,
) -> None:
    """Check files, digest, golden verdicts on this device, promotions and qualification. Exits 1 where one fails."""
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415
    from linewarden_vision.errors import GateError  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    with in_one_line():
        bundle = read_bundle(folder, expected_digest=digest)
        try:
            precision: str | None = Inspector.from_bundle(bundle, device).precision
            gate = ""
        except GateError as error:
            precision, gate = None, str(error)
    rows = [
        {"check": "files and digest", "well": "yes", "detail": bundle.digest},
        {"check": "golden verdicts", "well": "NO" if gate else "yes", "detail": gate or f"repeated at {precision}"},
        _promotions_row(bundle),
        _qualification_row(bundle, precision),
    ]
    show(rows, as_json=as_json, empty="")
    raise typer.Exit(1 if any(row["well"] == "NO" for row in rows) else 0)


def _promotions_row(bundle: Bundle) -> dict[str, str]:
    void = bool(bundle.promotions) and bundle.card.stage == "taught"
    detail = "promoted with other content: void, so it is only taught" if void else f"stage {bundle.card.stage}"
    return {"check": "promotions", "well": "NO" if void else "yes", "detail": detail}


def _qualification_row(bundle: Bundle, precision: str | None) -> dict[str, str]:
    why = bundle.unqualified(precision or (bundle.qualification.precision if bundle.qualification else ""), today())
    if bundle.qualification is None:
        return {"check": "qualification", "well": "none", "detail": str(why)}
    held = f"n = {bundle.qualification.n} groups, valid to {bundle.qualification.expires}"
    return {"check": "qualification", "well": "NO" if why else "yes", "detail": why or held}


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.card.name,
        "digest": bundle.digest,
        "content": bundle.content,
        "stage": bundle.card.stage,
        "created": bundle.card.created,
        "network": f"{bundle.card.network.name} {bundle.card.network.encoder}",
        "made of": f"{len(bundle.groups.hashes)} groups" if bundle.groups else "groups unknown",
        "qualification": _qualification_row(bundle, None)["detail"],
        "thresholds": [
            {
                "threshold": name,
                "value": f"{limit.value:.6g}",
                "set": limit.provenance.set_name,
                "n": str(limit.provenance.n),
                "point": limit.provenance.curve_point,
                "date": limit.provenance.date,
            }
            for name, limit in bundle.card.thresholds.named.items()
        ],
        "promotions": [
            {
                "stage": step.stage,
                "who": step.who,
                "date": step.date,
                "evidence": f"{step.evidence.kind} {step.evidence.sha256[:12]}",
                "n": str(step.evidence.n),
            }
            for step in bundle.promotions
        ],
        "notes": list(bundle.card.notes),
    }


def _evidence(path: Path, bundle: Bundle) -> PromotionEvidence:
    """Read what was looked at; raises ValueError where it speaks of other content or is no evidence at all."""
    from pydantic import ValidationError  # noqa: PLC0415

    from linewarden_train.evaluation.results import Evaluation  # noqa: PLC0415
    from linewarden_vision.promotions import PromotionEvidence  # noqa: PLC0415
    from linewarden_vision.qualification import Qualification  # noqa: PLC0415

    text = path.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    try:
        if json.loads(text).get("kind") == "evaluation":
            found = Evaluation.model_validate_json(text)
            same = found.source is not None and found.source.content_digest == bundle.content
            if not same:
                raise ValueError(f"{path} evaluates other content than this bundle's: evaluate this bundle")
            return PromotionEvidence(kind="evaluation", sha256=digest, n=found.n)
        record = Qualification.model_validate_json(text)
    except (ValidationError, json.JSONDecodeError, AttributeError) as error:
        raise ValueError(f"{path} is neither an evaluation nor a qualification") from error
    void = record.void_because(bundle.content)
    if void is not None or record.is_expired(today()):
        raise ValueError(f"{path} does not hold for this bundle: {void or 'it is expired'}")
    return PromotionEvidence(kind="qualification", sha256=digest, n=record.n)
