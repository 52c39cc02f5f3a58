"""The nested network: Unet++ with scSE attention, as public summaries of arXiv 2510.13226 name it."""

from segmentation_models_pytorch import UnetPlusPlus
from torch import Tensor, nn

from linewarden_vision.network.fusion import TopDownFusion
from linewarden_vision.network.head import LinearHead
from linewarden_vision.network.interface import DefectNetwork, Pyramid

_STRIDES = (1, 2, 4, 8, 16, 32)


class NestedNetwork(DefectNetwork):
    """For GPUs and the faithful reading; ``encoder`` is a name of segmentation-models-pytorch."""

    def __init__(self, encoder: str, channels: int, *, tap_channels: int = 64) -> None:
        super().__init__()
        self.unet = UnetPlusPlus(encoder, encoder_weights=None, in_channels=channels, decoder_attention_type="scse")
        widths = dict(zip(_STRIDES, self.unet.encoder.out_channels, strict=True))
        self.fusion = TopDownFusion(widths, tap_channels)
        self.head = LinearHead(tap_channels)

    @property
    def backbone(self) -> nn.Module:
        """Timm's module where the encoder is one of timm's (``tu-<name>``), else that of the library."""
        encoder: nn.Module = self.unet.encoder
        inner = getattr(encoder, "model", encoder)
        return inner if isinstance(inner, nn.Module) else encoder

    def encode(self, pictures: Tensor) -> Pyramid:
        """Return the picture itself (stride 1) and the encoder's maps at strides 2 to 32."""
        return dict(zip(_STRIDES, self.unet.encoder(pictures), strict=True))

    def decode(self, tap: Tensor, pyramid: Pyramid) -> Tensor:  # noqa: ARG002  # the nested decoder has its own fusion
        """Return mask logits at the picture's size."""
        logits: Tensor = self.unet.segmentation_head(self.unet.decoder([pyramid[s] for s in _STRIDES]))
        return logits.squeeze(1)
