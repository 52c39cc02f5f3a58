"""One camera of a simulated line."""

from __future__ import annotations

from collections.abc import Callable

from linewarden_schemas.capture import Returned
from linewarden_schemas.vocabulary import PartIdSource

from .gallery import Gallery
from .interface import EndOfPictures, PartInfo, Shot, Trigger
from .pace import Pace
from .simulation import LinePlan, PlannedVisit, plan_visit


class LineCamera:
    """Takes view `view` of visits `first` to `visits` - 1, but for those where the plan lets it fail to fire.

    `visit_id` names a visit from its trigger; it is needed to link a part that came back to its visit before.
    """

    def __init__(
        self,
        plan: LinePlan,
        gallery: Gallery,
        pace: Pace,
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
