"""A set in figures, for tables and programs."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from linewarden_train.data.checks import SetReport
from linewarden_train.data.samples import Samples


def counted(samples: Samples) -> list[dict[str, Any]]:
    """Count pictures and groups by class and by side of the set's own split, a row a class, and all of them."""
    sides = sorted({label.split for label in samples.labels} - {""})
    classes = sorted({label.defect_class for label in samples.labels})
    chosen = {kind: [label for label in samples.labels if label.defect_class == kind] for kind in classes}
    rows = []
    for name, labels in [*chosen.items(), ("all", samples.labels)]:
        counts = Counter(label.split for label in labels)
        row = {"class": name, "pictures": len(labels), "groups": len({label.group for label in labels})}
        rows.append(row | {side: counts[side] for side in sides})
    return rows


def described(samples: Samples, report: SetReport, layout: str) -> dict[str, Any]:
    """Return everything about a set as one JSON object."""
    return {
        "layout": layout,
        "pictures": report.pictures,
        "classes": counted(samples),
        "unannotated": report.unannotated,
        "errors": report.errors,
    }


def agreement(samples: Samples, groups: Sequence[str]) -> dict[str, int]:
    """Compare groups found with the set's own: pairs in one group by both, by those found alone, by its own alone.

    Nothing where every picture of the set is a group of its own.
    """
    own = [label.group for label in samples.labels]
    if len(set(own)) == len(own):
        return {}
    both, found, given = (_pairs(keys) for keys in (list(zip(own, groups, strict=True)), groups, own))
    return {
        "groups of the set": len(set(own)),
        "pairs in both": both,
        "pairs found alone": found - both,
        "pairs of the set alone": given - both,
    }


def _pairs(keys: Sequence[object]) -> int:
    return sum(math.comb(count, 2) for count in Counter(keys).values())
