"""Raw scores of a data set: every ingredient of every picture, the enhancement included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_train.data.samples import Label, Samples
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.trust.enhancement import Enhancement, Response, Source, enhance
from linewarden_vision.trust.ingredients import (
    CHEAP_NAMES,
    ENHANCED_NAMES,
    cheap_ingredients,
    enhanced_ingredients,
)
from linewarden_vision.trust.maps import make_maps

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RawScores:
    """Ingredients by name (N,), the largest value of each map (N,), and the labels (N)."""

    ingredients: dict[str, Values]
    defect_map_peak: Values
    agnostic_map_peak: Values
    labels: Sequence[Label]

    @property
    def margin(self) -> Values:
        """Margins (N,)."""
        return self.ingredients["margin"]

    @property
    def good(self) -> NDArray[np.bool_]:
        """True for pictures of groups without any defect: a clean view of a defective part is neither."""
        tainted = {label.group for label in self.labels if label.defective}
        return np.asarray([label.group not in tainted for label in self.labels])

    @property
    def defective(self) -> NDArray[np.bool_]:
        """True for pictures that show a defect."""
        return np.asarray([label.defective for label in self.labels])

    @property
    def groups(self) -> list[str]:
        """Group of each picture."""
        return [label.group for label in self.labels]


def score_samples(
    network: DefectNetwork,
    samples: Samples,
    spec: PictureSpec,
    *,
    epsilon: float,
    batch: int = 16,
    on_batch: Callable[[int], None] = lambda _: None,
) -> RawScores:
    """Score all samples with the network in eval mode; ``on_batch`` hears how many were scored."""
    rows = []
    for start in range(0, len(samples), batch):
        indices = range(start, min(start + batch, len(samples)))
        rows.append(_score_batch(network, [samples[index].picture for index in indices], spec, epsilon))
        on_batch(len(indices))
    table = np.concatenate(rows, axis=0)
    names = (*CHEAP_NAMES, *ENHANCED_NAMES)
    columns = {name: table[:, column] for column, name in enumerate(names)}
    return RawScores(columns, table[:, -2], table[:, -1], list(samples.labels))


def _score_batch(
    network: DefectNetwork, pictures: Sequence[NDArray[np.uint8]], spec: PictureSpec, epsilon: float
) -> Values:
    device = next(network.parameters()).device
    prepared = [prepare_picture(picture, spec) for picture in pictures]
    with torch.inference_mode():
        pictures_in = to_device(prepared, device, spec.mean, spec.std)
        output = network(pictures_in)
        maps = make_maps(output.cells, output.tap)
        source = Source(pictures_in, output.pyramid, 1 / spec.std)
        enhanced = enhance(network, source, Enhancement(epsilon=epsilon))
        parts = [
            cheap_ingredients(output, maps, CHEAP_NAMES),
            enhanced_ingredients(enhanced, Response.of(output), ENHANCED_NAMES),
            maps.defect.flatten(1).amax(1, keepdim=True),
            maps.agnostic.flatten(1).amax(1, keepdim=True),
        ]
        return np.asarray(torch.cat(parts, dim=1).cpu().numpy(), np.float64)
