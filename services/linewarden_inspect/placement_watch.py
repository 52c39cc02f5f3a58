"""Whether a camera moved, told apart from a part that was put badly: by how many in a row were not where they may."""

from __future__ import annotations

import math
import threading
from collections import defaultdict

import structlog

from linewarden_inspect import metrics
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import CameraCondition, Undecidable

_UNPLACED = frozenset({Undecidable.PART_NOT_FOUND, Undecidable.PART_MISPLACED})
_log = structlog.get_logger(__name__)


class PlacementWatch:
    """Counts, by camera, the frames in a row whose part was not found, or lay outside the allowed range; thread-safe.

    From `moved_after` of them on the camera counts as moved, until a part is found where it may be. Each of these
    frames diverts its visit by itself; this is the news. Of several workers each sees a share of a camera's frames.
    """

    def __init__(self, moved_after: int) -> None:
        self._moved_after = moved_after
        self._run: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def note(self, inspection: Inspection) -> None:
        """The next answer about a frame; one that says nothing of the part's place changes nothing."""
        if inspection.undecidable not in _UNPLACED and inspection.location is None:
            return
        camera = inspection.camera_id
        with self._lock:
            before = self._run[camera]
            self._run[camera] = 0 if inspection.location is not None else before + 1
            has_moved, had_moved = (run >= self._moved_after for run in (self._run[camera], before))
            metrics.CAMERA_MOVED.labels(camera).set(has_moved)
            if inspection.location is not None:
                metrics.PART_SHIFT.labels(camera).set(
                    math.hypot(inspection.location.shift_x_px, inspection.location.shift_y_px)
                )
        if has_moved and not had_moved:
            _log.error("the camera moved: no part lies where it may", camera=camera, in_a_row=self._moved_after)
        elif had_moved and not has_moved:
            _log.info("parts lie where they may again", camera=camera)

    def ailments(self) -> dict[str, str]:
        """The cameras that moved, with words."""
        with self._lock:
            return {
                f"camera {camera}": f"{CameraCondition.MOVED.value}: of the last {run} pictures none shows its part "
                "where it may lie"
                for camera, run in self._run.items()
                if run >= self._moved_after
            }
