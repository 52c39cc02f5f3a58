"""Labels as COCO: one annotation for each drawn mask, uncompressed run lengths, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .choosing import FrameLabel


@dataclass(frozen=True, slots=True)
class Drawn:
    """A labelled picture: its file, its size, and its mask (H, W) where somebody drew one."""

    label: FrameLabel
    file_name: str
    height: int
    width: int
    mask: NDArray[np.bool_] | None


def as_coco(drawn: Sequence[Drawn]) -> dict[str, Any]:
    """Return the document. A defective picture that nobody marked has an annotation without segmentation."""
    names = sorted({one.label.defect_class for one in drawn if one.label.defect_class is not None})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    images = [
        {"id": number, "file_name": one.file_name, "width": one.width, "height": one.height}
        for number, one in enumerate(drawn, start=1)
    ]
    found = [
        _annotation(one, number, numbers[one.label.defect_class])
        for number, one in enumerate(drawn, start=1)
        if one.label.defect_class is not None
    ]
    annotations = [{"id": number, **annotation} for number, annotation in enumerate(found, start=1)]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotation(one: Drawn, image: int, category: int) -> dict[str, Any]:
    base = {"image_id": image, "category_id": category, "iscrowd": 0}
    if one.mask is None or not one.mask.any():
        return base | {"bbox": [0, 0, one.width, one.height], "area": 0}
    rows, columns = np.flatnonzero(one.mask.any(1)), np.flatnonzero(one.mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    box = [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
    runs = {"size": [one.height, one.width], "counts": run_lengths(one.mask)}
    return base | {"bbox": box, "area": int(one.mask.sum()), "iscrowd": 1, "segmentation": runs}


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of runs of False and True in turn, False first, down the columns."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *counts] if flat.size and flat[0] else counts
