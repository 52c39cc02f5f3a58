"""Choosing the mask threshold on calibration pictures."""

import numpy as np
import torch

from linewarden_train.data.samples import Samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import prepare_picture, restore_mask

GRID = tuple(float(value) for value in np.arange(-2.0, 3.01, 0.5))


def choose_mask_threshold(
    network: DefectNetwork, samples: Samples, spec: PictureSpec, *, most: int = 300
) -> tuple[float, float, int]:
    """Return the logit of the grid with the best mean IoU over annotated defective pictures, that IoU, and n.

    Raises ValueError when no annotated defective picture is there.
    """
    chosen = [index for index, label in enumerate(samples.labels) if label.defective]
    drawn = [samples[index] for index in chosen[:most]]
    annotated = [(sample.picture, sample.mask) for sample in drawn if sample.mask is not None]
    if not annotated:
        raise ValueError("no annotated defective picture to choose the mask threshold on")
    device = next(network.parameters()).device
    overlaps = np.zeros((len(annotated), len(GRID)))
    for row, (picture, mask) in enumerate(annotated):
        prepared = prepare_picture(picture, spec)
        with torch.inference_mode():
            output = network(to_device([prepared], device, spec.mean, spec.std))
        logits = output.mask_logits[0].float().cpu().numpy()
        for column, threshold in enumerate(GRID):
            found = restore_mask(logits, prepared, threshold)
            overlaps[row, column] = (found & mask).sum() / max(1, (found | mask).sum())
    best = int(overlaps.mean(axis=0).argmax())
    return GRID[best], float(overlaps.mean(axis=0)[best]), len(annotated)
