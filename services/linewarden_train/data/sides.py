"""The three sides of a set: what teaches, what calibrates, what is reported on once."""

from dataclasses import dataclass

from linewarden_train.data.groups import Subset, by_split, check_apart, split_set
from linewarden_train.data.samples import Samples

SHARES = {"train": 0.5, "calibration": 0.25, "test": 0.25}


@dataclass(frozen=True, slots=True)
class Sides:
    """No group lies on two of them; ``own`` tells whether the set itself said which is which."""

    train: Subset
    calibration: Subset
    test: Subset
    own: bool


def sides_of(samples: Samples, seed: int = 0) -> Sides:
    """Take the set's own sides where it has all three, else deal its groups, classes in proportion.

    The same set and seed give the same sides, so that what trained a bundle never qualifies or reports on it.
    Raises ValueError where a group lies on two of the set's own sides, or where there are too few groups.
    """
    own = set(SHARES) <= {label.split for label in samples.labels}
    chosen = {side: by_split(samples, side) for side in SHARES} if own else split_set(samples, SHARES, seed)
    sides = Sides(chosen["train"], chosen["calibration"], chosen["test"], own)
    check_apart(sides.train, sides.calibration)
    check_apart(sides.train, sides.test)
    check_apart(sides.calibration, sides.test)
    return sides


def side(samples: Samples, name: str) -> Subset:
    """Return one side by name: one that the set itself has, or else one of the three that it is dealt into.

    Raises ValueError for another name.
    """
    if any(label.split == name for label in samples.labels):
        return by_split(samples, name)
    if name not in SHARES:
        raise ValueError(f"{name!r} is no side of this set, and none of {', '.join(SHARES)}")
    sides = sides_of(samples)
    return {"train": sides.train, "calibration": sides.calibration, "test": sides.test}[name]
