"""Whether stages handle what waits for them, by what their groups committed: a dead one, and one that hangs, do not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from linewarden_domain.words import said
from linewarden_line.alarms.alarm_list import Sighting
from linewarden_runtime.errors import RetentionOvertook
from linewarden_runtime.ports import Broker, Closing, Reader
from linewarden_runtime.records import Position
from linewarden_schemas.alarm_vocabulary import AlarmKind
from linewarden_schemas.ids import Namespace

_PROBE_S, _PROBES = 0.5, 20


class StageWatch(Closing):
    """The groups of a line's stages. `limits` are seconds by stage, whose group has its name."""

    def __init__(self, broker: Broker, namespace: Namespace, limits: Mapping[str, float]) -> None:
        self._broker, self._namespace, self._limits = broker, namespace, limits
        self._admin = broker.admin()
        self._reader: Reader | None = None
        self._ends: dict[Position, deque[tuple[int, int]]] = {}
        """When each end was seen first, oldest first: (epoch ms, offset)."""
        self._empty: dict[tuple[str, Position], int] = {}
        """Up to where nothing but marks of transactions lies behind what a group committed."""

    def look(self, now_ms: int) -> Iterator[Sighting]:
        """What has waited for each stage for longer than it may. Raises BrokerUnavailable."""
        told = {stage: self._admin.committed(self._namespace.group(stage)) for stage in self._limits}
        places = sorted({place for committed in told.values() for place in committed})
        if not places:
            return
        self._note(places, now_ms)
        for stage, committed in told.items():
            waits_s = max((self._waits_s(stage, *one, now_ms) for one in committed.items()), default=0.0)
            is_behind = waits_s > self._limits[stage]
            words = said("alarm_behind", seconds=waits_s) if is_behind else None
            yield Sighting(AlarmKind.STAGE_BEHIND, stage, holds=is_behind, said=words)

    def close(self) -> None:
        """Disconnect from the broker; twice is harmless."""
        self._admin.close()
        if self._reader is not None:
            self._reader.close()

    def _note(self, places: list[Position], now_ms: int) -> None:
        if self._reader is None or self._reader.assignment() != frozenset(places):
            if self._reader is not None:
                self._reader.close()
            self._reader = self._broker.reader(dict.fromkeys(places, 0), max_records=1)
        for place, end in self._reader.end_offsets(places).items():
            seen = self._ends.setdefault(place, deque([(now_ms, end)]))
            if end != seen[-1][1]:
                seen.append((now_ms, end))

    def _waits_s(self, stage: str, place: Position, offset: int, now_ms: int) -> float:
        """For how long a record has waited at least; 0 where none does."""
        seen = self._ends[place]
        # Kept for the slowest of the groups that read it.
        while len(seen) > 1_000:
            seen.popleft()
        offset = max(offset, self._empty.get((stage, place), 0))
        since_ms = next((at_ms for at_ms, end in seen if end > offset), None)
        waits_s = 0.0 if since_ms is None else (now_ms - since_ms) / 1000
        if waits_s <= self._limits[stage]:
            return 0.0
        end = seen[-1][1]
        if self._is_read_to_end(place, offset, end):
            self._empty[stage, place] = end
            return 0.0
        return waits_s

    def _is_read_to_end(self, place: Position, offset: int, end: int) -> bool:
        """Whether no record lies there: a transaction's mark takes an offset too, and nobody commits past it.

        False where it cannot be told: rather an alarm too many.
        """
        with self._broker.reader({place: offset}, max_records=1) as reader:
            for _ in range(_PROBES):
                try:
                    if reader.poll(_PROBE_S):
                        return False
                except RetentionOvertook:  # what was waited for is gone already
                    return False
                if reader.position(place) >= end:
                    return True
        return False
