"""The arms of a study: which tasks a network was taught, on which fold; each trained once and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from linewarden_train.checkpoint import Checkpoint
from linewarden_train.crossfit import split_folds
from linewarden_train.data.groups import Subset
from linewarden_train.data.samples import Samples
from linewarden_train.inputs import picture_spec
from linewarden_train.scoring import RawScores, score_samples
from linewarden_train.teaching import Surroundings, train_network
from linewarden_train.training import Tasks, TrainOptions, fingerprint, settings_of
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork

ARMS: tuple[Tasks, ...] = ("both", "classification", "segmentation")


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """Fixed before anything is trained: folds, the steps of each network, the seed of all.

    The ablation teaches each arm on the first ``ablation_folds`` folds, for ``ablation_steps`` where they are given:
    then both tasks together once more, so that all arms had as many.
    """

    options: TrainOptions
    folds: int = 3
    arms: tuple[Tasks, ...] = ARMS
    ablation_folds: int = 3
    ablation_steps: int | None = None

    @property
    def names(self) -> list[str]:
        """Name every network of the study, as ``both:0`` or ``ablation-both:0``."""
        main = [f"both:{number}" for number in range(self.folds)]
        again = self.arms if self.ablation_steps else [tasks for tasks in self.arms if tasks != "both"]
        return main + [f"ablation-{tasks}:{number}" for tasks in again for number in range(self.ablation_folds)]


@dataclass(frozen=True, slots=True)
class ArmFold:
    """One network and what it said of the groups that it never saw; ``rest`` taught it."""

    tasks: Tasks
    number: int
    rest: Subset
    held_out: Subset
    spec: PictureSpec
    network: DefectNetwork
    scores: RawScores


@dataclass(frozen=True, slots=True)
class Trained:
    """The folds that the endpoint is measured on, and those of each arm of the ablation."""

    folds: Sequence[ArmFold]
    ablation: Mapping[Tasks, Sequence[ArmFold]]


def train_fold(samples: Samples, plan: StudyPlan, name: str, work: Path, around: Surroundings) -> ArmFold:
    """Train one network by its name, or take what an earlier run of the same plan trained, and score its fold.

    Raises ValueError for a name that the plan does not have.
    """
    if name not in plan.names:
        raise ValueError(f"{name!r} is none of {', '.join(plan.names)}")
    (tasks,) = [arm for arm in ARMS if arm == name.removeprefix("ablation-").split(":")[0]]
    number = int(name.split(":")[1])
    rest, held_out = split_folds(samples, plan.folds, plan.options.seed)[number]
    options = replace(plan.options, tasks=tasks, folds=0)
    if name.startswith("ablation-") and plan.ablation_steps:
        options = replace(options, steps=plan.ablation_steps)
    settings = settings_of(options)
    spec = picture_spec(rest, settings.inputs)
    checkpoint = Checkpoint(work / f"{name.replace(':', '-')}.checkpoint", fingerprint(options, rest))
    network = train_network(rest, spec, settings, replace(around, checkpoint=lambda _: checkpoint), name)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        around.on_progress(f"scoring {name}", done, len(held_out))

    scores = score_samples(network, held_out, spec, epsilon=settings.trust.epsilon, on_batch=count)
    return ArmFold(tasks, number, rest, held_out, spec, network, scores)


def train_arms(samples: Samples, plan: StudyPlan, work: Path, around: Surroundings) -> Trained:
    """Train every network of the plan, one after the other."""
    found = {name: train_fold(samples, plan, name, work, around) for name in plan.names}
    folds = [found[f"both:{number}"] for number in range(plan.folds)]
    numbers = range(plan.ablation_folds)
    ablation = {
        tasks: [found.get(f"ablation-{tasks}:{number}", found[f"both:{number}"]) for number in numbers]
        for tasks in plan.arms
        if numbers
    }
    return Trained(folds, ablation)
