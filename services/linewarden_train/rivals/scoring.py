"""All rivals on a data set."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Samples
from linewarden_train.rivals.fitted import Mahalanobis, Nearest
from linewarden_train.rivals.interface import Rival, looks, pooled_features
from linewarden_train.rivals.plain import Odin, gradient_norm, readings
from linewarden_train.rivals.repeated import Ensemble, McDropout, flips_and_lights
from linewarden_vision.card import PictureSpec
from linewarden_vision.network.interface import DefectNetwork


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

    Without ``ensemble`` there is no rival of that name. Raises ValueError for a network in train mode or as
    ``all_rivals`` does.
    """
    rivals = all_rivals(network, reference, spec, rng=rng, batch=batch)
    if ensemble:
        rivals.append(Ensemble(ensemble))
    return score_with(rivals, network, samples, spec, batch=batch)


def all_rivals(
    network: DefectNetwork,
    reference: Samples,
    spec: PictureSpec,
    *,
    rng: np.random.Generator,
    batch: int = 16,
    on_scored: Callable[[int], None] = lambda _: None,
) -> list[Rival]:
    """Fit what has to be fitted, and return every rival that needs no second network.

    ``reference`` holds good pictures, and defective ones where there are any, that ``network`` was taught
    on or that are otherwise apart from those to score; only fitted rivals see it. Raises ValueError for too
    small a reference.
    """
    parts, rows = [torch.zeros(0, network.head.direction.numel())], list[int]()
    for owners, few in pooled_features(network, reference, spec, batch):
        parts.append(few.cpu())
        on_scored(len(set(owners) - set(rows)))
        rows += owners
    features = torch.cat(parts)
    truth = torch.tensor([reference.labels[row].defective for row in rows], dtype=torch.bool)
    fitted: list[Rival] = [Mahalanobis.fit(features, truth), Nearest.fit(features[~truth])]
    return [readings, gradient_norm, Odin(), flips_and_lights, *fitted, McDropout.draw(rng)]


def score_with(
    rivals: Sequence[Rival],
    network: DefectNetwork,
    samples: Samples,
    spec: PictureSpec,
    *,
    batch: int = 16,
    on_scored: Callable[[int], None] = lambda _: None,
) -> dict[str, Values]:
    """Show all rivals the same passes; return their scores (N,) by name, of a picture in tiles the largest.

    ``on_scored`` hears how many more pictures were seen.
    """
    found: dict[str, Values] = {}
    seen: set[int] = set()
    for rows, look in looks(network, samples, spec, batch):
        for rival in rivals:
            with torch.inference_mode():
                scores = rival(look)
            for name, values in scores.items():
                column = found.setdefault(name, np.full(len(samples), -np.inf))
                np.maximum.at(column, rows, np.asarray(values.double().cpu().numpy(), np.float64))
        on_scored(len(set(rows) - seen))
        seen.update(rows)
    return found
