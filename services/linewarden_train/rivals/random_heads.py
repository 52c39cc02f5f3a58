"""The sanity check of the agreement: the trained head must matter.

On a fixed set of false negatives and of good parts that passed, the trained head's agreement must rank
them better than random heads do on the very same taps. Ingredients without the head are exempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Label, Samples
from linewarden_train.rivals.interface import looks
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.trust.agreement import measure_of
from linewarden_vision.trust.maps import ActivationMaps, class_agnostic


@dataclass(frozen=True, slots=True)
class RandomHeads:
    """Of n missed and n passed pictures in so many groups: the trained AUROC, and max(AUROC, 1 - AUROC) by head."""

    trained: float
    heads: Values
    missed_pictures: int
    missed_groups: int
    passed_pictures: int
    passed_groups: int

    @property
    def limit(self) -> float:
        """The 95th percentile of the random heads, each with whichever sign suits it."""
        return float(np.quantile(self.heads, 0.95))

    @property
    def passed(self) -> bool:
        """Whether the trained head, with its own sign, lies strictly above."""
        return self.trained > self.limit


def head_scores(
    network: DefectNetwork,
    samples: Samples,
    spec: PictureSpec,
    *,
    rng: np.random.Generator,
    draws: int = 200,
    agreement: str = "agreement",
    batch: int = 16,
) -> tuple[Values, Values]:
    """Return the margins (N,) and the agreement (N, 1 + draws) under the trained head, then under random ones.

    Heads are drawn from a normal distribution, which prefers no direction; the agreement knows no scale.
    Of a picture in tiles, each is the largest over the tiles; ``compare_heads`` takes those of several networks, such
    as cross-fitting has, one after the other. Raises ValueError for a network in train mode.
    """
    trained = network.head.direction.detach().float().cpu()
    drawn = torch.from_numpy(rng.standard_normal((draws, trained.numel()))).float()
    directions = torch.cat([trained[None], drawn])
    margins = np.full(len(samples), -np.inf)
    scores = np.full((len(samples), 1 + draws), -np.inf)
    for rows, look in looks(network, samples, spec, batch):
        np.maximum.at(margins, rows, np.asarray(look.output.margin.double().cpu().numpy(), np.float64))
        np.maximum.at(scores, rows, agreements_under(look.output.tap, directions, agreement))
    return margins, scores


def agreements_under(tap: Tensor, directions: Tensor, agreement: str) -> Values:
    """Return the agreement (B, K) of one tap (B, C, h, w) under each head direction (K, C)."""
    measure, variant = measure_of(agreement)
    features, agnostic = tap.float(), class_agnostic(tap, variant)
    columns: list[Tensor] = []
    for part in torch.split(directions.to(tap.device), 32):
        cells = torch.einsum("bchw,kc->kbhw", features, part).flatten(0, 1)
        beside = agnostic.repeat(len(part), 1, 1)
        columns.append(measure(ActivationMaps(torch.relu(cells), torch.relu(-cells), beside)).view(len(part), -1))
    return np.asarray(torch.cat(columns).mT.double().cpu().numpy(), np.float64)


def compare_heads(scores: Values, passed: NDArray[np.bool_], labels: Sequence[Label]) -> RandomHeads:
    """Rank by scores (N, 1 + draws), the trained head's first, among the pictures that passed (N,).

    A group's pictures are averaged first, misses and good ones apart. Raises ValueError for fewer than 100
    draws or a side without a picture.
    """
    if scores.shape[1] < 101:
        raise ValueError(f"at least 100 random heads, got {scores.shape[1] - 1}")
    defective = np.asarray([label.defective for label in labels], bool)
    groups = np.asarray([label.group for label in labels])
    missed, good = passed & defective, passed & ~defective
    if not missed.any() or not good.any():
        raise ValueError(f"no comparison with {missed.sum()} missed and {good.sum()} passed good pictures")
    above, below = _by_group(scores[missed], groups[missed]), _by_group(scores[good], groups[good])
    curve = auroc(above, below)
    return RandomHeads(
        trained=float(curve[0]),
        heads=np.maximum(curve[1:], 1 - curve[1:]),
        missed_pictures=int(missed.sum()),
        missed_groups=len(above),
        passed_pictures=int(good.sum()),
        passed_groups=len(below),
    )


def auroc(above: Values, below: Values) -> Values:
    """Return by column P(above > below) + P(tie) / 2 of (A, K) and (B, K): the area under the curve (K,)."""
    ranks = rankdata(np.concatenate([above, below]), axis=0)[: len(above)]
    wins = ranks.sum(0) - len(above) * (len(above) + 1) / 2
    return np.asarray(wins / (len(above) * len(below)), np.float64)


def _by_group(scores: Values, groups: NDArray[np.str_]) -> Values:
    names, where = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(names), scores.shape[1]))
    np.add.at(sums, where, scores)
    return sums / np.bincount(where)[:, None]
