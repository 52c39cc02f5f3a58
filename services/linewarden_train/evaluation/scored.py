"""Scores of a data set with its labels, whichever network gave them: one bundle, or many folds pooled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Label

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Per picture |P and G|, |P|, |G| and the number of pixels, (N,) each, at native size; -1 where unannotated."""

    both: Counts
    predicted: Counts
    target: Counts
    total: Counts

    @classmethod
    def of(cls, predicted: NDArray[np.bool_], target: NDArray[np.bool_] | None) -> tuple[int, int, int, int]:
        """Count one picture; -1 four times where its defect is not annotated."""
        if target is None:
            return (-1, -1, -1, -1)
        return int((predicted & target).sum()), int(predicted.sum()), int(target.sum()), target.size

    @classmethod
    def stack(cls, rows: Sequence[tuple[int, int, int, int]]) -> "Pixels":
        """Collect what ``of`` counted, a row a picture."""
        table = np.asarray(rows, np.int64).reshape(len(rows), 4)
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3])

    def at(self, rows: NDArray[np.intp]) -> "Pixels":
        """Return the pictures of these rows, in their order."""
        return Pixels(self.both[rows], self.predicted[rows], self.target[rows], self.total[rows])


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """N scored pictures; a picture that several seeds scored is there once for each.

    ``margin`` is not a number where the picture was not decidable: it is diverted whatever any score says.
    ``reject_above`` is the defect threshold of the network that scored it, at 1 % overkill. ``scores`` are high where
    suspicious; a value that is not a number is infinitely so. ``mask_any`` tells whether the mask shows anything.
    """

    names: Sequence[str]
    labels: Sequence[Label]
    fold: Counts
    seed: Counts
    margin: Values
    reject_above: Values
    scores: Mapping[str, Values]
    mask_any: Flags
    pixels: Pixels

    def __post_init__(self) -> None:
        """Refuse columns of unequal length with a ValueError that names them."""
        count = len(self.labels)
        columns = {
            "names": len(self.names),
            "fold": self.fold.size,
            "seed": self.seed.size,
            "margin": self.margin.size,
            "reject_above": self.reject_above.size,
            "mask_any": self.mask_any.size,
            "pixels": self.pixels.both.size,
            **{name: values.size for name, values in self.scores.items()},
        }
        wrong = sorted(name for name, size in columns.items() if size != count)
        if wrong:
            raise ValueError(f"{count} labels, but not so many values of {', '.join(wrong)}")

    @property
    def defective(self) -> Flags:
        """True for pictures that are labelled defective, (N,)."""
        return np.asarray([label.defective for label in self.labels], bool)

    @property
    def groups(self) -> list[str]:
        """Group of each picture, N names."""
        return [label.group for label in self.labels]

    @property
    def decidable(self) -> Flags:
        """True for pictures that have a verdict, (N,)."""
        return ~np.isnan(self.margin)

    @property
    def rejected(self) -> Flags:
        """Pictures with the verdict NG."""
        return np.asarray(self.decidable & (self.margin > self.reject_above))

    @property
    def passed(self) -> Flags:
        """Pictures with the verdict OK, before trust is asked."""
        return np.asarray(self.decidable & (self.margin <= self.reject_above))

    def without(self, groups: Sequence[str]) -> "ScoredSet":
        """Leave out every picture of these groups."""
        rows = np.flatnonzero(~np.isin(np.asarray(self.groups), list(groups)))
        kept = rows.tolist()
        return ScoredSet(
            [self.names[row] for row in kept],
            [self.labels[row] for row in kept],
            self.fold[rows],
            self.seed[rows],
            self.margin[rows],
            self.reject_above[rows],
            {name: values[rows] for name, values in self.scores.items()},
            self.mask_any[rows],
            self.pixels.at(rows),
        )


def pool(parts: Sequence[ScoredSet]) -> ScoredSet:
    """Put scores of several networks together; only scores that all of them have are kept.

    Raises ValueError for no part.
    """
    if not parts:
        raise ValueError("nothing to pool")
    shared = [name for name in parts[0].scores if all(name in part.scores for part in parts)]
    pixels = [part.pixels for part in parts]
    return ScoredSet(
        [name for part in parts for name in part.names],
        [label for part in parts for label in part.labels],
        np.concatenate([part.fold for part in parts]),
        np.concatenate([part.seed for part in parts]),
        np.concatenate([part.margin for part in parts]),
        np.concatenate([part.reject_above for part in parts]),
        {name: np.concatenate([part.scores[name] for part in parts]) for name in shared},
        np.concatenate([part.mask_any for part in parts]),
        Pixels(
            np.concatenate([one.both for one in pixels]),
            np.concatenate([one.predicted for one in pixels]),
            np.concatenate([one.target for one in pixels]),
            np.concatenate([one.total for one in pixels]),
        ),
    )
