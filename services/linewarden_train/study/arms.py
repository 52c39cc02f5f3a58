"""The arms of a study: which tasks a network was taught, on which fold; each trained once and kept."""

from collections.abc import Sequence
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

    The arms with one task alone may be taught on the first ``ablation_folds`` folds only.
    """

    options: TrainOptions
    folds: int = 3
    arms: tuple[Tasks, ...] = ARMS
    ablation_folds: int = 3

    def folds_of(self, tasks: Tasks) -> range:
        """Return the numbers of the folds on which an arm is taught."""
        return range(self.folds if tasks == "both" else min(self.folds, self.ablation_folds))


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


def train_fold(
    samples: Samples, plan: StudyPlan, tasks: Tasks, number: int, work: Path, around: Surroundings
) -> ArmFold:
    """Train one arm on one fold, or take what an earlier run of the same plan trained, and score what was held out."""
    rest, held_out = split_folds(samples, plan.folds, plan.options.seed)[number]
    options = replace(plan.options, tasks=tasks, folds=0)
    settings = settings_of(options)
    spec = picture_spec(rest, settings.inputs)
    text = f"{tasks}, fold {number + 1} of {plan.folds}"
    checkpoint = Checkpoint(work / f"{tasks}-{number}.checkpoint", fingerprint(options, rest))
    kept = replace(around, checkpoint=lambda _: checkpoint)
    network = train_network(rest, spec, settings, kept, text)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        around.on_progress(f"scoring {text}", done, len(held_out))

    scores = score_samples(network, held_out, spec, epsilon=settings.trust.epsilon, on_batch=count)
    return ArmFold(tasks, number, rest, held_out, spec, network, scores)


def train_arms(samples: Samples, plan: StudyPlan, work: Path, around: Surroundings) -> dict[Tasks, Sequence[ArmFold]]:
    """Train every arm on every fold, one after the other."""
    return {
        tasks: [train_fold(samples, plan, tasks, number, work, around) for number in plan.folds_of(tasks)]
        for tasks in plan.arms
        if plan.folds_of(tasks)
    }
