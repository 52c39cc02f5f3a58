"""The enhancement: a signed step along the margin's slope, then the rest of the network again.

Reference: one step on the encoder's stride-16 map towards "defect", where only the neck and the head
run again. After arXiv 2604.19206 (an adversarial enhancement), reconstructed from its abstract; the
readings that it leaves open are settings.

Precision, measured on the demo's network and 24 of its pictures, float32 against bfloat16 autocast on the
CPU: agreements differ by at most .043 before a step in feature space and .050 after it (.01 in the mean),
margins by .075; after a step in input space by up to .19 and .49, since the sign of a small slope flips. A test holds
agreements of feature space to .1 (a gain, the difference of two, to twice that).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from linewarden_vision.network.fusion import TAP_STRIDES
from linewarden_vision.network.interface import DefectNetwork, NetworkOutput, Pyramid, SteppedNetwork

Space = Literal["feature", "input"]
Stride = Literal[8, 16, 32]
Direction = Literal["defect", "ok"]


@dataclass(frozen=True, slots=True)
class Enhancement:
    """How far to step, where and which way.

    space feature: ``epsilon`` is a share of the deviation of that picture's whole map at ``stride``;
    the other levels stay. space input: ``epsilon`` is in grey levels of 255, ``stride`` says nothing.
    steps above 1: projected gradient descent (Madry et al. 2018, arXiv 1706.06083) without a random
    start, each step 2.5 epsilon / steps long, never farther than epsilon in all.
    Raises ValueError for an epsilon that is not positive and finite, or fewer than one step.
    """

    space: Space = "feature"
    stride: Stride = 16
    epsilon: float = 0.15
    steps: int = 1
    direction: Direction = "defect"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and self.epsilon > 0 and self.steps >= 1):
            raise ValueError(f"epsilon must be positive and steps at least 1, not {self.epsilon} and {self.steps}")


REFERENCE = Enhancement()
NAMED_ENHANCEMENTS: Mapping[str, Enhancement] = {
    "reference": REFERENCE,
    "stride_8": Enhancement(stride=8),
    "stride_32": Enhancement(stride=32),
    "pgd_3": Enhancement(steps=3),
    "towards_ok": Enhancement(direction="ok"),
    "input_0.5": Enhancement("input", epsilon=0.5),
    "input_1": Enhancement("input", epsilon=1.0),
    "input_2": Enhancement("input", epsilon=2.0),
    "input_4": Enhancement("input", epsilon=4.0),
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a pass came from: normalised pictures (B, C, H, W), their pyramid, a grey level in network units.

    ``grey_level`` is 1 / std of the normalisation; only steps in input space need it.
    """

    pictures: Tensor
    pyramid: Pyramid
    grey_level: float | None = None

    def select(self, rows: Tensor) -> "Source":
        """Return the named rows (K,) int64, those levels that the neck takes."""
        levels = {stride: self.pyramid[stride].index_select(0, rows) for stride in TAP_STRIDES}
        return Source(self.pictures.index_select(0, rows), levels, self.grey_level)


@dataclass(frozen=True, slots=True)
class Response:
    """What the head made of a tap: tap (B, C, h, w), cells (B, h, w), margin (B,)."""

    tap: Tensor
    cells: Tensor
    margin: Tensor

    @classmethod
    def of(cls, output: NetworkOutput) -> "Response":
        """Return the response of a plain pass."""
        return cls(output.tap, output.cells, output.margin)

    def select(self, rows: Tensor) -> "Response":
        """Return the named rows (K,) int64."""
        return Response(*(part.index_select(0, rows) for part in (self.tap, self.cells, self.margin)))


def enhance(
    network: SteppedNetwork, source: Source, settings: Enhancement = REFERENCE, before: Response | None = None
) -> Response:
    """Return the response after the step F' = F + epsilon * sigma * sign(dm/dF), one batched pass each way.

    ``before`` is the plain response of the same pictures: with it one step in feature space of a ``DefectNetwork``
    takes its slope in closed form, without passing neck and head again.
    The network's parameters, gradients and modes stay as they are, also when this raises; no hooks.
    Raises ValueError for a network in train mode, whose batch norm would mix pictures, and for a
    step in input space without the grey level.
    """
    if network.training:
        raise ValueError("the enhancement needs the network in eval mode: call network.eval() first")
    if before is not None and isinstance(network, DefectNetwork) and (settings.space, settings.steps) == ("feature", 1):
        return _one_step(network, source.pyramid, settings, before)
    with torch.inference_mode(mode=False):
        base, radius, to_tap = _start(network, source, settings)
        offset = _walk(base, radius, settings, lambda moved: network.classify(to_tap(moved)).margin)
        with torch.no_grad():
            tap = to_tap(base + offset)
            classified = network.classify(tap)
    return Response(tap, classified.cells, classified.margin)


def _one_step(network: DefectNetwork, pyramid: Pyramid, settings: Enhancement, before: Response) -> Response:
    """Take the reference's step with the margin's slope from the head and the neck's adjoint."""
    base = pyramid[settings.stride]
    with torch.no_grad():
        at_tap = network.head.slope(before.cells)
        slope = network.fusion.pull_back(at_tap, before.tap, pyramid, settings.stride)
        pace = _radius(base, settings) * (-1 if settings.direction == "ok" else 1)
        tap = network.fuse({**pyramid, settings.stride: base + pace * slope.sign()})
        classified = network.classify(tap)
    return Response(tap, classified.cells, classified.margin)


def _radius(base: Tensor, settings: Enhancement) -> Tensor:
    return settings.epsilon * base.float().std(dim=(1, 2, 3), keepdim=True).to(base.dtype)


def _start(
    network: SteppedNetwork, source: Source, settings: Enhancement
) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
    """Return where the walk begins, how far it may go (B or 1, 1, 1, 1), and the way on to the tap."""
    if settings.space == "input":
        if source.grey_level is None:
            raise ValueError("a step in input space needs the grey level: 1 / std of the normalisation")
        pictures = _outside_inference(source.pictures)
        return (
            pictures,
            pictures.new_full((1, 1, 1, 1), settings.epsilon * source.grey_level),
            lambda moved: network.fuse(network.encode(moved)),
        )
    levels = {stride: _outside_inference(source.pyramid[stride]) for stride in TAP_STRIDES}
    base = levels[settings.stride]
    return base, _radius(base, settings), lambda moved: network.fuse({**levels, settings.stride: moved})


def _outside_inference(values: Tensor) -> Tensor:
    """Copy what was made under inference_mode: it cannot take part in a backward pass."""
    return values.clone() if values.is_inference() else values.detach()


def _walk(base: Tensor, radius: Tensor, settings: Enhancement, margin: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the offset from ``base`` after all steps; each picture's slope is its own margin's alone."""
    pace = radius if settings.steps == 1 else radius * (2.5 / settings.steps)
    if settings.direction == "ok":
        pace = -pace
    offset = torch.zeros_like(base)
    for _ in range(settings.steps):
        with torch.enable_grad():
            moved = (base + offset).requires_grad_()
            (slope,) = torch.autograd.grad(margin(moved).sum(), moved)
        offset = torch.clamp(offset + pace * slope.sign(), -radius, radius)
    return offset
