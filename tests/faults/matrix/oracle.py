"""Whether a run held: nothing lost, nothing doubled, nothing passed that must not. Pure; it knows nothing of faults."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance, BalanceReport
from linewarden_audit.ledger import AuditLedger

_NUMBERED = re.compile(r"(?P<place>.+)\.(?P<due_ms>\d{13})\.(?P<number>\d{6,})")
"""How a visit of the simulated line is named: where, when its trigger was due, and the trigger's number from 0 on."""
MARGIN_MS = 6_000
"""How young a record may be to count as under way: the line is awaited before it is judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Ids that do not add up, each with its reason, by what they say of the line; all empty where it held."""

    lost: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()
    passed_wrongly: frozenset[str] = frozenset()
    unsound: frozenset[str] = frozenset()

    @property
    def holds(self) -> bool:
        """Whether everything adds up."""
        return not (self.lost or self.doubled or self.passed_wrongly or self.unsound)

    def beyond(self, before: Judgement) -> Judgement:
        """What was not found before."""
        return Judgement(
            self.lost - before.lost,
            self.doubled - before.doubled,
            self.passed_wrongly - before.passed_wrongly,
            self.unsound - before.unsound,
        )

    def and_also(self, other: Judgement) -> Judgement:
        """What either found."""
        return Judgement(
            self.lost | other.lost,
            self.doubled | other.doubled,
            self.passed_wrongly | other.passed_wrongly,
            self.unsound | other.unsound,
        )

    def confirmed_by(self, other: Judgement) -> Judgement:
        """What both found."""
        return Judgement(
            self.lost & other.lost,
            self.doubled & other.doubled,
            self.passed_wrongly & other.passed_wrongly,
            self.unsound & other.unsound,
        )

    def words(self, most: int = 10) -> list[str]:
        """Findings in words, no more than so many."""
        found = [*self.lost, *self.doubled, *self.passed_wrongly, *self.unsound]
        return sorted(found)[:most]


def judge(ledger: AuditLedger, now_ms: int, seen: Collection[str], parts_per_s: float | None = None) -> Judgement:
    """Judge everything that the topics hold.

    `seen`: visits that were seen to arrive and, says whoever watched, have been routed. One that is not in the log any
    more, or has no routing there, is lost, however young. `parts_per_s`: the pace of the simulated cameras, by which
    their triggers are counted; None where it changed.
    """
    report = balance(ledger, now_ms, Allowance(margin_ms=MARGIN_MS))
    captured = {frame.visit_id for frame in ledger.captured.values()}
    gone = {f"{visit}: it was seen, and is not in the log" for visit in set(seen) - captured}
    unrouted = {f"{visit}: it has no routing in the log" for visit in captured & set(seen) - ledger.first.keys()}
    unseen = set() if parts_per_s is None else set(_never_seen(captured, parts_per_s))
    return Judgement(
        lost=_of(report, "lost") | gone | unrouted | unseen,
        doubled=_of(report, "doubled"),
        passed_wrongly=_of(report, "unsafe"),
        unsound=_of(report, "unsound") | _of(report, "unknown"),
    )


def _never_seen(visits: Collection[str], parts_per_s: float) -> Iterator[str]:
    """Triggers of which no camera took anything although later ones of the same run were seen."""
    runs: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for visit in visits:
        if (found := _NUMBERED.fullmatch(visit)) is not None:
            number = int(found["number"])
            begun_ms = int(found["due_ms"]) - round(number * 1000 / parts_per_s)
            runs[found["place"], begun_ms].add(number)
    for (place, begun_ms), numbers in runs.items():
        for number in sorted(set(range(max(numbers))) - numbers):
            yield f"{place}, run {begun_ms}: trigger {number} was never seen"


def _of(report: BalanceReport, kind: str) -> frozenset[str]:
    return frozenset(f"{one.name}: {one.reason}" for one in report.findings if one.kind.value == kind)
