"""The balance of a range, some thousand visits at a time, so that memory does not grow with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance, Discrepancy
from linewarden_audit.ledger import AuditLedger
from linewarden_history.reading import WrittenAt
from linewarden_history.reports.gather import UnreadableRecords
from linewarden_history.reports.store import VisitStore
from linewarden_history.reports.story import VisitHistory
from linewarden_schemas.base import Message

COUNTS = (
    "visits", "frames", "inspected", "pictures_lost", "not_decidable", "dead_letters", "duplicates", "final", "waiting",
    "in_flight",
)  # fmt: skip
FAULTS = tuple(kind.value for kind in Discrepancy)
_AT_ONCE = 2_000


class Conservation:
    """Balances visits in portions by the rules of `balance`; what a camera numbered is looked at once, at the end.

    `loose` are dead letters that name no visit: they may answer for a frame of any portion. `known` holds
    recipes and line states.
    """

    def __init__(
        self,
        now_ms: int,
        loose: Iterable[Message],
        unreadable: UnreadableRecords,
        allowance: Allowance,
        known: AuditLedger,
    ) -> None:
        self._now_ms, self._allowance, self._unreadable = now_ms, allowance, unreadable
        self._loose = known
        for message in loose:
            self._loose.learn(message)
        self._counts: Counter[str] = Counter(dead_letters=self._loose.dead_letters)
        self._faults: Counter[str] = Counter()
        self._named: dict[str, list[str]] = {name: [] for name in FAULTS}
        self._answered = set(self._loose.dead_sources)
        self._ledger, self._held = self._fresh(), 0

    def add(self, story: VisitHistory) -> None:
        """Enter one visit; it must be whole."""
        places = story.written or [WrittenAt()] * len(story.messages)
        for message, written in zip(story.messages, places, strict=True):
            self._ledger.learn(message, written)
        self._held += 1
        if self._held >= _AT_ONCE:
            self._close()

    def result(self, shelf: VisitStore) -> dict[str, Any]:
        """All portions together: counts, how many ids do not add up, and the first of them by name."""
        self._close()
        self._fault("lost", shelf.gaps())
        self._fault("doubled", shelf.doubled())
        self._fault("unknown", (one for one in self._unreadable.places if one not in self._answered))
        # where those that are not named lie is not known, nor whether a dead letter answers for them
        self._faults["unknown"] += self._unreadable.count - len(self._unreadable.places)
        faults = {name: {"count": self._faults[name], "named": self._named[name]} for name in FAULTS}
        closes = not any(self._faults.values())
        return {"closes": closes, "at_ms": self._now_ms, **{name: self._counts[name] for name in COUNTS}, **faults}

    def _close(self) -> None:
        ledger, self._ledger, self._held = self._ledger, self._fresh(), 0
        ledger.sequences.clear()
        ledger.doubled_sequences.clear()
        found = balance(ledger, self._now_ms, self._allowance)
        self._answered |= ledger.dead_sources & set(self._unreadable.places)
        for name in COUNTS:
            self._counts[name] += getattr(found, name)
        for name in FAULTS:
            self._fault(name, getattr(found, name))

    def _fault(self, name: str, ids: Iterable[str]) -> None:
        for one in ids:
            self._faults[name] += 1
            if len(self._named[name]) < 50:
                self._named[name].append(one)

    def _fresh(self) -> AuditLedger:
        loose = self._loose
        return AuditLedger(
            dead_frames=set(loose.dead_frames),
            recipes=loose.recipes,
            line_states=loose.line_states,
            dead_sources=set(loose.dead_sources),
        )
