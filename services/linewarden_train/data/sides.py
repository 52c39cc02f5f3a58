"""The three sides of a set: what teaches, what calibrates, what is reported on once."""

from dataclasses import dataclass

from linewarden_train.data.groups import by_split, check_apart, split_set
from linewarden_train.data.samples import Samples

SHARES = {"train": 0.5, "calibration": 0.25, "test": 0.25}


@dataclass(frozen=True, slots=True)
class Sides:
    """No group lies on two of them; ``own`` names those that the set itself told apart."""

    train: Samples
    calibration: Samples
    test: Samples
    own: tuple[str, ...]


def sides_of(samples: Samples, seed: int = 0) -> Sides:
    """Take the set's own sides as far as it has them, and deal the rest by group, classes in proportion.

    A set with its own train and test keeps that test; its calibration comes out of train. One whose train
    holds good parts alone, or which has no sides, is dealt as a whole. The same set and seed give the same
    sides, so that what trained a bundle never qualifies or reports on it. Raises ValueError where a group lies
    on two sides, or where there are too few groups.
    """
    own = {label.split for label in samples.labels} & set(SHARES)
    if own == set(SHARES):
        parts: dict[str, Samples] = {side: by_split(samples, side) for side in SHARES}
    elif {"train", "test"} <= own and len({label.defective for label in samples.labels if label.split == "train"}) == 2:
        train = by_split(samples, "train")
        own = {"train", "test"}
        parts = {**split_set(train, {"train": 2 / 3, "calibration": 1 / 3}, seed), "test": by_split(samples, "test")}
    else:
        own, parts = set(), dict(split_set(samples, SHARES, seed))
    check_apart(parts["train"], parts["calibration"])
    check_apart(parts["train"], parts["test"])
    check_apart(parts["calibration"], parts["test"])
    return Sides(parts["train"], parts["calibration"], parts["test"], tuple(sorted(own)))


def side(samples: Samples, name: str) -> Samples:
    """Return train, calibration or test as they are dealt, or another side that the set itself has.

    Raises ValueError for a name that is neither.
    """
    if name not in SHARES:
        return by_split(samples, name)
    sides = sides_of(samples)
    return {"train": sides.train, "calibration": sides.calibration, "test": sides.test}[name]
