"""Cross-fitting: every picture scored by a network that saw nothing of its group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linewarden_train.data.groups import Subset, split_set
from linewarden_train.data.samples import Samples
from linewarden_train.training.scoring import RawScores, score_samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork

TrainOne = Callable[[Samples, int], DefectNetwork]
"""Trains a network in eval mode on samples, for the fold with that number."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One held-out part: its pictures, the network that never saw their groups, and what it said of them."""

    number: int
    held_out: Subset
    network: DefectNetwork
    scores: RawScores


def split_folds(samples: Samples, folds: int, seed: int) -> list[tuple[Subset, Subset]]:
    """Return (rest, held out) for each fold, classes spread evenly and no group torn apart.

    Raises ValueError for fewer than two folds or too few groups.
    """
    if folds < 2:
        raise ValueError(f"cross-fitting needs at least 2 folds, not {folds}")
    sides = split_set(samples, {str(number): 1 / folds for number in range(folds)}, seed)
    parts = [sides[str(number)] for number in range(folds)]
    return [
        (Subset(samples, sorted(index for other in parts if other is not held for index in other.indices)), held)
        for held in parts
    ]


def cross_fit(
    samples: Samples,
    spec: PictureSpec,
    train_one: TrainOne,
    *,
    folds: int,
    seed: int,
    epsilon: float,
    also: Sequence[str] = (),
    on_scored: Callable[[int], None] = lambda _: None,
) -> list[Fold]:
    """Train one network a fold on the rest and score what was held out; ``on_scored`` hears how many.

    ``also`` names ingredients besides the built-in ones.
    """
    found = []
    for number, (rest, held_out) in enumerate(split_folds(samples, folds, seed)):
        network = train_one(rest, number)
        scores = score_samples(network, held_out, spec, epsilon=epsilon, also=also, on_batch=on_scored)
        found.append(Fold(number, held_out, network, scores))
    return found
