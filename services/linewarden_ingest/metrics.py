"""Every Prometheus metric of ingest, with unit and meaning, and the losses that the heartbeat tells too."""

from __future__ import annotations

import threading
from collections import Counter as Counts

from prometheus_client import Counter, Gauge

from linewarden_schemas.vocabulary import Loss

TAKEN = Counter("linewarden_ingest_taken_total", "Captures spooled, with or without a picture.", ["camera"])
TAKEN_BYTES = Counter("linewarden_ingest_taken_bytes_total", "Bytes of pictures spooled.", ["camera"])
PUBLISHED = Counter(
    "linewarden_ingest_published_total", "Captures acknowledged together with their frames.", ["camera"]
)
LOST = Counter("linewarden_ingest_lost_total", "Pictures lost, by cause; their captures divert.", ["camera", "cause"])
GAPS = Counter(
    "linewarden_ingest_gap_sequences_total",
    "Sequences of which nothing could be read from the spool.",
    ["camera"],
)
TORN_BYTES = Counter(
    "linewarden_ingest_torn_bytes_total", "Bytes cut off the spool's torn end when it was opened.", ["camera"]
)
REFUSED = Counter(
    "linewarden_ingest_refused_total",
    "Shots not taken because ingest stopped while its spool was full.",
    ["camera"],
)
HOLDS = Counter("linewarden_ingest_holds_total", "Times the line was held because the spool was full.", ["camera"])
UNFREED = Counter(
    "linewarden_ingest_spool_unfreed_total",
    "Times a segment of the spool whose records are all acknowledged could not be removed; it is tried again.",
    ["camera"],
)
SPOOL_SHARE = Gauge(
    "linewarden_ingest_spool_used_share",
    "Bytes kept for records not acknowledged, as a share of the capacity.",
    ["camera"],
    multiprocess_mode="livemostrecent",
)
SPOOL_LEVEL = Gauge(
    "linewarden_ingest_spool_level",
    "0 normal, 1 warn, 2 slow the line down, 3 hold the line.",
    ["camera"],
    multiprocess_mode="livemostrecent",
)
CLOCK_HELD = Gauge(
    "linewarden_ingest_clock_held",
    "1 while the line is held because the node's clock is wrong by more than the recipe's max_skew.",
    ["camera"],
    multiprocess_mode="livemostrecent",
)
UNPINNED = Counter(
    "linewarden_ingest_unknown_recipe_total",
    "Captures under an active recipe version that was never published, or with more than one content.",
    ["line"],
)
DOUBTFUL = Counter(
    "linewarden_ingest_doubtful_pins_total",
    "Captures whose recipe and line state may not be those in force; their visits divert.",
    ["line"],
)
BOOK_FAILURES = Counter(
    "linewarden_ingest_book_failures_total", "Refreshes of recipes and line state that failed.", ["line"]
)
CONDITIONS = Counter(
    "linewarden_ingest_conditions_total",
    "Captures taken under a condition of their camera, by condition; their visits divert.",
    ["camera", "condition"],
)
CONDITION = Gauge(
    "linewarden_ingest_camera_condition",
    "1 while a camera is under a condition: its last picture was, or none came in time.",
    ["camera", "condition"],
    multiprocess_mode="livemostrecent",
)
LAST_READ_SECONDS = Gauge(
    "linewarden_ingest_camera_last_read_seconds",
    "When the camera's last read came back, with a picture or without, in seconds since 1970.",
    ["camera"],
    multiprocess_mode="livemostrecent",
)
CAMERA_RESTARTS = Counter(
    "linewarden_ingest_camera_restarts_total",
    "Camera processes that died and were started again.",
    ["camera"],
)
CAMERA_UP = Gauge(
    "linewarden_ingest_camera_up",
    "1 while a camera's process runs, 0 while it is dead.",
    ["camera"],
    multiprocess_mode="livemostrecent",
)


class Losses:
    """Counts of one camera since its process began; may be shared between threads."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._counts: Counts[str] = Counts()
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
