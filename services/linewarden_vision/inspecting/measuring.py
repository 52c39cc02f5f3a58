"""Connected parts of a mask measured in mm, in part coordinates.

Length is the larger of the greatest extent (Feret diameter) and of the length along the skeleton and its branches, by
chords of a few pixels, with the half widths at its ends: steps from pixel to pixel would be wrong by up to 5 %,
whichever weights they have (Kulpa 1977).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from skimage.morphology import skeletonize

from linewarden_domain.acceptance import MOST_DEFECTS
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Recipe, Region, ViewSpec, Zone
from linewarden_vision.inspecting.locating import Placement
from linewarden_vision.region_classes import ClassGuess, ClassMap

_CHORD = 5
"""Pixels of a skeleton that a chord spans."""
_SKELETON_ERROR = 0.02
"""By which share the chords may be wrong, whatever direction a line has and however it bends."""
_MOST_BRANCHES = 32
"""Branches of a skeleton that are measured, the longest first; with more of them every step of it counts."""
_EDGE_PX = 1.0
"""By how much two edges together may be wrong, half a pixel each."""


def measured(
    mask: NDArray[np.bool_],
    recipe: Recipe,
    view: ViewSpec,
    region: Region | None,
    at_ms: int,
    classes: ClassMap | None = None,
    placement: Placement | None = None,
) -> tuple[MeasuredDefect, ...] | None:
    """Defects in a mask (height, width) of the region that was judged, the largest first, at most MOST_DEFECTS and one.

    None where the view has no scale, or had to be calibrated again by `at_ms` (epoch ms). `classes` tells what each
    shows, where the bundle can. Where the part was located (`placement`), zones lie where it does: what may lie in a
    zone by the location's uncertainty lies in it, and nothing is ignored or covered but what surely lies there. Length
    and area are none of a place, and keep their own uncertainty.
    """
    mm = view.mm_per_pixel
    if mm is None or (view.scale_until_ms is not None and at_ms >= view.scale_until_ms):
        return None
    if not mask.any():
        return ()
    marked = mask.astype(np.uint8)
    reach = math.ceil(recipe.defect_gap_mm / mm / 2)
    joined = cv2.dilate(marked, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)) if reach else marked
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    here = region or Region(x=0, y=0, width=mask.shape[1], height=mask.shape[0])
    unsure_px = 0 if placement is None else math.ceil(placement.error_px(here))
    zones = [
        (zone, *_spread(_raster(_corners(zone, view, mm, here, placement), mask.shape), unsure_px))
        for zone in recipe.zones
        if zone.view_id in (None, view.view_id)
    ]
    pieces = []
    for label in range(1, len(boxes)):
        left, top, width, height = (int(one) for one in boxes[label][:4])
        box = (slice(top, top + height), slice(left, left + width))
        pieces.append((box, (labels[box] == label) & mask[box]))
    pieces.sort(key=lambda one: -int(one[1].sum()))
    kept = pieces[: MOST_DEFECTS + 1]
    found = [_defect(piece, box, zones, here, view, mm) for box, piece in kept]
    if classes is None:
        return tuple(found)
    guesses = [classes.of(piece, (box[0].start, box[1].start)) for box, piece in kept]
    return tuple(_classed(one, guess) for one, guess in zip(found, guesses, strict=True))


def _classed(defect: MeasuredDefect, guess: ClassGuess) -> MeasuredDefect:
    may_be = guess.known if guess.defect_class is None else ()
    told = {"defect_class": guess.defect_class, "class_probability": guess.probability, "may_be": may_be}
    return defect.model_copy(update=told)


def _defect(
    piece: NDArray[np.bool_],
    box: tuple[slice, slice],
    zones: Sequence[tuple[Zone, NDArray[np.bool_], NDArray[np.bool_]]],
    here: Region,
    view: ViewSpec,
    mm: float,
) -> MeasuredDefect:
    ignored, covered = np.zeros_like(piece), np.zeros_like(piece)
    for zone, surely, _ in zones:
        covered |= surely[box] & piece
        if zone.ignore:
            ignored |= surely[box] & piece
    counted = piece & ~ignored
    touched = tuple(zone.zone_id for zone, _, maybe in zones if not zone.ignore and (maybe[box] & counted).any())
    rows, columns = np.nonzero(piece)
    length, length_error = _length_px(piece)
    area = float(len(rows))
    contours, _ = cv2.findContours(piece.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    around = max(4.0, sum(cv2.arcLength(one, True) for one in contours))
    return MeasuredDefect(
        x=here.x + box[1].start + int(columns.min()),
        y=here.y + box[0].start + int(rows.min()),
        width=int(columns.max() - columns.min()) + 1,
        height=int(rows.max() - rows.min()) + 1,
        length_mm=length * mm,
        length_error_mm=length_error * mm + length * mm * view.scale_error,
        area_mm2=area * mm * mm,
        area_error_mm2=(_EDGE_PX / 2 * around + 2 * area * view.scale_error) * mm * mm,
        zones=touched,
        is_outside=bool((piece & ~covered).any()),
        is_ignored=not counted.any(),
    )


def _length_px(piece: NDArray[np.bool_]) -> tuple[float, float]:
    """Length and its uncertainty."""
    padded = np.pad(piece, 1)
    points = cv2.convexHull(np.argwhere(padded).astype(np.int32))[:, 0].astype(float)
    extent = float(np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1)).max()) + 1.0
    length, error = _skeleton_px(padded)
    return (extent, _EDGE_PX) if extent > length - 1e-6 else (length, error)


def _skeleton_px(padded: NDArray[np.bool_]) -> tuple[float, float]:
    """Length along the skeleton and its branches, with the half widths at the ends, and its uncertainty.

    A branch adds what it reaches beyond the half width where it begins, if that is more than this half width: the
    skeleton of a spot has spurs into every corner of its outline, and these add nothing.
    """
    line: NDArray[np.bool_] = skeletonize(padded)  # type: ignore[no-untyped-call]
    if not line.any():  # thinning may take all of a spot of two by two pixels
        return 0.0, 0.0
    # To the middle of the nearest pixel outside: half a pixel beyond the edge.
    half = cv2.distanceTransform(padded.astype(np.uint8), cv2.DIST_L2, 5)[line].astype(float) - 0.5
    graph = _steps(line)
    places = np.argwhere(line).astype(float)
    start = int(_reach(graph, [0], half)[0].argmax())
    far, before, _ = _reach(graph, [start], half)
    end = int(far.argmax())
    known = _path(before, end)
    length, branches = _chords(places[known]) + half[start] + half[end], 1
    while branches < _MOST_BRANCHES:
        far, before, origin = _reach(graph, known, half)
        gain = far - half[origin]
        gain[gain <= np.maximum(half[origin], _EDGE_PX)] = 0.0
        tip = int(gain.argmax())
        if gain[tip] == 0.0:
            break
        path = _path(before, tip)
        length += _chords(places[path]) + half[tip] - half[origin[tip]]
        known, branches = known + path, branches + 1
    else:
        length = max(length, graph.sum())
    return float(length), (1 + branches) * _EDGE_PX + _SKELETON_ERROR * float(length)


def _chords(places: NDArray[np.float64]) -> float:
    """Length along pixels (N, 2) in their order."""
    kept = np.concatenate([places[:-1:_CHORD], places[-1:]])
    return float(np.hypot(*np.diff(kept, axis=0).T).sum())


def _steps(line: NDArray[np.bool_]) -> csr_array:
    """Neighbouring pixels of a skeleton, numbered row by row, with how far they lie apart."""
    number = np.cumsum(line).reshape(line.shape) - 1
    # Two pixels that touch at a corner are one step, unless a third one joins them by two straight steps.
    corner = line[1:, 1:] & line[:-1, :-1] & ~(line[1:, :-1] | line[:-1, 1:])
    other = line[1:, :-1] & line[:-1, 1:] & ~(line[1:, 1:] | line[:-1, :-1])
    kinds = (
        (line[:, 1:] & line[:, :-1], number[:, 1:], number[:, :-1], 1.0),
        (line[1:] & line[:-1], number[1:], number[:-1], 1.0),
        (corner, number[1:, 1:], number[:-1, :-1], math.sqrt(2)),
        (other, number[1:, :-1], number[:-1, 1:], math.sqrt(2)),
    )
    ones = np.concatenate([one[there] for there, one, _, _ in kinds])
    others = np.concatenate([two[there] for there, _, two, _ in kinds])
    lengths = np.concatenate([np.full(int(there.sum()), length) for there, _, _, length in kinds])
    count = int(line.sum())
    return csr_array((lengths, (ones, others)), shape=(count, count))


def _reach(
    graph: csr_array, known: Sequence[int], half: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """How far each pixel's edge lies from known ones along the skeleton, the pixel before it, and whence it came."""
    far, before, origin = dijkstra(graph, directed=False, indices=known, min_only=True, return_predecessors=True)
    return np.where(np.isfinite(far), far + half, 0.0), before, np.maximum(origin, 0)


def _path(before: NDArray[np.int32], end: int) -> list[int]:
    found = []
    while end >= 0:
        found.append(end)
        end = int(before[end])
    return found


def _corners(zone: Zone, view: ViewSpec, mm: float, here: Region, placement: Placement | None) -> NDArray[np.floating]:
    """Corners of a zone in pixels of the region that was judged, whose first pixel's middle is 0."""
    corners = np.asarray(zone.polygon, float) / mm - 0.5
    if placement is None:
        return corners
    taught = (0, 0) if view.region is None else (view.region.x, view.region.y)
    return placement.placed(corners + taught) - (here.x, here.y)


def _raster(corners: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Pixels of a region (height, width) whose middle lies in a polygon, or on its edge."""
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
    return canvas


def _spread(raster: NDArray[np.uint8], unsure_px: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What surely lies in a zone whose edge may be off by so many pixels, and what may."""
    if not unsure_px:
        return raster.astype(bool), raster.astype(bool)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * unsure_px + 1,) * 2)
    # Beyond the region nobody looked, so a zone that ends there does not end for that.
    surely, maybe = cv2.erode(raster, around), cv2.dilate(raster, around)
    return surely.astype(bool), maybe.astype(bool)
