"""What is fixed before a qualification scores anything: rates, confidence, the draw, and whose parts may serve."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from linewarden_train.data.samples import Label
from linewarden_train.qualification.bound import NotCertifiableError, allowed_misses, draw_per_group, groups_needed
from linewarden_vision.bundle import Bundle
from linewarden_vision.qualification import Attempt
from linewarden_vision.trained_groups import hash_group


class NotApartError(ValueError):
    """Groups of the calibration made the bundle, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to promise; shares in (0, 1), ``date`` YYYY-MM-DD, ``attempts`` planned on the same parts."""

    max_pass_rate: float
    confidence: float
    seed: int
    date: str
    set_name: str
    valid_days: int = 90
    tolerance: float = 0.0
    critical: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 1
    may_raise: bool = False

    @property
    def rates(self) -> dict[str | None, float]:
        """The share that may pass by class; None stands for all defects."""
        return dict([(None, self.max_pass_rate), *self.critical.items()])


@dataclass(frozen=True, slots=True)
class DrawnGroups:
    """Indices drawn for each statement: None stands for all defects; one picture a group."""

    indices: Mapping[str | None, list[int]]
    delta: float

    @property
    def all(self) -> list[int]:
        """Every drawn index once, sorted."""
        return sorted({index for indices in self.indices.values() for index in indices})


def draw(labels: Sequence[Label], request: Request, earlier: Sequence[Attempt] = ()) -> DrawnGroups:
    """Draw one defective picture a group for every statement, and split delta over statements and attempts.

    Raises NotCertifiableError, with every n, where a statement has too few groups.
    """
    rng = np.random.default_rng(request.seed)
    rates = request.rates
    indices = {name: draw_per_group(labels, rng, name) for name in rates}
    parts = parts_digest(labels, indices[None])
    taken = sum(attempt.parts_digest == parts for attempt in earlier)
    delta = (1 - request.confidence) / max(request.attempts, taken + 1) / len(rates)
    short = [
        f"{name or 'all defects'}: not certifiable, n = {len(indices[name])} "
        f"({rate:.1%} at {1 - delta:.1%} needs {groups_needed(rate, delta)} independent groups)"
        for name, rate in rates.items()
        if allowed_misses(len(indices[name]), rate, delta) is None
    ]
    if short:
        raise NotCertifiableError("; ".join(short))
    return DrawnGroups(indices, delta)


def parts_digest(labels: Sequence[Label], indices: Sequence[int]) -> str:
    """Return one digest of the groups that were drawn, whichever of their pictures it was."""
    hashes = sorted(hash_group(labels[index].group) for index in indices)
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def check_apart_from(bundle: Bundle, labels: Sequence[Label], data_digest: str) -> None:
    """Raise NotApartError where defective groups made the bundle, or where nobody can tell.

    Good groups of the same set may have given normalisers and thresholds: they say nothing of defects.
    """
    if bundle.groups is not None:
        shared = bundle.groups.overlap(label.group for label in labels if label.defective)
        if shared:
            shown = ", ".join(shared[:5])
            raise NotApartError(f"{len(shared)} defective groups also made the bundle ({shown}): take other parts")
        return
    thresholds = bundle.card.thresholds
    sources = (bundle.card.trust, thresholds.defect, thresholds.suspicion, thresholds.mask)
    if data_digest in {source.provenance.set_digest for source in sources}:
        raise NotApartError("the very pictures that calibrated the bundle cannot qualify it: take other parts")
    raise NotApartError("the bundle does not say which groups made it; train it again, it will")
