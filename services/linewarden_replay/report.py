"""What a replay or a shadow found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from linewarden_replay.compare import Difference, DifferenceCause, DifferenceKind
from linewarden_replay.containment import Contained, contained, in_order, routing_now, routing_then
from linewarden_replay.rerun.results import Results
from linewarden_schemas.vocabulary import Routing

MOST_LISTED = 10_000
"""Differences that a report lists, weightiest first; all are counted, and all lie in the results file."""


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A visit that its views would route in another way now."""

    visit_id: str
    lot_id: str | None
    part_id: str | None
    then: Routing
    now: Routing
    causes: tuple[DifferenceCause, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was gone through.

    `resumed`: frames that an earlier, interrupted run had answered. `unreadable`: frame records whose headers cannot
    be read; they have no inspection either. `pinned_otherwise`: frames whose recipe is not the one that was active on
    their line when they were captured. `partial`: visits with a view that could not be inspected again, for which the
    answer of then counts. `unrouted`: visits without a first routing.
    """

    frames: int = 0
    resumed: int = 0
    unreadable: int = 0
    pinned_otherwise: int = 0
    partial: int = 0
    unrouted: int = 0


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Differences between what was recorded and what is said now; `bundle` and `recipe` where others were tried.

    `by_kind`, `by_cause` and `by_routing` count all; a difference with two causes counts as `bundle+recipe`.
    `largest_deviation` is over the frames decided both times. `containment`: trusted passes that would not pass now.
    """

    namespace: str
    bundle: str | None
    recipe: str | None
    counts: Counts
    by_kind: Mapping[str, int]
    by_cause: Mapping[str, int]
    by_routing: Mapping[str, int]
    largest_deviation: float
    differences: tuple[Difference, ...]
    rerouted: tuple[Rerouted, ...]
    containment: tuple[Contained, ...]

    @property
    def frames(self) -> int:
        """How many frames were answered, in this run or one before."""
        return self.counts.frames

    @property
    def differing(self) -> int:
        """How many of them are answered differently, listed or not."""
        return sum(self.by_kind.values())

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: always of a simulation."""
        told = asdict(self)
        return {"is_simulated": True, **told.pop("counts"), **told, "differing": self.differing}


def report_of(
    results: Results,
    namespace: str,
    bundle: str | None = None,
    recipe: str | None = None,
    unreadable: int = 0,
    pinned_otherwise: int = 0,
) -> ReplayReport:
    """The report of what lies in the results."""
    kinds, causes, apart = results.counts()
    partial = unrouted = 0
    ways: Counter[str] = Counter()
    rerouted: list[Rerouted] = []
    held: list[Contained] = []
    for visit in results.visits():
        partial += bool(visit.then.keys() - visit.now.keys())
        first = visit.first
        if first is None:
            unrouted += 1
            continue
        found = contained(first, visit.now)
        if found is not None:
            held.append(found)
        before, after = routing_then(first), routing_now(first, (visit.then | visit.now).values())
        if before is not None and before is not after:
            ways[f"{before.value} -> {after.value}"] += 1
            if len(rerouted) < MOST_LISTED:
                rerouted.append(Rerouted(visit.visit_id, first.lot_id, first.part_id, before, after, visit.causes))
    counts = Counts(results.frames, results.resumed, unreadable, pinned_otherwise, partial, unrouted)
    return ReplayReport(
        namespace=namespace,
        bundle=bundle,
        recipe=recipe,
        counts=counts,
        by_kind={kind.value: kinds.get(kind.value, 0) for kind in DifferenceKind},
        by_cause=dict(sorted(causes.items())),
        by_routing=dict(sorted(ways.items())),
        largest_deviation=apart,
        differences=tuple(results.differences(MOST_LISTED)),
        rerouted=tuple(rerouted),
        containment=in_order(held),
    )
