"""Teaching a bundle which class a marked region shows, and the confusion of classes on groups that did not teach it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from linewarden_domain.resampling import Values
from linewarden_train.data.samples import Label, Samples
from linewarden_vision.card import CalibrationProvenance, PictureSpec
from linewarden_vision.device import to_device
from linewarden_vision.network.interface import DefectNetwork
from linewarden_vision.prepare import Prepared, prepare_picture
from linewarden_vision.region_classes import SHAPE, ClassHead, ClassRow, ClassTable, cell_features, pool_cells, shape_of
from linewarden_vision.stitching import Mosaic, TileScore, passes

FEWEST_GROUPS = 5
"""Groups with a marked defect that each class needs, or no class is told at all: it would be told to be another."""
NOT_MARKED, UNKNOWN = "not marked", "unknown"
_MOST_REGIONS = 16
_PENALTY = 0.1
"""Weight of the squared weights, on features of unit deviation; chosen on 600 synthetic parts, and then fixed."""


@dataclass(frozen=True, slots=True)
class RegionFeatures:
    """Features (N, C + 3) of marked regions, the last three of their shape, with the labels of their pictures."""

    features: Values
    labels: Sequence[Label]

    @classmethod
    def joined(cls, parts: Sequence[RegionFeatures]) -> RegionFeatures:
        """Those of several runs, one after the other."""
        labels = [label for part in parts for label in part.labels]
        return cls(np.concatenate([part.features for part in parts]), labels)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, sorted."""
        return sorted({label.defect_class for label in self.labels})


@dataclass(frozen=True, slots=True)
class FittedClasses:
    """Weights (K, C + 3) and bias (K,) of a multinomial logistic regression."""

    names: Sequence[str]
    weights: Values
    bias: Values

    def logits(self, regions: RegionFeatures) -> Values:
        """Logits of each class (N, K)."""
        return np.asarray(regions.features @ self.weights.T + self.bias)


@dataclass(frozen=True, slots=True)
class ToldRegion:
    """One region of a true class ("good" where nothing is), and what it was told to be."""

    label: Label
    told: str


def true_regions(network: DefectNetwork, samples: Samples, spec: PictureSpec, *, batch: int = 16) -> RegionFeatures:
    """Features of every connected part of the masks of defective pictures, the largest of each picture first."""
    marked = [index for index, label in enumerate(samples.labels) if label.defective]
    found: list[Values] = []
    labels: list[Label] = []
    for start in range(0, len(marked), batch):
        chosen = [samples[index] for index in marked[start : start + batch]]
        chosen = [one for one in chosen if one.mask is not None and one.mask.any()]
        ready = [prepare_picture(one.picture, spec) for one in chosen]
        for sample, prepared, cells in zip(chosen, ready, _cells(network, ready, spec), strict=True):
            for piece, corner in parts_of(sample.mask):
                found.append(_features(cells, piece, corner, prepared))
                labels.append(sample.label)
    width = len(found[0]) if found else len(SHAPE)
    return RegionFeatures(np.asarray(found).reshape(len(found), width), labels)


def _features(
    cells: NDArray[np.float32], piece: NDArray[np.bool_], corner: tuple[int, int], prepared: Prepared
) -> Values:
    whole = (int(prepared.pixels.shape[0]), int(prepared.pixels.shape[1]))
    scale = (prepared.inner[0] / prepared.native[0], prepared.inner[1] / prepared.native[1])
    return np.concatenate([pool_cells(cells, piece, corner, whole, scale), shape_of(piece, scale)])


def _cells(network: DefectNetwork, ready: Sequence[Prepared], spec: PictureSpec) -> list[NDArray[np.float32]]:
    """Features by the cell (C, h, w) of whole pictures, as the inspector stitches them."""
    device = next(network.parameters()).device
    mosaics = [Mosaic(one) for one in ready]
    for tiles in passes(ready, 16):
        with torch.inference_mode():
            output = network(to_device(tiles, device, spec.mean, spec.std))
            features = np.asarray(cell_features(output).cpu().numpy(), np.float32)
        for tile, cells in zip(tiles, features, strict=True):
            blank, dark = np.zeros(cells.shape[1:], np.float32), np.zeros(cells.shape[1:], np.uint8)
            mosaics[tile.owner].add(tile.origin, TileScore(0.0, 0.0, {}, blank, dark, dark, cells))
    whole = [mosaic.merged(np.inf)[0].classes for mosaic in mosaics]
    return [cells for cells in whole if cells is not None]


def parts_of(mask: NDArray[np.bool_] | None) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int]]]:
    """Connected parts of a mask, the largest first, each in its box with the box's upper left corner (row, column)."""
    if mask is None:
        return
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = sorted(range(1, len(boxes)), key=lambda label: -int(boxes[label][cv2.CC_STAT_AREA]))
    for label in order[:_MOST_REGIONS]:
        left, top, width, height = (int(one) for one in boxes[label][:4])
        yield labels[top : top + height, left : left + width] == label, (top, left)


def fit_classes(regions: RegionFeatures, names: Sequence[str]) -> FittedClasses:
    """Fit by weighted likelihood with a squared penalty; every class weighs the same, and in it every group."""
    truth = np.asarray([names.index(label.defect_class) for label in regions.labels])
    weights = _weights(regions.labels)
    mean = np.average(regions.features, axis=0, weights=weights)
    deviation = np.sqrt(np.average((regions.features - mean) ** 2, axis=0, weights=weights)) + 1e-6
    scaled = (regions.features - mean) / deviation
    count, width = len(names), scaled.shape[1]
    hot = np.eye(count)[truth]

    def loss(flat: Values) -> tuple[float, Values]:
        table = flat.reshape(count, width + 1)
        logs = log_softmax(scaled @ table[:, :width].T + table[:, width], axis=1)
        miss = (np.exp(logs) - hot) * weights[:, None]
        gradient = np.concatenate([miss.T @ scaled + 2 * _PENALTY * table[:, :width], miss.sum(0)[:, None]], axis=1)
        value = -float((weights * logs[np.arange(len(truth)), truth]).sum())
        return value + _PENALTY * float((table[:, :width] ** 2).sum()), gradient.ravel()

    solved = minimize(loss, np.zeros(count * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    table = np.asarray(solved.x, np.float64).reshape(count, width + 1)
    folded = table[:, :width] / deviation
    return FittedClasses(list(names), folded, table[:, width] - folded @ mean)


def temperature_of(logits: Values, truth: NDArray[np.int64], labels: Sequence[Label]) -> float:
    """By what to divide logits (N, K) so that probabilities are right on these regions (Guo and others, 2017)."""
    weights = _weights(labels)

    def loss(log_temperature: float) -> float:
        logs = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float((weights * logs[np.arange(len(truth)), truth]).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _weights(labels: Sequence[Label]) -> Values:
    """Of each region: every class 1 in all, shared by its groups, and a group's by its regions."""
    regions: dict[tuple[str, str], int] = defaultdict(int)
    groups: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        regions[label.defect_class, label.group] += 1
        groups[label.defect_class].add(label.group)
    return np.asarray([1 / regions[one.defect_class, one.group] / len(groups[one.defect_class]) for one in labels])


def too_few(regions: RegionFeatures, held_out: Sequence[RegionFeatures]) -> str | None:
    """Why no class can be told after the regions that would teach it and those held out; None where it can."""
    groups: dict[str, set[str]] = defaultdict(set)
    for label in regions.labels:
        groups[label.defect_class].add(label.group)
    if len(groups) < 2:
        return f"{len(groups)} class{'' if len(groups) == 1 else 'es'} of defects with masks"
    short = [f"{name} has {len(of)}" for name, of in sorted(groups.items()) if len(of) < FEWEST_GROUPS]
    if short:
        return f"{', '.join(short)} groups with a mask, and {FEWEST_GROUPS} are needed of each class"
    return None if any(part.labels for part in held_out) else "no held-out group has a mask"


def teach_classes(
    taught: RegionFeatures,
    apart: Sequence[tuple[RegionFeatures, RegionFeatures]],
    how: str,
    provenance: CalibrationProvenance,
) -> ClassHead:
    """The head of the final network, fitted on `taught`, its features of the teaching groups.

    `apart` are pairs of regions, those that taught a head and those of groups that neither it nor its network saw: they
    give the temperature and the table of confusion.
    """
    names = taught.classes
    parts = [(fit_classes(known, names).logits(held), held.labels) for known, held in apart if held.labels]
    logits = np.concatenate([part for part, _ in parts])
    labels = [label for _, held in parts for label in held]
    place = {name: number for number, name in enumerate(names)}
    known = np.flatnonzero([label.defect_class in place for label in labels])
    temperature = 1.0
    if known.size:
        kept = [labels[row] for row in known.tolist()]
        truth = np.asarray([place[label.defect_class] for label in kept])
        temperature = temperature_of(logits[known], truth, kept)
    final = fit_classes(taught, names)
    shapes = len(SHAPE)
    head = ClassHead(
        names=names,
        cells=_listed(final.weights[:, :-shapes] / temperature),
        shape=_listed(final.weights[:, -shapes:] / temperature),
        bias=_listed(final.bias[None] / temperature)[0],
        held_out=ClassTable(how=how, rows=[]),
        provenance=provenance,
    )
    guesses = (head.told_as(row) for row in logits / temperature)
    rows = [ToldRegion(label, guess.defect_class or UNKNOWN) for label, guess in zip(labels, guesses, strict=True)]
    return head.model_copy(update={"held_out": class_table(how, rows)})


def _listed(values: Values) -> list[list[float]]:
    """Weights as a file holds them: to seven significant digits."""
    return [[float(f"{value:.7g}") for value in row] for row in values]


def class_table(how: str, regions: Sequence[ToldRegion]) -> ClassTable:
    """Shares of what regions of each true class were told to be: a group has its regions' mean, a class its groups'."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in regions:
        found[one.label.defect_class][one.label.group].append(one.told)
    rows = []
    for name, groups in sorted(found.items()):
        every = sorted({told for of in groups.values() for told in of})
        shares = {told: float(np.mean([of.count(told) / len(of) for of in groups.values()])) for told in every}
        rows.append(
            ClassRow(defect_class=name, n_groups=len(groups), n_regions=sum(map(len, groups.values())), told=shares)
        )
    return ClassTable(how=how, rows=rows)
