"""Enhancement in feature space: a signed step towards "defect" on the encoder's stride-16 map.

Only the neck and the head run again; no encoder stage does. After arXiv 2604.19206, reconstructed
from its abstract.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from linewarden_vision.network.interface import DefectNetwork, Pyramid

STEP_STRIDE = 16
REFERENCE_EPSILON = 0.15


@dataclass(frozen=True, slots=True)
class Enhanced:
    """The tap (B, C, h, w), cells (B, h, w) and margin (B,) after the step, float32 where it matters."""

    tap: Tensor
    cells: Tensor
    margin: Tensor


def enhance(network: DefectNetwork, pyramid: Pyramid, epsilon: float = REFERENCE_EPSILON) -> Enhanced:
    """Step F16' = F16 + epsilon * sigma * sign(dm/dF16), sigma the deviation of that picture's F16.

    The network's parameters, gradients and modes stay as they are, also when this raises.
    Raises ValueError for a network in train mode, whose batch norm would mix pictures.
    """
    if network.training:
        raise ValueError("the enhancement needs the network in eval mode: call network.eval() first")
    with torch.inference_mode(mode=False), torch.enable_grad():
        # Clones: maps made under inference_mode cannot take part in a backward pass.
        frozen = {stride: level.detach().clone() for stride, level in pyramid.items()}
        base = frozen[STEP_STRIDE].requires_grad_()
        margin = network.classify(network.fuse(frozen)).margin
        (slope,) = torch.autograd.grad(margin.sum(), base)
    with torch.no_grad():
        sigma = base.detach().float().std(dim=(1, 2, 3), keepdim=True).to(base.dtype)
        stepped = base.detach() + epsilon * sigma * slope.sign()
        tap = network.fuse({**frozen, STEP_STRIDE: stepped})
        classified = network.classify(tap)
    return Enhanced(tap, classified.cells, classified.margin)
