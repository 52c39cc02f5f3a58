"""`linewarden qualify`: the printed, expiring bound on trusted passes among defects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewarden.commands.context import in_one_line, now_ms, today
from linewarden.commands.evaluate import side_of
from linewarden.commands.options import BundleFolder, Data, Device, Json, Layout, Split, finite
from linewarden_runtime.files import writable_file, writable_folder
from linewarden_train.progress import bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from linewarden_train.qualification.criteria import CriteriaJudge
    from linewarden_train.qualification.plan import Request
    from linewarden_train.qualification.run import Qualified
    from linewarden_vision.bundle import Bundle
    from linewarden_vision.qualification import Attempt


def qualify(
    data: Data,
    bundle: BundleFolder,
    max_pass_rate: Annotated[
        float, typer.Option(callback=finite, help="Largest share of defects that may pass with trust.")
    ],
    out: Annotated[Path, typer.Option(callback=writable_folder, help="Folder of the qualified bundle, new or empty.")],
    confidence: Annotated[
        float, typer.Option(callback=finite, help="Of all statements of this qualification together.")
    ] = 0.95,
    split: Split = "calibration",
    critical: Annotated[list[str] | None, typer.Option(help="class=share; may be given several times.")] = None,
    valid_days: Annotated[int, typer.Option(min=1, help="Days until it expires.")] = 90,
    tolerance: Annotated[
        float, typer.Option(callback=finite, min=0.0, help="How far a device's scores may move.")
    ] = 0.0,
    attempts: Annotated[int, typer.Option(min=1, help="Qualifications planned on these parts; they share delta.")] = 1,
    ledger: Annotated[
        Path | None, typer.Option(callback=writable_file, help="JSON lines of earlier attempts; this one is added.")
    ] = None,
    operator_misses: Annotated[
        str | None, typer.Option(help="Study of operators: missed/shown, such as 2/200.")
    ] = None,
    may_raise: Annotated[bool, typer.Option("--may-raise", help="Divert less than the bundle does, if that holds.")] = (
        False
    ),
    recipe: Annotated[
        Path | None,
        typer.Option(help="JSON of the recipe whose criteria let defects go.", exists=True, dir_okay=False),
    ] = None,
    view: Annotated[str, typer.Option(help="The recipe's view that the set shows, where it has several.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw of one picture a group.")] = 0,
    layout: Layout = "auto",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Qualify a bundle on defective parts that did not make it. Exits 1, and says n, where they are too few."""
    from linewarden_train.qualification.bound import NotCertifiableError, system_escapes  # noqa: PLC0415 - heavy
    from linewarden_train.qualification.plan import Request  # noqa: PLC0415
    from linewarden_train.qualification.words import in_words  # noqa: PLC0415
    from linewarden_vision.bundle import check_place, write_bundle  # noqa: PLC0415
    from linewarden_vision.qualification import Attempt  # noqa: PLC0415

    with in_one_line():
        check_place(out)
        study = _study(operator_misses)
        request = Request(
            max_pass_rate=_share(max_pass_rate, "--max-pass-rate"),
            confidence=_share(confidence, "--confidence"),
            seed=seed,
            date=today(),
            set_name=f"{data.name}/{split}" if split else data.name,
            valid_days=valid_days,
            tolerance=tolerance,
            critical=_critical(critical or []),
            attempts=attempts,
            may_raise=may_raise,
        )
        known = ledger.read_text().splitlines() if ledger is not None and ledger.is_file() else []
        earlier = [Attempt.model_validate_json(line) for line in known if line.strip()]
        try:
            judge = None if recipe is None else _judge(recipe, view)
            found, held = _qualified((data, layout, split), bundle, device, request, earlier, judge)
        except NotCertifiableError as error:
            typer.echo(str(error))
            raise typer.Exit(1) from error
        digest = write_bundle(out, found.card, held.weights, found.golden, found.extra)
    if ledger is not None:
        with ledger.open("a") as file:
            file.write(found.record.attempts[-1].model_dump_json() + "\n")
    escapes = None if study is None else system_escapes(found.bound, found.record.diverted, *study)
    if as_json:
        typer.echo(found.record.model_dump_json(indent=1))
    else:
        typer.echo("\n".join([*in_words(found.record, escapes), f"bundle {digest} in {out}"]))


def _qualified(
    where: tuple[Path, str, str],
    folder: Path,
    device: str,
    request: Request,
    earlier: Sequence[Attempt],
    judge: CriteriaJudge | None,
) -> tuple[Qualified, Bundle]:
    from linewarden_train.qualification.run import qualify_bundle  # noqa: PLC0415
    from linewarden_vision.bundle import read_bundle  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    samples, held = side_of(*where), read_bundle(folder)
    inspector = Inspector.from_bundle(held, device)
    done = 0
    total = len({label.group for label in samples.labels if label.defective})
    with bars() as progress:

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress("drawn pictures", done, total)

        found = qualify_bundle(held, inspector, samples, request, judge=judge, earlier=earlier, on_scored=count)
        return found, held


def _judge(file: Path, view: str) -> CriteriaJudge:
    from pydantic import ValidationError  # noqa: PLC0415

    from linewarden_schemas.recipe import Recipe  # noqa: PLC0415
    from linewarden_train.qualification.criteria import CriteriaJudge  # noqa: PLC0415

    try:
        return CriteriaJudge(Recipe.model_validate_json(file.read_bytes()), view or None, now_ms())
    except ValidationError as error:
        raise ValueError(f"{file} is no recipe: {error.errors()[0]['msg']}") from error


def _share(value: float, name: str) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} lies between 0 and 1, such as 0.05; not {value:g}")
    return value


def _critical(given: list[str]) -> dict[str, float]:
    found = {}
    for text in given:
        name, _, share = text.rpartition("=")
        try:
            found[name] = _share(float(share), f"--critical {name}")
        except ValueError as error:
            raise ValueError(f"--critical takes class=share, such as crack=0.02; not {text!r}") from error
    return found


def _study(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    missed, _, shown = text.partition("/")
    if not (missed.isdigit() and shown.isdigit() and int(missed) <= int(shown) and int(shown) > 0):
        raise ValueError(f"--operator-misses takes missed/shown, such as 2/200; not {text!r}")
    return int(missed), int(shown)
