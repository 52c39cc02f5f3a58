"""Splitting by group, and proving that a split did."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from linewarden_train.data.samples import GOOD, Label, Sample, Samples


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


class Joined:
    """Several sets, one after the other."""

    def __init__(self, parts: Sequence[Samples]) -> None:
        self._places = [(part, index) for part in parts for index in range(len(part))]
        self.labels: Sequence[Label] = [part.labels[index] for part, index in self._places]

    def __getitem__(self, index: int) -> Sample:
        """Return one sample of one of them."""
        part, place = self._places[index]
        return part[place]

    def __len__(self) -> int:
        """Count the samples of all."""
        return len(self._places)


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


def by_split(samples: Samples, split: str) -> Subset:
    """Choose the samples that the set itself puts on that side; raises ValueError where there are none."""
    chosen = [index for index, label in enumerate(samples.labels) if label.split == split]
    if not chosen:
        sides = sorted({label.split for label in samples.labels} - {""})
        raise ValueError(f"the set has no split {split!r}; it has {', '.join(sides) or 'none at all'}")
    return Subset(samples, chosen)


def split_set(samples: Samples, shares: Mapping[str, float], seed: int) -> dict[str, Subset]:
    """Split by share of the groups, every class in proportion, never a group on two sides.

    A group counts for its rarest class of defects, for good where it has none. A class with fewer
    groups than sides goes to the sides with the largest shares first, so that a lone group is taught.
    Raises ValueError for shares that are not positive or do not add up to 1, and for an empty side.
    """
    if not shares or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"shares are positive and add up to 1, unlike {dict(shares)}")
    rng = np.random.default_rng(seed)
    side_of: dict[str, str] = {}
    for groups in _groups_by_class(samples.labels).values():
        taken = dict.fromkeys(shares, 0)
        for number, order in enumerate(rng.permutation(len(groups)), 1):
            side = max(shares, key=lambda name: (shares[name] * number - taken[name], shares[name]))
            taken[side] += 1
            side_of[groups[order]] = side
    members: dict[str, list[int]] = {name: [] for name in shares}
    for index, label in enumerate(samples.labels):
        members[side_of[label.group]].append(index)
    empty = [name for name, indices in members.items() if not indices]
    if empty:
        raise ValueError(f"{len(side_of)} groups leave nothing for {', '.join(empty)}")
    return {name: Subset(samples, indices) for name, indices in members.items()}


def split_folds(samples: Samples, folds: int, seed: int) -> list[tuple[Subset, Subset]]:
    """Return (rest, held out) for each fold of cross-fitting, classes spread evenly and no group torn apart.

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


def _groups_by_class(labels: Sequence[Label]) -> dict[str, list[str]]:
    """List groups by the class that they count for, both in order of name."""
    classes: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        classes[label.group].add(label.defect_class)
    spread = {kind: sum(kind in held for held in classes.values()) for held in classes.values() for kind in held}
    found: dict[str, list[str]] = defaultdict(list)
    for group in sorted(classes):
        kind = min(sorted(classes[group] - {GOOD}), key=lambda name: spread[name], default=GOOD)
        found[kind].append(group)
    return dict(sorted(found.items()))


def check_apart(first: Samples, second: Samples) -> None:
    """Raise ValueError, naming some, when a group lies on both sides."""
    shared = {label.group for label in first.labels} & {label.group for label in second.labels}
    if shared:
        raise ValueError(f"{len(shared)} groups lie on both sides of the split: {', '.join(sorted(shared)[:5])}")


def mixed_groups(labels: Sequence[Label]) -> list[str]:
    """List groups that hold both good and defective pictures: their labels disagree, or a view shows nothing."""
    good = {label.group for label in labels if not label.defective}
    return sorted(good & {label.group for label in labels if label.defective})


def torn_groups(samples: Samples) -> dict[str, list[str]]:
    """List the groups that lie on several sides of the set's own split, with those sides."""
    sides: dict[str, set[str]] = defaultdict(set)
    for label in samples.labels:
        sides[label.group].add(label.split)
    return {group: sorted(found) for group, found in sorted(sides.items()) if len(found) > 1}


class Relabelled:
    """Samples with labels that replace their own, one for one."""

    def __init__(self, samples: Samples, labels: Sequence[Label]) -> None:
        self._samples = samples
        self.labels: Sequence[Label] = list(labels)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample under its new label."""
        return replace(self._samples[index], label=self.labels[index])

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.labels)


def with_groups(samples: Samples, groups: Sequence[str]) -> Relabelled:
    """Put other groups on the samples, one for each; raises ValueError for another number of them."""
    pairs = zip(samples.labels, groups, strict=True)
    return Relabelled(samples, [replace(label, group=group) for label, group in pairs])
