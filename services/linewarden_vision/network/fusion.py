"""Top-down fusion of encoder maps into one tap at stride 8."""

from collections.abc import Mapping

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


class TopDownFusion(nn.Module):
    """Adds strides 32 and 16 onto 8 through lateral 1x1 convolutions, then conv-BN-ReLU."""

    def __init__(self, channels: Mapping[int, int], width: int = 64) -> None:
        super().__init__()
        self.laterals = nn.ModuleDict({str(stride): nn.Conv2d(channels[stride], width, 1) for stride in TAP_STRIDES})
        self.smooth = conv_bn_relu(width, width)

    def forward(self, pyramid: Mapping[int, Tensor]) -> Tensor:
        """Return the tap (B, width, H/8, W/8)."""
        top: Tensor = self.laterals["32"](pyramid[32])
        for stride in (16, 8):
            lateral: Tensor = self.laterals[str(stride)](pyramid[stride])
            top = lateral + grow_to(top, lateral)
        tap: Tensor = self.smooth(top)
        return tap
