"""The memory of one partition: its visits, their timers and the cameras' progress.

Final visits are most of it, and are seldom touched again before they are forgotten. They are kept as the bytes
of their record, compressed, and read back only when something comes for them.
"""

from __future__ import annotations

import heapq
import zlib
from dataclasses import dataclass
from typing import Self

from linewarden_route.positions import MOST, Positions
from linewarden_route.visit import next_due_ms
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot


class DamagedState(ValueError):
    """The state of a final visit that cannot be read back, or is another's."""


@dataclass(frozen=True, slots=True)
class Dormant:
    """A final visit as the value of its record, compressed, and when it has to be looked at (epoch ms)."""

    packed: bytes
    due_ms: int

    @classmethod
    def of(cls, value: bytes, due_ms: int) -> Self:
        """Pack the value of a record without reading it."""
        # The fastest level: every visit is packed, and few are read back before they are forgotten.
        return cls(zlib.compress(value, level=1), due_ms)

    def visit(self, visit_id: str) -> VisitSnapshot:
        """Read the visit back; raises DamagedState."""
        try:
            visit = VisitSnapshot.from_json(zlib.decompress(self.packed))
        except ValueError as error:
            raise DamagedState(f"the state of visit {visit_id} cannot be read: {error}") from error
        if visit.visit_id != visit_id or not visit.final:
            raise DamagedState(f"the state of visit {visit_id} is that of {visit.visit_id}, or not final")
        return visit


class Visits:
    """What a partition's owner knows. It changes only by what was committed, so it always equals `route-state`."""

    def __init__(self) -> None:
        self._open: dict[str, VisitSnapshot] = {}
        self._dormant: dict[str, Dormant] = {}
        self._timers: list[tuple[int, str]] = []
        self.cameras: dict[str, CameraProgress] = {}
        self.positions = Positions()

    def get(self, visit_id: str) -> VisitSnapshot | None:
        """The visit; None if it is unknown or forgotten. Raises DamagedState."""
        dormant = self._dormant.get(visit_id)
        return self._open.get(visit_id) if dormant is None else dormant.visit(visit_id)

    def put(self, visit_id: str, visit: VisitSnapshot | None) -> None:
        """Remember a visit as it is now; None forgets it."""
        if visit is None:
            self.forget(visit_id)
        elif visit.final and (due_ms := next_due_ms(visit)) is not None:
            self.put_dormant(visit_id, Dormant.of(visit.to_json(), due_ms))
        else:
            self._dormant.pop(visit_id, None)
            self._open[visit_id] = visit
            self._set_timer(visit_id, next_due_ms(visit))

    def put_dormant(self, visit_id: str, dormant: Dormant) -> None:
        """Remember a final visit without reading it."""
        self._open.pop(visit_id, None)
        self._dormant[visit_id] = dormant
        self._set_timer(visit_id, dormant.due_ms)

    def forget(self, visit_id: str) -> None:
        """Forget a visit, open or dormant; one that is not known is no error."""
        self._open.pop(visit_id, None)
        self._dormant.pop(visit_id, None)

    def newest(self) -> list[VisitSnapshot]:
        """The newest visits that were routed, oldest first, as many as are drawn from. Raises DamagedState."""
        final = [one.visit(name) for name, one in list(self._dormant.items())[-MOST:]]
        return [*final, *(visit for visit in self._open.values() if visit.revision >= 0)]

    def __contains__(self, visit_id: str) -> bool:
        return visit_id in self._open or visit_id in self._dormant

    def is_open(self, visit_id: str) -> bool:
        """Whether the visit is known and not final."""
        return visit_id in self._open

    def open_ids(self) -> tuple[str, ...]:
        """Visits that are not final."""
        return tuple(self._open)

    def revision(self, visit_id: str) -> int:
        """The visit's present revision; -1 while it has none."""
        visit = self.get(visit_id)
        return -1 if visit is None else visit.revision

    def next_due_ms(self) -> int | None:
        """When the earliest timer runs out (epoch ms)."""
        # A timer is not taken out where its visit changes; one that is not the present one is dropped here.
        while self._timers and self._due_ms(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Visits whose timer has run out, earliest first, at most `limit`; their timers stay until `put`."""
        found: list[tuple[int, str]] = []
        while len(found) < limit and (due_ms := self.next_due_ms()) is not None and due_ms <= now_ms:
            entry = heapq.heappop(self._timers)
            # The same timer may have been set twice; equal ones come out of the heap one behind the other.
            if entry not in found[-1:]:
                found.append(entry)
        for entry in found:
            heapq.heappush(self._timers, entry)
        return [visit_id for _, visit_id in found]

    @property
    def open_count(self) -> int:
        """Visits that are not final."""
        return len(self._open)

    @property
    def dormant_count(self) -> int:
        """Final visits that are remembered."""
        return len(self._dormant)

    def _due_ms(self, visit_id: str) -> int | None:
        dormant = self._dormant.get(visit_id)
        if dormant is not None:
            return dormant.due_ms
        visit = self._open.get(visit_id)
        return None if visit is None else next_due_ms(visit)

    def _set_timer(self, visit_id: str, due_ms: int | None) -> None:
        if due_ms is not None:
            heapq.heappush(self._timers, (due_ms, visit_id))
