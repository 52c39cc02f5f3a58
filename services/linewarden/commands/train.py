"""`linewarden train`: a bundle from a folder of pictures."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linewarden.commands.context import in_one_line, today
from linewarden.commands.options import BundleName, Device, Json, Layout, NewBundle, finite, parse_duration
from linewarden_train.progress import bars

if TYPE_CHECKING:
    from linewarden_train.training.folder import TrainingSummary
    from linewarden_train.training.loop import TrainStep


def train(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Pictures, in any layout that is known.")],
    out: NewBundle,
    budget: Annotated[str, typer.Option(help="Time for everything, as 20m or 2h; without it, by steps.")] = "",
    steps: Annotated[int, typer.Option(min=1, help="Training steps, where there is no budget.")] = 4000,
    layout: Layout = "auto",
    name: BundleName = "",
    network: Annotated[
        Literal["light", "nested"], typer.Option(help="nested is Unet++ with scSE, for GPUs.")
    ] = "light",
    encoder: Annotated[str, typer.Option(help="timm encoder; nested takes tu-<name>.")] = "efficientnet_lite0",
    pretrained: Annotated[bool, typer.Option(help="Begin with ImageNet weights (efficientnet_lite0).")] = True,
    scale: Annotated[
        float, typer.Option(callback=finite, min=0.05, max=8, help="Input pixels for each pixel of a picture.")
    ] = 1.0,
    levels: Annotated[
        float | None, typer.Option(callback=finite, help="White level of the camera, as 4095 for 12 bits.")
    ] = None,
    folds: Annotated[int, typer.Option(min=0, help="Folds for the trust score; 0 takes the calibration side.")] = 2,
    score: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A trust score to use, up to four times; also one of another distribution."),
    ] = None,
    balance: Annotated[
        Literal["fixed", "uncertainty", "gradnorm"], typer.Option(help="How the tasks' losses are weighed.")
    ] = "fixed",
    patience: Annotated[int | None, typer.Option(min=1, help="Stop early after so many looks without a gain.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and drawing.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, max=256, help="Processor threads; all by default.")] = None,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget where an earlier run of this stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Train network, trust and thresholds on a folder of pictures; goes on where an earlier run was stopped.

    Losses go to OUT.training/losses.csv. The test side of the set is not touched: `linewarden evaluate` reports on it.
    """
    from linewarden_train.data.checks import check_set  # noqa: PLC0415 - nothing heavy before it is needed
    from linewarden_train.data.reading_sets import read_set  # noqa: PLC0415
    from linewarden_train.data.sides import sides_of  # noqa: PLC0415
    from linewarden_train.training.checkpoint import Checkpoint  # noqa: PLC0415
    from linewarden_train.training.folder import (  # noqa: PLC0415
        TrainOptions,
        fingerprint,
        settings_of,
        train_folder,
    )
    from linewarden_train.training.terms import Surroundings  # noqa: PLC0415
    from linewarden_vision.bundle import check_place, write_bundle  # noqa: PLC0415
    from linewarden_vision.inspector import Inspector  # noqa: PLC0415

    seconds, began = parse_duration(budget) if budget else None, time.monotonic()
    options = TrainOptions(
        name=name or re.sub(r"[^A-Za-z0-9._-]+", "-", out.resolve().name),
        date=today(),
        code_version=version("linewarden"),
        network=network,
        encoder=encoder,
        pretrained=pretrained,
        frozen=2 if pretrained and network == "light" else 0,
        scale=scale,
        levels=levels,
        steps=steps,
        budget_s=seconds,
        folds=folds,
        scores=tuple(score or ()),
        balance=balance,
        patience=patience,
        seed=seed,
        device=device,
        threads=threads,
    )
    work = out.with_name(f"{out.name}.training")

    def forget() -> None:
        for path in work.glob("*.checkpoint"):
            path.unlink()

    import cv2  # noqa: PLC0415 - after what names the extra that brings it
    import torch  # noqa: PLC0415

    if threads is not None:
        torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    with in_one_line():
        settings_of(options)  # a score that nobody registered is told before pictures are read
        if fresh:
            forget()
        check_place(out)
        samples = read_set(data, layout)
        mark = fingerprint(options, samples)
        work.mkdir(parents=True, exist_ok=True)
        with bars() as show, _loss_table(work / "losses.csv") as on_step:
            check_set(samples, lambda done: show("checking pictures", done, len(samples)))
            around = Surroundings(
                clock=time.monotonic,
                on_progress=show,
                on_step=on_step,
                ends_at=None if seconds is None else began + seconds,
                checkpoint=lambda text: Checkpoint(work / f"{text.replace(' ', '-')}.checkpoint", mark),
            )
            taught, summary = train_folder(sides_of(samples), options, around)
        digest = write_bundle(out, taught.card, taught.weights, taught.golden, taught.extra)
        Inspector.load(out, device="cpu", expected_digest=digest)
        forget()
    _report(digest, out, summary, as_json=as_json)


@contextmanager
def _loss_table(path: Path) -> Iterator[Callable[[str, TrainStep], None]]:
    """losses.csv: one line a step, appended, so that a run that goes on keeps what was written before."""
    with path.open("a", newline="") as file:
        rows = csv.writer(file)
        if path.stat().st_size == 0:
            rows.writerow(("what", "step", "done", "learning_rate", "classification", "mask", "guide"))

        def write(what: str, step: TrainStep) -> None:
            values = [f"{float(part.detach()):.5g}" for part in step.losses.parts]
            rows.writerow((what, step.number, f"{step.done:.4f}", f"{step.learning_rate:.3g}", *values))
            if step.number % 20 == 0:
                file.flush()

        yield write


def _report(digest: str, out: Path, summary: TrainingSummary, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"bundle": str(out), "digest": digest, **asdict(summary)}))
        return
    rows = [
        ("training pictures (groups)", f"{summary.train_pictures} ({summary.train_groups})"),
        ("calibration groups", str(summary.calibration_groups)),
        ("image AP out of fold", _number(summary.image_ap)),
        ("Seg_mIoU out of fold", _number(summary.seg_mean_iou)),
        *((f"IoU of {name}, out of fold", _number(value)) for name, value in summary.iou_by_class.items()),
    ]
    width = max(len(what) for what, _ in rows)
    lines = [f"{what:<{width}}  {value}" for what, value in rows]
    typer.echo("\n".join([*lines, f"bundle {digest} in {out}: taught, so every OK is diverted until it is promoted"]))
    typer.echo(
        f"next: linewarden evaluate --data DIR --bundle {out} --out REPORT; linewarden qualify; linewarden bundle"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
