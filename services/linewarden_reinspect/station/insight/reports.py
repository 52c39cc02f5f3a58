"""The report of a shift for the station's page: read from the topics when somebody asks, by the one report there is."""

from __future__ import annotations

import threading
from typing import Any

from linewarden_history.shifts.report import report
from linewarden_history.shifts.tally import Scope
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace

_FRESH_S = 60.0


class ShiftReports:
    """One report at a time: each reads its whole range. The same question within a minute has the same answer."""

    def __init__(self, broker: Broker, namespace: Namespace, clock: Clock) -> None:
        self._broker, self._namespace, self._clock = broker, namespace, clock
        self._lock = threading.Lock()
        self._made: Bounded[tuple[int, int, str, bool], tuple[float, dict[str, Any]]] = Bounded(8)

    def of(self, from_ms: int, to_ms: int, line_id: str, *, simulated: bool) -> dict[str, Any]:
        """The report on a range (epoch ms), of all lines where none is named; of settled visits alone.

        Raises:
            BrokerUnavailable: where the end of a topic cannot be reached.
        """
        key = from_ms, to_ms, line_id, simulated
        with self._lock:
            made_s, document = self._made.get(key, (float("-inf"), {}))
            now_s = self._clock.monotonic()
            if now_s - made_s > _FRESH_S:
                scope = Scope(simulated=simulated, settled_only=True)
                wanted = {"from_ms": from_ms, "to_ms": to_ms, "line_id": line_id or None}
                document = report(self._broker, self._namespace, scope, **wanted)  # type: ignore[arg-type]
                self._made[key] = (now_s, document)
            return document
