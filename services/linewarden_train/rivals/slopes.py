"""Rivals that need a gradient; none touches the network's own."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from linewarden_train.rivals.interface import Look
from linewarden_vision.trust.enhancement import Enhancement, Source, enhance


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
