"""Raw scores of a data set: every ingredient of every picture, those of the second look included, and its mask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import binary_average_precision

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Label, Sample, Samples
from linewarden_train.training.masks import MaskCounts, count_mask
from linewarden_vision.card import PictureSpec
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import prepare_picture
from linewarden_vision.stitching import Mosaic, Tile, TileScore, passes
from linewarden_vision.trust.enhancement import Enhancement, Source
from linewarden_vision.trust.ingredients import named_ingredients
from linewarden_vision.trust.maps import make_maps
from linewarden_vision.trust.registry import CHEAP_NAMES, SECOND_NAMES

INGREDIENTS = (*CHEAP_NAMES, *SECOND_NAMES)
"""Every built-in ingredient that any network has, those of the second look last."""


@dataclass(frozen=True, slots=True)
class RawScores:
    """Ingredients by name (N,), the largest value of each map (N,), the labels (N), and the masks' pixels.

    Of a picture in tiles, each ingredient is its largest over the tiles.
    """

    ingredients: dict[str, Values]
    defect_map_peak: Values
    agnostic_map_peak: Values
    labels: Sequence[Label]
    masks: MaskCounts | None = None

    @property
    def margin(self) -> Values:
        """The classifier's margins (N,), high is defective."""
        return self.ingredients["margin"]

    @property
    def image_ap(self) -> float:
        """Area under precision and recall of the margin; margins of two networks don't share a scale."""
        margins = torch.sigmoid(torch.from_numpy(self.margin))
        return float(binary_average_precision(margins, torch.from_numpy(self.defective.astype(int))))

    @property
    def good(self) -> NDArray[np.bool_]:
        """True for pictures of parts without any defect: a clean view of a defective part is neither.

        A clean picture of a group with a defect elsewhere is good where the picture is what is judged.
        """
        tainted = {label.judged for label in self.labels if label.defective}
        return np.asarray([label.judged not in tainted for label in self.labels])

    @property
    def defective(self) -> NDArray[np.bool_]:
        """True for pictures that show a defect."""
        return np.asarray([label.defective for label in self.labels])

    @property
    def groups(self) -> list[str]:
        """Group of each picture, N names."""
        return [label.group for label in self.labels]


def with_built_in(names: Sequence[str]) -> tuple[str, ...]:
    """Return every built-in ingredient, then those of ``names`` that are none of them."""
    return (*INGREDIENTS, *(name for name in names if name not in INGREDIENTS))


def score_samples(
    network: DefectNetwork,
    samples: Samples,
    spec: PictureSpec,
    *,
    epsilon: float,
    also: Sequence[str] = (),
    batch: int = 16,
    on_batch: Callable[[int], None] = lambda _: None,
) -> RawScores:
    """Score all samples with the network in eval mode; ``on_batch`` hears how many were scored.

    ``also`` names ingredients besides the built-in ones. Raises UnusablePicture for one that the inspector would not
    judge.
    """
    enhancement, names = Enhancement(epsilon=epsilon), with_built_in(also)
    rows: list[Values] = []
    masks: list[MaskCounts] = []
    for start in range(0, len(samples), batch):
        chosen = [samples[index] for index in range(start, min(start + batch, len(samples)))]
        for values, counts in _score_batch(network, chosen, spec, enhancement, names, batch):
            rows.append(values)
            masks.append(counts)
        on_batch(len(chosen))
    table = np.stack(rows)
    columns = {name: table[:, column] for column, name in enumerate(names)}
    return RawScores(columns, table[:, -2], table[:, -1], list(samples.labels), MaskCounts.stack(masks))


def _score_batch(
    network: DefectNetwork,
    chosen: Sequence[Sample],
    spec: PictureSpec,
    enhancement: Enhancement,
    names: Sequence[str],
    most: int,
) -> list[tuple[Values, MaskCounts]]:
    """Score a few pictures of any sizes, in their order."""
    prepared = [prepare_picture(sample.picture, spec) for sample in chosen]
    table = np.full((len(chosen), len(names) + 2), -np.inf)
    mosaics = [Mosaic(one) for one in prepared]
    for tiles in passes(prepared, most):
        values, logits = _pass(network, tiles, spec, enhancement, names)
        for tile, row, mask in zip(tiles, values, logits, strict=True):
            table[tile.owner] = np.maximum(table[tile.owner], row)  # what is not a number stays so
            sides = prepared[tile.owner].tile
            blank = np.zeros((sides[0] // 8, sides[1] // 8), np.uint8)  # the mask alone is stitched here
            mosaics[tile.owner].add(tile.origin, TileScore(0.0, 0.0, {}, mask, blank, blank))
    whole = [mosaic.merged(0.0)[0].logits for mosaic in mosaics]
    return [
        (row, count_mask(mask, one, sample.mask))
        for row, mask, one, sample in zip(table, whole, prepared, chosen, strict=True)
    ]


def _pass(
    network: DefectNetwork, tiles: Sequence[Tile], spec: PictureSpec, enhancement: Enhancement, names: Sequence[str]
) -> tuple[Values, NDArray[np.float32]]:
    """Return ingredients and map peaks (B, K + 2) and mask logits (B, H', W') of one device pass."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        pictures = to_device(tiles, device, spec.mean, spec.std)
        output = network(pictures)
        maps = make_maps(output.cells, output.tap)
        source = Source(pictures, output.pyramid, 1 / spec.std)
        parts = [
            named_ingredients(network, source, output, maps, names, enhancement),
            maps.defect.flatten(1).amax(1, keepdim=True),
            maps.agnostic.flatten(1).amax(1, keepdim=True),
        ]
        values = np.asarray(torch.cat(parts, dim=1).cpu().numpy(), np.float64)
        return values, np.asarray(output.mask_logits.float().cpu().numpy(), np.float32)
