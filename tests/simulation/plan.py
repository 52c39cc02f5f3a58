"""What a history is made of: visits, and faults at their times; drawn from its seed, and small enough to shrink."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

VIEWS = ("top", "side")
ACTIVE_S = 40.0
"""Faults happen until then; visits begin a little before."""
SHORT_S = 10.0
FAULTS = (30, 190)
"""How many a history has at least, and fewer than."""
GOES_ON = 0.35
"""The share of histories that are looked at until everything is forgotten."""
WEIGHTS = {"failed init": 1.3, "newer enum": 1.4}
"""How much oftener those are drawn that do not happen each time, or only later."""


class Truth(StrEnum):
    """What the bundle says of a picture, or what becomes of it."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    NG = "ng"
    UNUSABLE = "unusable"
    NO_PICTURE = "no picture"


PROCESSES = ("camera-top", "camera-side", "inspect", "route-0", "route-1", "keeper", "projector", "station")
CLOCKS = (*PROCESSES, "broker")
SENDERS = ("camera-top", "camera-side", "keeper", "station")
DELETED = ("frames", "captures", "inspections", "dispositions", "decisions", "dead-letters", "queue-events")
COMPACTED = ("route-state", "reinspections", "evidence", "recipes")

ORDERED = {
    "failed init": ("route-0", "route-1", "inspect"),
    "lost send": (*SENDERS, "route-0", "route-1", "inspect"),
    "lost answer": SENDERS,
    "duplicate": SENDERS,
    "delay": SENDERS,
    "lost commit": ("keeper", "route-0", "route-1", "inspect"),
    "doubled commit": ("keeper", "route-0", "route-1", "inspect"),
    "delayed commit": ("keeper",),
    "torn transaction": ("route-0", "route-1", "inspect"),
    "markers apart": ("route-0", "route-1", "inspect"),
    "open transaction": ("route-0", "route-1", "inspect"),
    "forgotten transaction": ("route-0", "route-1", "inspect"),
    "pending offsets": ("route-0", "route-1", "inspect"),
    "slow commit": ("route-0", "route-1", "inspect"),
    "late answer": ("route-0", "route-1", "inspect"),
    "redis answer lost": ("projector", "station"),
    "newer enum": ("camera-top", "camera-side", "inspect", "station"),
}
"""Faults of a call, with the processes whose next call of that kind they may meet."""

TAKEN_SO = (
    "camera dark", "camera frozen", "camera torn", "camera slow", "camera moved", "part misplaced", "part gone"
)  # fmt: skip
"""What is wrong with the next picture that a camera takes, or with the part before it; its visit must never pass."""
PICTURES = (0, 6)
"""How many of these a history has at least, and fewer than."""
LINE_STATES = ("line stopped", "line locked")
"""States in which nothing may pass; each is over some seconds later."""
STATES = (0, 4)
"""How many of these a history has at least, and fewer than."""
ON_PROCESS = ("crash", "freeze", "cut off", "take-over", "new version", "old version")
ON_CAMERA = ("restart of ingest", "crash in disk work", "power cut", "full disk", "short writes", "sync fails")
ON_GROUP = ("eviction", "rebalance")
ON_LOG = (*(f"compaction of {topic}" for topic in COMPACTED), *(f"deletion of {topic}" for topic in DELETED))
ON_CLOCK = ("clock step", "clock error", "broker's clock step")
ON_REDIS = ("loss of a redis key", "loss of redis", "redis rolled back", "redis away")
ON_RECIPES = ("new recipe", "two contents of a recipe")
AFTERWARDS = ("tombstones taken",)
"""Of which none is planned: they happen when there is nothing left to do."""
LINE_KINDS = (*ORDERED, *ON_PROCESS, *ON_CAMERA, *ON_GROUP, *ON_LOG, *ON_CLOCK, *ON_REDIS, *ON_RECIPES)
KINDS = (*LINE_KINDS, *TAKEN_SO, *LINE_STATES)
ALL_KINDS = (*KINDS, *AFTERWARDS)
LEAST = 1_000
"""How often each kind of `LINE_KINDS`, and each afterwards, has to happen in a million steps."""
LEAST_APART = 100
"""How often each of pictures and states has to: they make passes rare, and there are fewer of them."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One part before all cameras at `at_s`."""

    number: int
    at_s: float
    truths: tuple[Truth, ...]


@dataclass(frozen=True, slots=True)
class FaultAt:
    """One fault; `salt` seeds what is left to chance in it, so that it stays the same when others are dropped."""

    at_s: float
    kind: str
    salt: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A history before it happens."""

    seed: int
    visits: tuple[Visit, ...]
    faults: tuple[FaultAt, ...]
    review: dict[str, Any] = field(default_factory=dict)
    is_short: bool = False
    goes_on: bool = False
    """Whether what follows is looked at until everything is forgotten."""

    @property
    def active_s(self) -> float:
        """How long visits and faults happen."""
        return SHORT_S if self.is_short else ACTIVE_S


def draw(seed: int, only: tuple[str, ...] | None = None, *, is_short: bool = False) -> Plan:
    """The plan of a seed; `only` restricts its faults to some kinds. A short one has few visits and few seconds."""
    chance = random.Random(f"plan {seed}")
    active_s = SHORT_S if is_short else ACTIVE_S
    count = chance.randrange(2, 5) if is_short else chance.randrange(4, 17)
    times = sorted(chance.uniform(1.0, active_s - 4.0) for _ in range(count))
    visits = tuple(Visit(number, round(at, 3), _truths(chance)) for number, at in enumerate(times, 1))
    kinds = LINE_KINDS if only is None else tuple(kind for kind in only if kind in LINE_KINDS)
    most = (2, 12) if is_short else FAULTS
    weights = [WEIGHTS.get(kind, 1.0) for kind in kinds]
    chosen = chance.choices(kinds, weights, k=chance.randrange(*most)) if kinds else []
    faults = [FaultAt(round(chance.uniform(0.5, active_s), 3), kind, chance.randrange(1 << 30)) for kind in chosen]
    faults += _apart("pictures", seed, TAKEN_SO, PICTURES, only, active_s)
    faults += _apart("states", seed, LINE_STATES, STATES, only, active_s)
    review = {
        "reviews_required": chance.choice((1, 1, 1, 2)),
        "audit_share_of_passes": chance.choice((0.0, 0.0, 0.3)),
        "reject_review_share": chance.choice((0.0, 0.0, 0.5)),
        "evidence_keep_ms": chance.choice((8_000, 60_000)),
    }
    goes_on = not is_short and chance.random() < GOES_ON
    return Plan(seed, visits, tuple(sorted(faults, key=lambda one: one.at_s)), review, is_short, goes_on)


def _apart(
    what: str, seed: int, kinds: tuple[str, ...], counts: tuple[int, int], only: tuple[str, ...] | None, active_s: float
) -> list[FaultAt]:
    """Faults by a chance of their own: everything else of a seed stays as it is."""
    chance = random.Random(f"{what} {seed}")
    chosen = kinds if only is None else tuple(kind for kind in only if kind in kinds)
    count = chance.randrange(*counts) if chosen else 0
    return [
        FaultAt(round(chance.uniform(0.5, active_s), 3), chance.choice(chosen), chance.randrange(1 << 30))
        for _ in range(count)
    ]


def _truths(chance: random.Random) -> tuple[Truth, ...]:
    others = (Truth.DOUBTFUL, Truth.DOUBTFUL, Truth.NG, Truth.UNUSABLE, Truth.NO_PICTURE)
    if chance.random() < 0.5:
        return (Truth.OK,) * len(VIEWS)
    return tuple(Truth.OK if chance.random() < 0.5 else chance.choice(others) for _ in VIEWS)
