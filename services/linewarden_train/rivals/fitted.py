"""Rivals that are fitted on reference pictures: distances in the space of pooled features."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from linewarden_train.rivals.interface import Look, pooled

_SHRINKAGE = 0.05


@dataclass(frozen=True, slots=True)
class Mahalanobis:
    """Class-conditional Gaussians with one covariance (Lee et al. 2018, arXiv 1807.03888).

    ``mahalanobis`` is the squared distance to the nearest class, as published; ``mahalanobis_good`` the
    one to the class that an OK names. The same where no defective picture was fitted.
    """

    means: Tensor
    """(K, C) float64; the first class is good."""
    whitening: Tensor
    """(C, C) float64, W with W W' the inverse covariance."""

    @classmethod
    def fit(cls, features: Tensor, defective: Tensor) -> "Mahalanobis":
        """Fit on features (N, C) of good and, where there are any, defective pictures, a class each.

        The covariance is shrunk by 5 % towards its mean variance, so that few pictures have an inverse.
        Raises ValueError for fewer than two good pictures.
        """
        if int((~defective).sum()) < 2:
            raise ValueError("the Mahalanobis distance needs at least two good reference pictures")
        classes = [part for part in (features[~defective].double(), features[defective].double()) if len(part)]
        centred = torch.cat([part - part.mean(0) for part in classes])
        covariance = centred.mT @ centred / len(centred)
        even = covariance.diagonal().mean().clamp(min=1e-12) * torch.eye(len(covariance), dtype=torch.float64)
        shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * even
        return cls(torch.stack([part.mean(0) for part in classes]), torch.linalg.cholesky(torch.linalg.inv(shrunk)))

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return both distances."""
        features = pooled(look.output.tap).double().cpu()
        distances = ((features[:, None] - self.means) @ self.whitening).square().sum(2)
        return {"mahalanobis": distances.amin(1), "mahalanobis_good": distances[:, 0]}


@dataclass(frozen=True, slots=True)
class Nearest:
    """Distance to the k-th nearest good picture on the unit sphere (Sun et al. 2022, arXiv 2204.06507)."""

    good: Tensor
    """(N, C), each of length 1."""
    k: int

    @classmethod
    def fit(cls, good: Tensor, k: int = 10) -> "Nearest":
        """Keep the directions of good features (N, C); k shrinks to N. Raises ValueError without any."""
        if not len(good):
            raise ValueError("the nearest neighbour needs a good reference picture")
        return cls(_unit(good), min(k, len(good)))

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return the distance."""
        distances = torch.cdist(_unit(pooled(look.output.tap)).cpu(), self.good)
        return {"knn": distances.kthvalue(self.k, dim=1).values}


def _unit(features: Tensor) -> Tensor:
    return torch.nn.functional.normalize(features.float(), dim=1)
