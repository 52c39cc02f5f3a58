"""Results in their order, each told only when its part's routing is known: the worst of its pictures."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from linewarden_domain.routing import worst
from linewarden_schemas.vocabulary import Routing

from .results import Result


class PartsInOrder:
    """Holds results back until their part is complete; `tell` gets each with its part's routing, in order."""

    def __init__(self, part_ids: Iterable[str], tell: Callable[[Result, Routing], None]) -> None:
        self._left = Counter(part_ids)
        self._tell = tell
        self._waiting: deque[Result] = deque()
        self.routings: dict[str, Routing] = {}

    def add(self, result: Result) -> None:
        """Take the next picture's result; tells those whose part is complete, in the order in which pictures came."""
        before = self.routings.get(result.part_id, result.routing)
        self.routings[result.part_id] = worst((before, result.routing))
        self._left[result.part_id] -= 1
        self._waiting.append(result)
        while self._waiting and self._left[self._waiting[0].part_id] == 0:
            told = self._waiting.popleft()
            self._tell(told, self.routings[told.part_id])
