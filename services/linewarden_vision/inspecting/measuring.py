"""Connected parts of a mask measured in mm, in part coordinates.

Length is the larger of the greatest extent (Feret diameter) and of the length along the skeleton, with the weights of
Kulpa (1977) for steps to a neighbour, .948 along a row or column and 1.343 across, and the half widths at its ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from linewarden_domain.acceptance import MOST_DEFECTS
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Recipe, Region, ViewSpec, Zone
from linewarden_vision.inspecting.locating import Placement

_STRAIGHT, _ACROSS = 0.948, 1.343
_SKELETON_ERROR = 0.04
"""By which share the weights may be wrong, whatever direction a line has."""
_EDGE_PX = 1.0
"""By how much two edges together may be wrong, half a pixel each."""


def measured(
    mask: NDArray[np.bool_],
    recipe: Recipe,
    view: ViewSpec,
    region: Region | None,
    at_ms: int,
    placement: Placement | None = None,
) -> tuple[MeasuredDefect, ...] | None:
    """Defects in a mask (height, width) of the region that was judged, the largest first, at most MOST_DEFECTS and one.

    Where the part was located (`placement`), zones lie where it does. What may lie in a zone by the location's
    uncertainty lies in it, and nothing is ignored or covered but what surely lies there; length and area are none of a
    place, and keep their own uncertainty.
    None where the view has no scale, or had to be calibrated again by `at_ms` (epoch ms).
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
    return tuple(_defect(piece, box, zones, here, view, mm) for box, piece in pieces[: MOST_DEFECTS + 1])


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
    line: NDArray[np.bool_] = skeletonize(padded)  # type: ignore[no-untyped-call]
    straight = int((line[:, 1:] & line[:, :-1]).sum() + (line[1:] & line[:-1]).sum())
    # Two pixels that touch at a corner are one step, unless a third one joins them by two straight steps.
    falling = line[1:, 1:] & line[:-1, :-1] & ~(line[1:, :-1] | line[:-1, 1:])
    rising = line[1:, :-1] & line[:-1, 1:] & ~(line[1:, 1:] | line[:-1, :-1])
    along = _STRAIGHT * straight + _ACROSS * int(falling.sum() + rising.sum())
    half_width = float(cv2.distanceTransform(padded.astype(np.uint8), cv2.DIST_L2, 5).max())
    points = cv2.convexHull(np.argwhere(padded).astype(np.int32))[:, 0].astype(float)
    extent = float(np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1)).max()) + 1.0
    skeleton = along + 2 * half_width
    return max(extent, skeleton), _EDGE_PX + (_SKELETON_ERROR * along if skeleton > extent else 0.0)


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
