"""Where a shadow stands: figures that are kept up with every batch, and how far it is behind what it reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from linewarden_replay.compare import DifferenceKind
from linewarden_replay.containment import contained, routing_now, routing_then
from linewarden_replay.rerun.judge import JudgedFrame
from linewarden_replay.rerun.results import RerunVisit, Results
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.ports import Consumer
from linewarden_schemas.vocabulary import Routing


@dataclass(frozen=True, slots=True)
class ShadowStanding:
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
        """The figures in one line for people, with a warning where it falls behind."""
        kinds = ", ".join(f"{name} {count}" for name, count in self.by_kind.items() if count) or "nothing"
        lag = "unknown" if self.behind is None else f"{self.behind} frames, {self.behind_s:.1f} s"
        told = (
            f"frames {self.frames}, differing: {kinds}; would hold {self.would_hold} passes, would pass "
            f"{self.would_pass} held; waiting for the live answer {self.waiting}; behind {lag}"
        )
        return f"{told}; FALLS BEHIND" if self.falls_behind else told


class ShadowTally:
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
        return {kind.value: self._kinds[kind.value] for kind in DifferenceKind}

    def enter(self, judged: Sequence[JudgedFrame]) -> None:
        """Count frames that were kept."""
        self.frames += len(judged)
        self._kinds.update(one.difference.kind.value for one in judged if one.difference is not None)
        self.look_at({one.inspection.visit_id for one in judged})

    def look_at(self, visits: Iterable[str]) -> None:
        """Look again at visits of which something is news: a view, or their first routing."""
        for visit_id in visits:
            self._look(self._results.visit(visit_id))

    def _look(self, visit: RerunVisit) -> None:
        if visit.first is None or not visit.now:
            return
        now = routing_now(visit.first, (visit.then | visit.now).values())
        is_held = contained(visit.first, visit.now) is not None
        is_passed = routing_then(visit.first) in {Routing.DIVERTED, Routing.REJECTED} and now is Routing.TRUSTED_PASS
        for found, into in ((is_held, self.would_hold), (is_passed, self.would_pass)):
            (into.add if found else into.discard)(visit.visit_id)


class Lag:
    """Measured on the member's own thread, now and then."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._last = 0
        self.most = 0

    def measure(self, in_hand: int) -> tuple[int | None, bool]:
        """Records that are not done, those in hand among them, and whether they became more since the last measure.

        Both are counted in offsets. None while no partition is assigned or has its start, or no broker answers.
        """
        places = self._consumer.assignment()
        try:
            # A partition without committed offset has no position to be asked for; the next poll gives it one.
            if not places or None in self._consumer.committed(places).values():
                return None, False
            ends = self._consumer.end_offsets(places)
            behind = in_hand + sum(max(0, ends[place] - self._consumer.position(place)) for place in places)
        except BrokerUnavailable:
            return None, False
        grows = behind > max(self._last, 16)  # one batch under way is no lag
        self._last, self.most = behind, max(self.most, behind)
        return behind, grows
