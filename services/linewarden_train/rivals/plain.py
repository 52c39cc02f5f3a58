"""Rivals that look at one pass and are not fitted: what it says, and gradients that leave the network's own alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from linewarden_train.rivals.interface import Look, pooled
from linewarden_vision.trust import evidence
from linewarden_vision.trust.enhancement import Enhancement, Source, enhance


def readings(look: Look) -> Mapping[str, Tensor]:
    """Return what one pass says without more.

    - ``cell_peak``: the peak of the class activation map (Zhou et al. 2016, arXiv 1512.04150).
    - ``mask_evidence``: the mask branch alone, the mean of its strongest 0.73 % of logits.
    - ``softmax``: p(defect), the softmax baseline (Hendrycks and Gimpel 2017, arXiv 1610.02136). Where the binary
      network says OK, confidence, entropy and temperature scaling (Guo et al. 2017, arXiv 1706.04599) rank as this
      does and as the margin does: one of them stands for all.
    - ``energy``: the free energy -logsumexp of the logits (Liu et al. 2020, arXiv 2010.03759). Only the difference of
      the two logits is identifiable; they are taken as ±m/2. It therefore ranks as the margin does below 0, and
      falls again above.
    - ``feature_norm``: the norm of the pooled features (Park et al. 2023, arXiv 2310.05316, on feature norms). There
      a small norm is strange; a defect adds response to an even surface, so here a large one is. The sign is fixed
      by this reasoning, not by data.
    """
    margin = look.output.margin.double()
    return {
        "cell_peak": evidence.cell_peak(look.output.cells),
        "mask_evidence": evidence.mask_evidence(look.output.mask_logits),
        "softmax": torch.sigmoid(margin),
        "energy": -torch.logaddexp(margin / 2, -margin / 2),
        "feature_norm": pooled(look.output.tap).norm(dim=1),
    }


def gradient_norm(look: Look) -> Mapping[str, Tensor]:
    """Return the norm of the loss's slope by the head's weights, taking the verdict OK for the truth.

    After Oberdiek, Rottmann and Gottschalk 2018 (arXiv 1805.08440): a large slope means that the network
    would have to change much to be sure. One slope a picture, all in one batched pass.
    """
    head = look.network.head

    def loss(weights: dict[str, Tensor], tap: Tensor) -> Tensor:
        classified = functional_call(head, weights, (tap[None],))
        return torch.nn.functional.softplus(classified.margin).squeeze(0)

    with torch.inference_mode(mode=False), torch.enable_grad():
        weights = {name: value.detach() for name, value in head.named_parameters()}
        slopes = vmap(grad(loss), in_dims=(None, 0))(weights, look.output.tap.clone())
    squares = [slope.float().reshape(len(look.pictures), -1).square().sum(1) for slope in slopes.values()]
    return {"gradient_norm": torch.stack(squares).sum(0).sqrt()}


@dataclass(frozen=True, slots=True)
class Odin:
    """p(defect) at temperature 1000 after a small step of the picture towards OK.

    After Liang, Li and Srikant 2018 (arXiv 1706.02690): a step towards the predicted class helps those
    that belong to it more. The step is in grey levels of 255; rejected pictures are stepped alike.
    """

    epsilon: float = 0.5
    temperature: float = 1000.0

    def __call__(self, look: Look) -> Mapping[str, Tensor]:
        """Return the score in float64, which tells temperatures of 1000 apart."""
        source = Source(look.pictures, look.output.pyramid, 1 / look.std)
        after = enhance(look.network, source, Enhancement("input", epsilon=self.epsilon, direction="ok"))
        return {"odin": torch.sigmoid(after.margin.double() / self.temperature)}
