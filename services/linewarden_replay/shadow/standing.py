"""Where a shadow stands: figures that are kept up with every batch, so that telling them costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from linewarden_replay.compare import Kind
from linewarden_replay.containment import contained
from linewarden_replay.rerun.judge import Judged
from linewarden_replay.rerun.results import Results, Visit
from linewarden_replay.rerun.routing import routing_now, routing_then
from linewarden_schemas.vocabulary import Routing

_HELD = frozenset({Routing.DIVERTED, Routing.REJECTED})


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known so far.

    `would_hold`: trusted passes that the candidate would not pass; `would_pass`: visits that were diverted or rejected
    and that it would pass. `waiting`: frames in hand whose live answer is not there yet. `behind`: frames of the topic
    that are not done, None while the broker does not say; `behind_s`: how old the frame is that was done last.
    """

    frames: int
    by_kind: Mapping[str, int]
    would_hold: int
    would_pass: int
    waiting: int
    behind: int | None
    behind_s: float
    falls_behind: bool

    def line(self) -> str:
        """One line for people."""
        kinds = ", ".join(f"{name} {count}" for name, count in self.by_kind.items() if count) or "nothing"
        lag = "unknown" if self.behind is None else f"{self.behind} frames, {self.behind_s:.1f} s"
        told = (
            f"frames {self.frames}, differing: {kinds}; would hold {self.would_hold} passes, would pass "
            f"{self.would_pass} held; waiting for the live answer {self.waiting}; behind {lag}"
        )
        return f"{told}; FALLS BEHIND" if self.falls_behind else told


class Tally:
    """Counts what the results hold, and what is entered after that; memory grows with the differing visits alone."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self.frames = results.frames
        self._kinds = Counter(results.counts()[0])
        self.would_hold: set[str] = set()
        self.would_pass: set[str] = set()
        for visit in results.visits():
            self._look(visit)

    @property
    def by_kind(self) -> dict[str, int]:
        """Differing frames by kind, the weightiest kind first."""
        return {kind.value: self._kinds[kind.value] for kind in Kind}

    def enter(self, judged: Sequence[Judged]) -> None:
        """Count frames that were kept."""
        self.frames += len(judged)
        self._kinds.update(one.difference.kind.value for one in judged if one.difference is not None)
        self.look_at({one.inspection.visit_id for one in judged})

    def look_at(self, visits: Iterable[str]) -> None:
        """Look again at visits of which something is news: a view, or their first routing."""
        for visit_id in visits:
            self._look(self._results.visit(visit_id))

    def _look(self, visit: Visit) -> None:
        if visit.first is None or not visit.now:
            return
        now = routing_now(visit.first, (visit.then | visit.now).values())
        is_held = contained(visit.first, visit.now) is not None
        is_passed = routing_then(visit.first) in _HELD and now is Routing.TRUSTED_PASS
        for found, into in ((is_held, self.would_hold), (is_passed, self.would_pass)):
            (into.add if found else into.discard)(visit.visit_id)
