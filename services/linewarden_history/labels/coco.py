"""Labels as COCO: one annotation for each drawn mask, uncompressed run lengths, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewarden_history.labels.choosing import FrameLabel


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A labelled picture: its file, its size, and its mask (H, W) where somebody drew one."""

    label: FrameLabel
    file_name: str
    height: int
    width: int
    mask: NDArray[np.bool_] | None
    side: str


def as_coco(drawn: Sequence[LabelledPicture]) -> dict[str, Any]:
    """Return the document; each image names its `split`.

    A defective picture that nobody marked is a crowd all over: somewhere in it is a defect, and tools of the format
    count no prediction in it as right or wrong.
    """
    names = sorted({one.label.defect_class for one in drawn if one.label.defect_class is not None})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    images = [
        {"id": number, "file_name": one.file_name, "width": one.width, "height": one.height, "split": one.side}
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


def _annotation(one: LabelledPicture, image: int, category: int) -> dict[str, Any]:
    is_drawn = one.mask is not None and bool(one.mask.any())
    mask = one.mask if one.mask is not None and is_drawn else np.ones((one.height, one.width), np.bool_)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return {
        "image_id": image,
        "category_id": category,
        "iscrowd": int(not is_drawn),
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "area": int(mask.sum()),
        "segmentation": {"size": [one.height, one.width], "counts": run_lengths(mask)},
    }


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of runs of False and True in turn, False first, down the columns."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *counts] if flat.size and flat[0] else counts
