"""One camera of a simulated line, and its pictures in a folder that the camera processes share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from linewarden_ingest.cameras.interface import EncodedPicture, EndOfPictures, PartInfo, Shot, Trigger
from linewarden_ingest.cameras.options import CameraOptions, CameraRun, FramePacer
from linewarden_ingest.cameras.pictures import Encoding, encode
from linewarden_ingest.cameras.simulation import LinePlan, PlannedVisit, draw_view, plan_visit
from linewarden_ingest.captures import visit_id
from linewarden_schemas.capture import Returned
from linewarden_schemas.vocabulary import PartIdSource


class LineOptions(CameraOptions):
    """One camera of the simulated line; all of a station share everything but camera, view and `view`."""

    kind: Literal["line"] = "line"
    view: int = Field(0, ge=0)
    visits: int = Field(100, ge=1)
    seed: int = 1
    views: int = Field(3, ge=1)
    size: int = Field(160, ge=64)
    defect_rate: float = Field(0.1, ge=0, le=1)
    difficulty: float = Field(0.5, ge=0, le=1)
    missing_share: float = Field(0.005, ge=0, le=1)
    rework_share: float = Field(0.5, ge=0, le=1)
    return_share: float = Field(0.02, ge=0, le=1)
    repaired_share: float = Field(0.8, ge=0, le=1)
    unauthorised_share: float = Field(0.1, ge=0, le=1)
    return_after: int = Field(25, ge=1)
    pool: int | None = Field(None, ge=1)
    whole_before: int = Field(0, ge=0)
    opens_with: tuple[int, ...] = ()
    gallery: Path | None = None
    rate_per_s: float | None = Field(2.0, gt=0)

    @model_validator(mode="after")
    def _view_exists(self) -> Self:
        if self.view >= self.views:
            raise ValueError(f"view {self.view} of a part with {self.views} views (they count from 0)")
        return self

    @property
    def is_live(self) -> bool:
        """Never: parts of a bounded pool come again."""
        return False

    @property
    def brings_visits(self) -> bool:
        """Always: the plan tells the visit of each shot."""
        return True

    @property
    def begins_anew(self) -> bool:
        """Its visits are named by the run."""
        return True

    @property
    def sends_apart(self) -> bool:
        """Never: its pictures are small, and a process of its own would cost more than it saves."""
        return False

    def prepare(self, is_stopped: Callable[[], bool]) -> None:
        """Draw the pictures of a bounded pool, which the first view's camera does for the whole station."""
        if self.pool is not None and self.gallery is not None and self.view == 0:
            self._pictures().prepare(self.visits, is_stopped)

    def open(self, run: CameraRun) -> LineCamera:
        """Its view of the line, at the run's time: what was missed comes at once."""
        return LineCamera(
            self._plan(),
            self._pictures(),
            FramePacer(run.clock, run.stop, run.start_ms, self.rate_per_s),
            lambda trigger: visit_id(run.place, trigger),
            view=self.view,
            visits=self.visits,
            first=run.first,
        )

    def _plan(self) -> LinePlan:
        return LinePlan(**{field.name: getattr(self, field.name) for field in fields(LinePlan)})

    def _pictures(self) -> Gallery:
        return Gallery(self._plan(), self.raw_encoding, self.gallery)


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
            return EncodedPicture(kept.read_bytes(), self._encoding.content_type)
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


class LineCamera:
    """Takes view `view` of visits `first` to `visits` - 1, but for those where the plan lets it fail to fire.

    `visit_id` names a visit from its trigger; it is needed to link a part that came back to its visit before.
    """

    def __init__(
        self,
        plan: LinePlan,
        gallery: Gallery,
        pace: FramePacer,
        visit_id: Callable[[Trigger], str],
        *,
        view: int,
        visits: int,
        first: int = 0,
    ) -> None:
        self._plan, self._gallery, self._pace, self._visit_id = plan, gallery, pace, visit_id
        self._view, self._visits, self._number = view, visits, first

    def poll(self, timeout_s: float) -> Shot | None:
        """The next visit's view when it is due."""
        if self._number >= self._visits:
            raise EndOfPictures
        if not self._pace.reached(self._number, timeout_s):
            return None
        visit = plan_visit(self._plan, self._number)
        self._number += 1
        return None if visit.missing_view == self._view else self._shot(visit)

    def close(self) -> None:
        """Does nothing: a simulated camera holds no device."""

    def _shot(self, visit: PlannedVisit) -> Shot:
        return Shot(
            index=visit.number,
            captured_ms=self._pace.clock.now_ms(),
            picture=self._gallery.picture(visit, self._view),
            trigger=self._trigger(visit.number),
            part=PartInfo(
                part_id=visit.part_id,
                part_id_source=PartIdSource.TRACKED,
                returned=self._returned(visit),
            ),
            is_simulated=True,
        )

    def _trigger(self, number: int) -> Trigger:
        return Trigger(number, self._pace.due_ms(number))

    def _returned(self, visit: PlannedVisit) -> Returned | None:
        if visit.previous is None:
            return None
        before = self._visit_id(self._trigger(visit.previous))
        return Returned(previous_visit_id=before, authority=visit.authority)
