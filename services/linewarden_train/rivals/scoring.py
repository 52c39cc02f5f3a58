"""All rivals on a data set."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from linewarden_train.data.samples import Samples
from linewarden_train.rivals import plain
from linewarden_train.rivals.fitted import Mahalanobis, Nearest
from linewarden_train.rivals.interface import Rival, looks, pooled
from linewarden_train.rivals.repeated import Ensemble, McDropout, flips_and_lights
from linewarden_train.rivals.slopes import Odin, gradient_norm
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork

Values = NDArray[np.float64]
_UNFITTED: tuple[Rival, ...] = (
    plain.cell_peak,
    plain.mask_evidence,
    plain.softmax,
    plain.energy,
    plain.feature_norm,
    gradient_norm,
    Odin(),
    flips_and_lights,
)


def score_rivals(
    network: DefectNetwork,
    samples: Samples,
    spec: PictureSpec,
    *,
    reference: Samples,
    ensemble: Sequence[DefectNetwork] = (),
    rng: np.random.Generator,
    batch: int = 16,
) -> dict[str, Values]:
    """Return every rival's score (N,) by name, high is suspicious; of a picture in tiles the largest.

    ``reference`` holds good pictures, and defective ones where there are any, that ``network`` was taught
    on or that are otherwise apart from ``samples``; only fitted rivals see it. Without ``ensemble`` there
    is no rival of that name. Raises ValueError for a network in train mode or too small a reference.
    """
    rivals = [*_UNFITTED, *_fitted(network, reference, spec, batch), McDropout.draw(rng)]
    if ensemble:
        rivals.append(Ensemble(ensemble))
    found: dict[str, Values] = {}
    for rows, look in looks(network, samples, spec, batch):
        for rival in rivals:
            with torch.inference_mode():
                scores = rival(look)
            for name, values in scores.items():
                column = found.setdefault(name, np.full(len(samples), -np.inf))
                np.maximum.at(column, rows, np.asarray(values.double().cpu().numpy(), np.float64))
    return found


def _fitted(network: DefectNetwork, reference: Samples, spec: PictureSpec, batch: int) -> list[Rival]:
    parts, defective = [torch.zeros(0, network.head.direction.numel())], []
    for rows, look in looks(network, reference, spec, batch):
        parts.append(pooled(look.output.tap).cpu())
        defective += [reference.labels[row].defective for row in rows]
    features, truth = torch.cat(parts), torch.tensor(defective, dtype=torch.bool)
    return [Mahalanobis.fit(features, truth), Nearest.fit(features[~truth])]
