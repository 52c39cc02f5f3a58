"""Rivals that read one plain pass and are not fitted."""

from collections.abc import Mapping

import torch
from torch import Tensor

from linewarden_train.rivals.interface import Look, pooled
from linewarden_vision.trust import evidence


def cell_peak(look: Look) -> Mapping[str, Tensor]:
    """Return the peak of the class activation map (Zhou et al. 2016, arXiv 1512.04150)."""
    return {"cell_peak": evidence.cell_peak(look.output.cells)}


def mask_evidence(look: Look) -> Mapping[str, Tensor]:
    """Return the mask branch alone: the mean of its strongest 0.73 % of logits."""
    return {"mask_evidence": evidence.mask_evidence(look.output.mask_logits)}


def softmax(look: Look) -> Mapping[str, Tensor]:
    """Return p(defect), the softmax baseline (Hendrycks and Gimpel 2017, arXiv 1610.02136).

    Where the binary network says OK, confidence, entropy and temperature scaling (Guo et al. 2017, arXiv
    1706.04599) rank as this does and as the margin does: one of them stands for all.
    """
    return {"softmax": torch.sigmoid(look.output.margin.double())}


def energy(look: Look) -> Mapping[str, Tensor]:
    """Return the free energy -logsumexp of the logits (Liu et al. 2020, arXiv 2010.03759).

    Only the difference of the two logits is identifiable; they are taken as ±m/2. It therefore ranks as
    the margin does below 0, and falls again above.
    """
    half = look.output.margin.double() / 2
    return {"energy": -torch.logaddexp(half, -half)}


def feature_norm(look: Look) -> Mapping[str, Tensor]:
    """Return the norm of the pooled features (Park et al. 2023, arXiv 2310.05316, on feature norms).

    There a small norm is strange; a defect adds response to an even surface, so here a large one is.
    The sign is fixed by this reasoning, not by data.
    """
    return {"feature_norm": pooled(look.output.tap).norm(dim=1)}
