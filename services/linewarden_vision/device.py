"""Devices and precisions: which to try, and how a batch gets there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from linewarden_vision.prepare import Prepared
from linewarden_vision.stitching import Tile

Precision = Literal["float32", "bfloat16", "float16"]


def choose_device(wanted: str) -> torch.device:
    """Resolve "auto" to CUDA where there is one; raises ValueError for an absent CUDA device."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {wanted!r} is not there; use device='cpu' or 'auto'")
    return device


def choose_precisions(wanted: str, device: torch.device) -> list[Precision]:
    """List the precisions to try in order; "auto" tries half precision on CUDA before float32."""
    if wanted == "auto":
        return ["float32"] if device.type == "cpu" else ["bfloat16", "float16", "float32"]
    for precision in get_args(Precision):
        if precision == wanted:
            return [precision]
    raise ValueError(f"precision {wanted!r} is not one of auto, {', '.join(get_args(Precision))}")


def to_device(batch: Sequence[Prepared | Tile], device: torch.device, mean: float, std: float) -> Tensor:
    """Stack equal shapes to (B, C, H, W) channels-last float32 on the device, normalised there.

    On CUDA the copy starts from pinned memory and does not block.
    """
    stacked = torch.from_numpy(np.stack([prepared.pixels for prepared in batch]))
    if device.type == "cuda":
        stacked = stacked.pin_memory().to(device, non_blocking=True)
    # HxWxC in memory is channels-last already: the permuted view needs no copy
    return (stacked.permute(0, 3, 1, 2).float() - mean) / std


@contextmanager
def precision_of(device: torch.device, precision: Precision) -> Iterator[None]:
    """Run the enclosed passes under no_grad in that precision; the head stays in float32."""
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=getattr(torch, precision), enabled=precision != "float32"),
    ):
        yield
