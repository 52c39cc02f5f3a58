"""Pictures of simulated parts, encoded; kept in a folder that the camera processes share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .interface import EncodedPicture
from .pictures import Encoding, encode
from .simulation import LinePlan, PlannedVisit, draw_view, plan_visit


class Gallery:
    """Draws a view of a part once and keeps it. Without a folder every call draws.

    Several processes may use one folder: files appear whole, and equal plans write equal bytes.
    """

    def __init__(self, plan: LinePlan, encoding: Encoding, folder: Path | None) -> None:
        self._plan, self._encoding, self._folder = plan, encoding, folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def picture(self, visit: PlannedVisit, view: int) -> EncodedPicture:
        """View `view` (from 0) of a visit's part."""
        kept = self._path(visit, view)
        if kept is not None and kept.exists():
            return self._wrap(kept.read_bytes())
        return self._draw(visit, view)

    def prepare(self, visits: int, stop: Callable[[], bool] = lambda: False) -> int:
        """Draw what the first `visits` visits show and is not kept yet; how many parts were drawn."""
        drawn = 0
        for visit in (plan_visit(self._plan, number) for number in range(visits)):
            kept = self._path(visit, self._plan.views - 1)
            if stop() or kept is None:
                break
            if not kept.exists():
                for view in range(self._plan.views):
                    self._draw(visit, view)
                drawn += 1
        return drawn

    def _draw(self, visit: PlannedVisit, view: int) -> EncodedPicture:
        picture = encode(draw_view(self._plan, visit, view).picture, self._encoding)
        path = self._path(visit, view)
        if path is not None:
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_bytes(picture.data)
            temporary.replace(path)
        return picture

    def _path(self, visit: PlannedVisit, view: int) -> Path | None:
        if self._folder is None:
            return None
        plan = self._plan
        state = "ng" if visit.defective else "ok"
        name = f"{visit.part_seed}-{state}-{plan.size}-{plan.difficulty:g}-{view}.{self._encoding.format}"
        return self._folder / name

    def _wrap(self, data: bytes) -> EncodedPicture:
        return EncodedPicture(data, "image/png" if self._encoding.format == "png" else "image/jpeg")
