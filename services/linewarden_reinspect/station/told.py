"""Who was told what the machine thinks of which visit: whoever knows cannot judge it blind a second time."""

from __future__ import annotations

from collections import OrderedDict

_REMEMBERED = 50_000


class Told:
    """Pairs of person and visit, the newest ones; lost with the process."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._pairs: OrderedDict[tuple[str, str], None] = OrderedDict()

    def remember(self, actor: str, visit_id: str) -> None:
        """From now on this person knows."""
        self._pairs[actor, visit_id] = None
        while len(self._pairs) > self._most:
            self._pairs.popitem(last=False)

    def knows(self, actor: str, visit_id: str) -> bool:
        """Whether this person was told."""
        return (actor, visit_id) in self._pairs
