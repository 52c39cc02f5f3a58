"""Pictures lost, counted by cause; the heartbeat tells the sums."""

from __future__ import annotations

import threading
from collections import Counter

from linewarden_schemas.vocabulary import Loss

from .metrics import LOST


class Losses:
    """Counts of one camera since its process began; may be shared between threads."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, cause: Loss, count: int = 1) -> None:
        """Count pictures that are lost, here and in the metrics; safe from any thread."""
        with self._lock:
            self._counts[cause.value] += count
        LOST.labels(camera=self._camera_id, cause=cause.value).inc(count)

    def by_cause(self) -> dict[str, int]:
        """A copy of the counts since the process began, by the value of the `Loss`; those that are 0 are left out."""
        with self._lock:
            return dict(self._counts)
