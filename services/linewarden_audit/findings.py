"""What a balance says: counts, and by id what does not add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long something may be under way (ms): past its decide-by, and between a decision and its outcome.

    The second covers the undo window of the recipes, during which a visit has no open slot and is not final.
    """

    # Longer than a transaction may take (10 s) and the one that is made again after it failed.
    margin_ms: int = 30_000
    # Longer than the recipes' default undo window (20 s) and the transaction that ends it.
    pending_ms: int = 60_000
    # Route gives no pass by a state of the line that it has not renewed for 5 s.
    line_ms: int = 6_000


class Discrepancy(StrEnum):
    """What does not add up.

    `lost`: frames without answer, visits without routing, visits that nobody will ever decide, decisions that nobody
    answered, gaps in a camera's sequence (`camera.epoch<E>.seq<first>-<last>`), and records that retention deleted
    unclosed. `doubled`: frames answered in two ways by which the visit still passed, revisions that exist twice,
    sequences given twice. `unknown`: frames, visits and decisions that no capture announced, and unreadable records
    without a dead letter. `unsafe`: trusted passes that must not have been. `unsound`: visits whose routing, revisions,
    slots or outcomes do not follow from their records.
    """

    LOST = "lost"
    DOUBLED = "doubled"
    UNKNOWN = "unknown"
    UNSAFE = "unsafe"
    UNSOUND = "unsound"


@dataclass(frozen=True, slots=True, order=True)
class BalanceFinding:
    """One thing that does not add up: the id that it is about, and why, in words."""

    kind: Discrepancy
    name: str
    reason: str


@dataclass(frozen=True)
class BalanceReport:
    """Counts, and what does not add up. It closes where nothing is."""

    at_ms: int
    visits: int
    frames: int
    inspected: int
    pictures_lost: int
    not_decidable: int
    dead_letters: int
    duplicates: int
    final: int
    waiting: int
    in_flight: int
    findings: tuple[BalanceFinding, ...]
    open_ids: tuple[str, ...]
    """Visits of which something is to come: waiting, in flight, or with a frame that may still be answered."""
    taken_back: tuple[str, ...] = ()
    """Passes that became visible at or after their decide-by, each with a later revision that takes it back."""
    strays: tuple[str, ...] = ()
    """Records that belong elsewhere or to nobody, in topics of which nobody makes dead letters."""

    @property
    def closes(self) -> bool:
        """Whether nothing was found that does not add up."""
        return not self.findings

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """Ids of which something is missing, sorted."""
        return self.named(Discrepancy.LOST)

    @cached_property
    def doubled(self) -> tuple[str, ...]:
        """Ids of which there is more than one, sorted."""
        return self.named(Discrepancy.DOUBLED)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Ids that no record announced, sorted."""
        return self.named(Discrepancy.UNKNOWN)

    @cached_property
    def unsafe(self) -> tuple[str, ...]:
        """Visits that passed and must not have."""
        return self.named(Discrepancy.UNSAFE)

    @cached_property
    def unsound(self) -> tuple[str, ...]:
        """Visits that do not follow from their records."""
        return self.named(Discrepancy.UNSOUND)

    def named(self, kind: Discrepancy) -> tuple[str, ...]:
        """The ids of one kind of finding, each once."""
        return tuple(sorted({one.name for one in self.findings if one.kind is kind}))

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: all fields, the ids by kind, and `closes`."""
        return {"closes": self.closes} | asdict(self) | {kind.value: self.named(kind) for kind in Discrepancy}
