"""The arms of a study: which tasks a network was taught, on which fold; each trained once and kept."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import torch

from linewarden_train.data.groups import Subset, split_folds
from linewarden_train.data.samples import Samples
from linewarden_train.training.calibration import TrustRecipe
from linewarden_train.training.checkpoint import Checkpoint
from linewarden_train.training.folder import Tasks, TrainOptions, fingerprint, settings_of
from linewarden_train.training.inputs import picture_spec
from linewarden_train.training.network import train_network
from linewarden_train.training.scoring import RawScores, score_samples
from linewarden_train.training.terms import Surroundings
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork

ARMS: tuple[Tasks, ...] = ("both", "classification", "segmentation")


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """Fixed before anything is trained: folds, the steps of each network, the seed of all.

    The ablation teaches each arm on the first ``ablation_folds`` folds, for ``ablation_steps`` where they are given:
    then both tasks together once more, so that all arms had as many. With ``partner_steps`` each fold gets a second
    network from the next seed, as the rival ``ensemble`` needs.
    """

    options: TrainOptions
    folds: int = 3
    arms: tuple[Tasks, ...] = ARMS
    ablation_folds: int = 3
    ablation_steps: int | None = None
    partner_steps: int | None = None

    @property
    def partners(self) -> list[str]:
        """Name the second network of each fold, as ``partner:0``."""
        return [f"partner:{number}" for number in range(self.folds)] if self.partner_steps else []

    @property
    def names(self) -> list[str]:
        """Name every network of the study that is measured, as ``both:0`` or ``ablation-both:0``."""
        main = [f"both:{number}" for number in range(self.folds)]
        again = self.arms if self.ablation_steps else [tasks for tasks in self.arms if tasks != "both"]
        return main + [f"ablation-{tasks}:{number}" for tasks in again for number in range(self.ablation_folds)]


@dataclass(frozen=True, slots=True)
class TrainedFold:
    """One network, the groups that taught it (``rest``) and those that it never saw."""

    tasks: Tasks
    number: int
    rest: Subset
    held_out: Subset
    spec: PictureSpec
    network: DefectNetwork


@dataclass(frozen=True, slots=True)
class ArmFold(TrainedFold):
    """One network, and what it said of the groups that it never saw."""

    scores: RawScores


def train_fold(samples: Samples, plan: StudyPlan, name: str, work: Path, around: Surroundings) -> TrainedFold:
    """Train one network by its name, or take what an earlier run of the same plan trained.

    Raises ValueError for a name that the plan does not have.
    """
    known = plan.names + plan.partners
    if name not in known:
        raise ValueError(f"{name!r} is none of {', '.join(known)}")
    number = int(name.split(":")[1])
    rest, held_out = split_folds(samples, plan.folds, plan.options.seed)[number]
    options = _options(plan, name)
    settings = settings_of(options)
    spec = picture_spec(rest, settings.inputs)
    checkpoint = Checkpoint(work / f"{name.replace(':', '-')}.checkpoint", fingerprint(options, rest))
    network = train_network(rest, spec, settings, replace(around, checkpoint=lambda _: checkpoint), name)
    return TrainedFold(options.tasks, number, rest, held_out, spec, network)


def _options(plan: StudyPlan, name: str) -> TrainOptions:
    """Return the options of one network of the plan."""
    options = replace(plan.options, folds=0)
    if name in plan.partners:
        return replace(options, tasks="both", seed=options.seed + 1, steps=plan.partner_steps or options.steps)
    (tasks,) = [arm for arm in ARMS if arm == name.removeprefix("ablation-").split(":")[0]]
    if name.startswith("ablation-") and plan.ablation_steps:
        options = replace(options, steps=plan.ablation_steps)
    return replace(options, tasks=tasks)


def score_fold(fold: TrainedFold, trust: TrustRecipe) -> ArmFold:
    """Score the groups that the network never saw."""
    scores = score_samples(fold.network, fold.held_out, fold.spec, epsilon=trust.epsilon, also=trust.names)
    return ArmFold(fold.tasks, fold.number, fold.rest, fold.held_out, fold.spec, fold.network, scores)


def train_arms(
    samples: Samples, plan: StudyPlan, work: Path, around: Surroundings, jobs: int
) -> tuple[list[ArmFold], dict[Tasks, list[ArmFold]], dict[int, DefectNetwork]]:
    """Train every network of the plan, one after the other, and score their folds side by side.

    Returns the folds that the endpoint is measured on, those of each arm of the ablation, second networks by fold.
    """
    trained = [train_fold(samples, plan, name, work, around) for name in plan.names]
    partners = [train_fold(samples, plan, name, work, around) for name in plan.partners]
    trust = settings_of(plan.options).trust
    tell = partial(around.on_progress, "scoring held-out groups")
    scored = side_by_side(score_fold, [(fold, trust) for fold in trained], jobs, tell)
    found = dict(zip(plan.names, scored, strict=True))
    folds = [found[f"both:{number}"] for number in range(plan.folds)]
    numbers = range(plan.ablation_folds)
    ablation: dict[Tasks, list[ArmFold]] = {
        tasks: [found.get(f"ablation-{tasks}:{number}", found[f"both:{number}"]) for number in numbers]
        for tasks in plan.arms
        if numbers
    }
    return folds, ablation, {partner.number: partner.network for partner in partners}


Result = TypeVar("Result")


def side_by_side(
    work: Callable[..., Result], calls: Sequence[tuple[Any, ...]], jobs: int, tell: Callable[[int, int], None]
) -> list[Result]:
    """Return the results in the order of the calls; ``tell`` hears how many of how many are done.

    With one job everything stays in this process. Raises what the first failure raised.
    """
    tell(0, len(calls))
    if jobs == 1:
        results = []
        for number, call in enumerate(calls, start=1):
            results.append(work(*call))
            tell(number, len(calls))
        return results
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        running = [pool.submit(work, *call) for call in calls]
        for number, done in enumerate(as_completed(running), start=1):
            done.result()
            tell(number, len(calls))
        return [one.result() for one in running]


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
