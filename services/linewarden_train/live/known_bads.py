"""Seeded known-bads: which labelled defects to slip into a station's queue."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from linewarden_train.data.samples import Label


def choose_known_bads(
    labels: Sequence[Label], count: int, rng: np.random.Generator, *, recent: Collection[str] = ()
) -> list[int]:
    """Choose indices of defective pictures, classes in turn, one a group and none of the ``recent`` groups.

    A class that runs out leaves its turns to the others, so that fewer than ``count`` come back only where fewer
    groups are left. People remember pictures: pass what was shown lately as ``recent``.
    """
    by_class: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, label in enumerate(labels):
        if label.defective and label.group not in recent:
            by_class[label.defect_class][label.group].append(index)
    queues = {
        name: [groups[group] for group in (sorted(groups)[place] for place in rng.permutation(len(groups)))]
        for name, groups in sorted(by_class.items())
    }
    chosen: list[int] = []
    used: set[str] = set()
    while len(chosen) < count and any(queues.values()):
        for queue in queues.values():
            fresh = _next(queue, labels, used)
            if fresh and len(chosen) < count:
                chosen.append(fresh[int(rng.integers(len(fresh)))])
                used.add(labels[fresh[0]].group)
    return chosen


def _next(queue: list[list[int]], labels: Sequence[Label], used: Collection[str]) -> list[int]:
    """Take groups off the queue until one is fresh: a group of two classes is shown once."""
    while queue:
        members = queue.pop()
        if labels[members[0]].group not in used:
            return members
    return []
