"""Splitting by group, and proving that a split did."""

from collections.abc import Sequence

import numpy as np

from linewarden_train.data.samples import Label, Sample, Samples


class Subset:
    """Some of the samples, by index."""

    def __init__(self, samples: Samples, indices: Sequence[int]) -> None:
        self._samples, self.indices = samples, list(indices)
        self.labels: Sequence[Label] = [samples.labels[index] for index in self.indices]

    def __getitem__(self, index: int) -> Sample:
        """Return one of the chosen samples."""
        return self._samples[self.indices[index]]

    def __len__(self) -> int:
        """Count the chosen samples."""
        return len(self.indices)


def split_by_group(samples: Samples, folds: int, rng: np.random.Generator) -> list[Subset]:
    """Split into folds without tearing a group apart, defective and good groups spread evenly.

    Raises ValueError when there are fewer groups than folds.
    """
    tainted = {label.group for label in samples.labels if label.defective}
    every = sorted({label.group for label in samples.labels})
    if len(every) < folds:
        raise ValueError(f"{len(every)} groups cannot fill {folds} folds")
    shuffled = [every[index] for index in rng.permutation(len(every))]
    dealt = sorted(shuffled, key=lambda group: group in tainted)
    fold_of = {group: order % folds for order, group in enumerate(dealt)}
    members: list[list[int]] = [[] for _ in range(folds)]
    for index, label in enumerate(samples.labels):
        members[fold_of[label.group]].append(index)
    return [Subset(samples, indices) for indices in members]


def check_apart(first: Samples, second: Samples) -> None:
    """Raise ValueError, naming some, when a group lies on both sides."""
    shared = {label.group for label in first.labels} & {label.group for label in second.labels}
    if shared:
        raise ValueError(f"{len(shared)} groups lie on both sides of the split: {', '.join(sorted(shared)[:5])}")


def mixed_groups(samples: Samples) -> list[str]:
    """List groups that hold both good and defective pictures: their labels disagree."""
    good = {label.group for label in samples.labels if not label.defective}
    return sorted(good & {label.group for label in samples.labels if label.defective})
