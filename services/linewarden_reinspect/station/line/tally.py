"""What a line made, counted by five minutes and shift from its dispositions. Pure.

A visit that waits for a person counts as withheld alone, whatever the machine said of it: nobody who reviews can tell
from a count that moves what is thought of a part. Only production counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from linewarden_reinspect.station.line.parts import PartStanding, standing_of
from linewarden_runtime.bounded import Bounded
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Cause, LineMode

BUCKET_MS = 300_000
KEPT_MS = 24 * 3_600_000
_REMEMBERED = 20_000
"""Settled visits whose count can still be moved by a later revision; of open ones each."""

_Place = tuple[str, int]
"""Shift and beginning of a bucket (epoch ms)."""
_Count = tuple[int, _Place, tuple[str, ...]]
"""The revision by which a visit was counted, where, and as what."""


@dataclass(frozen=True, slots=True)
class YieldPoint:
    """Parts that left as good (`ok`) among the settled ones (`n`) captured from `at_ms` on."""

    at_ms: int
    ok: int
    n: int


@dataclass(slots=True)
class LineTally:
    """Counts of one line: `made`, `ok`, `ng`, `withheld` (waits now), `reviewed` (did), `late`, `simulated`."""

    _buckets: dict[_Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _open: dict[str, _Count] = field(default_factory=dict)
    _settled: Bounded[str, _Count] = field(default_factory=lambda: Bounded(_REMEMBERED))

    def learn(self, one: Disposition) -> None:
        """Count a visit by its newest revision; an older one, or one that comes twice, changes nothing."""
        known = self._open.get(one.visit_id) or self._settled.get(one.visit_id)
        state = one.line_state
        if state is None or state.mode is not LineMode.PRODUCTION or (known is not None and known[0] >= one.revision):
            return
        place = (state.shift or "", one.first_captured_ms // BUCKET_MS * BUCKET_MS)
        if known is not None:
            self._buckets[known[1]].subtract(known[2])
            self._open.pop(one.visit_id, None)
            self._settled.pop(one.visit_id, None)
        words = _words(one)
        self._buckets[place].update(words)
        (self._settled if one.final else self._open)[one.visit_id] = (one.revision, place, words)

    def forget_before(self, at_ms: int) -> None:
        """Give up what is older than a day before a time (epoch ms)."""
        for place in [one for one in self._buckets if one[1] < at_ms - KEPT_MS]:
            del self._buckets[place]

    def counts(self, shift: str, from_ms: int) -> Counter[str]:
        """Counts of a shift from a time on, to the five minutes."""
        total: Counter[str] = Counter()
        for place, counts in self._buckets.items():
            if _is_of(place, shift, from_ms):
                total.update(counts)
        return total

    def trend(self, shift: str, from_ms: int, step: int = 3) -> list[YieldPoint]:
        """Yield over the shift, by stretches of so many times five minutes, oldest first."""
        points: dict[int, Counter[str]] = defaultdict(Counter)
        for place, counts in self._buckets.items():
            if _is_of(place, shift, from_ms):
                length = step * BUCKET_MS
                points[place[1] // length * length].update(counts)
        return [YieldPoint(at, one["ok"], one["ok"] + one["ng"]) for at, one in sorted(points.items())]


def _is_of(place: _Place, shift: str, from_ms: int) -> bool:
    return place[0] == shift and place[1] >= from_ms // BUCKET_MS * BUCKET_MS


def _words(one: Disposition) -> tuple[str, ...]:
    standing = standing_of(one)
    simulated = ("simulated",) if one.is_simulated else ()
    if standing is PartStanding.WITHHELD:
        return ("made", "withheld", *simulated)
    if Cause.KNOWN_BAD in one.causes:
        return ()  # a picture that measures people, and no part; told when it is over
    reviewed = ("reviewed",) if one.revision > 0 else ()  # only what was withheld, or came back, is revised
    late = ("late",) if Cause.LATE in one.causes else ()
    return ("made", standing.value, *reviewed, *late, *simulated)
