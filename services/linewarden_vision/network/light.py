"""The light network: any timm encoder, top-down fusion, a small mask decoder at stride 2."""

from typing import Any

import timm
from torch import Tensor, nn

from linewarden_vision.network.fusion import TopDownFusion, conv_bn_relu, grow_to
from linewarden_vision.network.head import LinearHead
from linewarden_vision.network.interface import DefectNetwork, Pyramid


class LightNetwork(DefectNetwork):
    """Default on CPUs. Raises ValueError for an encoder without maps at strides 2 to 32."""

    def __init__(self, encoder: str, channels: int, *, tap_channels: int = 64) -> None:
        super().__init__()
        self.encoder: nn.Module = timm.create_model(encoder, features_only=True, pretrained=False, in_chans=channels)
        info: Any = self.encoder.feature_info
        self.strides: list[int] = list(info.reduction())
        self._stage_names: list[str] = list(info.module_name())
        if self.strides != [2, 4, 8, 16, 32]:
            raise ValueError(f"encoder {encoder!r} has strides {self.strides}; choose one with 2, 4, 8, 16, 32")
        widths = dict(zip(self.strides, info.channels(), strict=True))
        self.fusion = TopDownFusion(widths, tap_channels)
        self.head = LinearHead(tap_channels)
        self.decoder = _MaskDecoder(tap_channels, widths[4], widths[2])

    @property
    def backbone(self) -> nn.Module:
        """The encoder out of timm, whose weights may be trained more slowly than the rest."""
        return self.encoder

    def freeze(self, stages: int) -> None:
        """Keep the stem and the first stages (0 to 5) as they are, batch norm included, also in train mode."""
        leaves = [(name, part) for name, part in self.encoder.named_modules() if not any(part.children())]
        names = self._stage_names
        ends = [order for order, (name, _) in enumerate(leaves) if stages and name.startswith(names[stages - 1])]
        first = tuple(part for _, part in leaves[: max(ends, default=-1) + 1])
        self.held = (*self.held, *first)
        for part in first:
            part.requires_grad_(requires_grad=False)
        self.train(self.training)

    def encode(self, pictures: Tensor) -> Pyramid:
        """Return the encoder's maps at strides 2, 4, 8, 16 and 32."""
        return dict(zip(self.strides, self.encoder(pictures), strict=True))

    def decode(self, tap: Tensor, pyramid: Pyramid) -> Tensor:
        """Return mask logits at stride 2."""
        logits: Tensor = self.decoder(tap, pyramid[4], pyramid[2])
        return logits


class _MaskDecoder(nn.Module):
    def __init__(self, tap: int, quarter: int, half: int) -> None:
        super().__init__()
        self.narrow = conv_bn_relu(tap, 32, 1)
        self.side4 = nn.Conv2d(quarter, 32, 1)
        self.mix4 = conv_bn_relu(32, 24)
        self.side2 = nn.Conv2d(half, 24, 1)
        self.mix2 = conv_bn_relu(24, 16)
        self.out = nn.Conv2d(16, 1, 1)
        nn.init.constant_(self.out.bias, -3.0)  # type: ignore[arg-type]  # most pixels are good: start there

    def forward(self, tap: Tensor, quarter: Tensor, half: Tensor) -> Tensor:
        side4 = self.side4(quarter)
        mid = self.mix4(side4 + grow_to(self.narrow(tap), side4))
        side2 = self.side2(half)
        logits: Tensor = self.out(self.mix2(side2 + grow_to(mid, side2)))
        return logits.squeeze(1)
