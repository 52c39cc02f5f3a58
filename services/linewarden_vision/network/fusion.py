"""Top-down fusion of encoder maps into one tap at stride 8."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

TAP_STRIDES = (8, 16, 32)


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU; keeps the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def grow_to(small: Tensor, like: Tensor) -> Tensor:
    """Bilinearly resize ``small`` to the height and width of ``like``."""
    return nn.functional.interpolate(small, like.shape[-2:], mode="bilinear", align_corners=False)


def _shrink_to(slope: Tensor, like: Tensor) -> Tensor:
    """Return the adjoint of ``grow_to``: from the slope at the grown map that at the small one."""
    size = [*slope.shape[:2], *like.shape[-2:]]
    shrunk: Tensor = torch.ops.aten.upsample_bilinear2d_backward(slope, slope.shape[-2:], size, False)
    return shrunk


class TopDownFusion(nn.Module):
    """Adds strides 32 and 16 onto 8 through lateral 1x1 convolutions, then conv-BN-ReLU."""

    def __init__(self, channels: Mapping[int, int], width: int = 64) -> None:
        super().__init__()
        # Any: what a module holds is a union of tensor and module to mypy
        self.laterals: Any = nn.ModuleDict(
            {str(stride): nn.Conv2d(channels[stride], width, 1) for stride in TAP_STRIDES}
        )
        self.smooth: Any = conv_bn_relu(width, width)

    def forward(self, pyramid: Mapping[int, Tensor]) -> Tensor:
        """Return the tap (B, width, H/8, W/8)."""
        top: Tensor = self.laterals["32"](pyramid[32])
        for stride in (16, 8):
            lateral: Tensor = self.laterals[str(stride)](pyramid[stride])
            top = lateral + grow_to(top, lateral)
        tap: Tensor = self.smooth(top)
        return tap

    def pull_back(self, slope: Tensor, tap: Tensor, pyramid: Mapping[int, Tensor], stride: int) -> Tensor:
        """Return a slope at the tap (B, width, h, w) as the slope at that level of the pyramid, in eval mode.

        ``tap`` is what the pyramid gave. The neck is linear but for the last ReLU, so that its adjoint needs no
        second pass and no graph.
        """
        norm = self.smooth[1]
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        back = (slope * (tap > 0)).to(tap.dtype) * gain.to(tap.dtype)[:, None, None]
        back = nn.functional.conv_transpose2d(back, self.smooth[0].weight, padding=1)
        for lower in TAP_STRIDES:
            if lower == stride:
                break
            back = _shrink_to(back, pyramid[2 * lower])
        return nn.functional.conv_transpose2d(back, self.laterals[str(stride)].weight)
