"""Balanced sampling: half good, half defective; classes evenly, then groups evenly within a class."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linewarden_train.data.samples import GOOD, Label


def sampling_weights(labels: Sequence[Label], good_share: float = 0.5) -> NDArray[np.float64]:
    """Return probabilities by index; raises ValueError unless both good and defective pictures exist."""
    classes = {label.defect_class for label in labels}
    if GOOD not in classes or len(classes) == 1:
        raise ValueError("training needs good and defective pictures; one of them is missing")
    groups = {kind: {lb.group for lb in labels if lb.defect_class == kind} for kind in classes}
    inside = Counter((label.defect_class, label.group) for label in labels)
    weights = [
        _class_share(label.defect_class, len(classes) - 1, good_share)
        / (len(groups[label.defect_class]) * inside[label.defect_class, label.group])
        for label in labels
    ]
    return np.asarray(np.divide(weights, np.sum(weights)), np.float64)


def _class_share(kind: str, defect_classes: int, good_share: float) -> float:
    return good_share if kind == GOOD else (1 - good_share) / defect_classes
