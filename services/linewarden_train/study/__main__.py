"""``python -m linewarden_train.study --data DIR --out PAGE.md``: train what is missing, then write the page."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import cv2
import torch
import typer
from rich.console import Console

from linewarden_train.data.reading_sets import read_set
from linewarden_train.progress import bars
from linewarden_train.study.arms import StudyPlan, train_fold
from linewarden_train.study.page import as_markdown
from linewarden_train.study.run import run_study
from linewarden_train.training.folder import TrainOptions
from linewarden_train.training.terms import Surroundings


def main(
    data: Annotated[Path, typer.Option(help="Folder of the set, in any layout that is known.")],
    out: Annotated[Path, typer.Option(help="The page, Markdown; the numbers go beside it as JSON.")],
    work: Annotated[Path, typer.Option(help="Folder that keeps what was trained.")],
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each network.")] = 1000,
    ablation_folds: Annotated[int, typer.Option(min=0, max=3, help="Folds on which one task alone is taught.")] = 3,
    ablation_steps: Annotated[int, typer.Option(min=0, help="Steps of the ablation's networks; 0 for the same.")] = 0,
    ensemble_steps: Annotated[
        int, typer.Option(min=0, help="Steps of a second network of each fold, for the rival ensemble; 0 for none.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads of each network.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that score folds and their rivals.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    only: Annotated[str, typer.Option(help="Train one network alone, as both:0 or ablation-both:0, and stop.")] = "",
) -> None:
    """Cross-fit a set over its groups and report. Train several arms at once with --only in other terminals."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    options = TrainOptions(
        name="study",
        date="",
        code_version="",
        steps=steps,
        folds=0,
        seed=seed,
        device="cpu",
        threads=threads,
    )
    plan = StudyPlan(
        options,
        ablation_folds=ablation_folds,
        ablation_steps=ablation_steps or None,
        partner_steps=ensemble_steps or None,
    )
    samples = read_set(data)
    with bars() as show:
        around = Surroundings(time.monotonic, show)
        if only:
            train_fold(samples, plan, only, work, around)
            return
        name = data.resolve().name
        command = f"python -m linewarden_train.study --data .../{name} --work WORK --out {out.name}"
        command += f" --steps {steps} --seed {seed} --ablation-folds {ablation_folds}"
        given = {"ablation-steps": ablation_steps, "ensemble-steps": ensemble_steps}
        command += "".join(f" --{option} {count}" for option, count in given.items() if count)
        machine = (
            f"linewarden {version('linewarden')}, torch {torch.__version__}, {platform.machine()}, CPU, {threads} "
            f"thread{'s' * (threads > 1)} a network, {datetime.now(UTC).date().isoformat()}"
        )
        study = run_study(samples, plan, work, around, title=name, machine=machine, command=command, jobs=jobs)
    out.with_suffix(".json").write_text(study.evaluation.model_dump_json(indent=1) + "\n")
    out.write_text(as_markdown(study))
    Console().print(f"{out} and {out.with_suffix('.json')}")


if __name__ == "__main__":
    typer.run(main)
