"""Whether a run held: nothing lost, nothing doubled, nothing passed that must not. Pure; it knows nothing of faults."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from linewarden_replay.balance import Allowance, BalanceReport, balance
from linewarden_replay.ledger import Ledger

_NUMBERED = re.compile(r"(?P<run>.+\.\d+)\.(?P<number>\d{6,})")
"""How a visit of the simulated line is named: by the run of its cameras, and the number of its trigger from 0 on."""
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

    def words(self, most: int = 10) -> list[str]:
        """Findings in words, no more than so many."""
        found = [*self.lost, *self.doubled, *self.passed_wrongly, *self.unsound]
        return sorted(found)[:most]


def judge(ledger: Ledger, now_ms: int, seen: Collection[str]) -> Judgement:
    """Judge everything that the topics hold.

    `seen`: visits that were seen to arrive and, says whoever watched, have been routed. One that is not in the log any
    more, or has no routing there, is lost, however young.
    """
    report = balance(ledger, now_ms, Allowance(margin_ms=MARGIN_MS))
    captured = {frame.visit_id for frame in ledger.captured.values()}
    gone = {f"{visit}: it was seen, and is not in the log" for visit in set(seen) - captured}
    unrouted = {f"{visit}: it has no routing in the log" for visit in captured & set(seen) - ledger.first.keys()}
    return Judgement(
        lost=_of(report, "lost") | gone | unrouted | set(_never_seen(captured)),
        doubled=_of(report, "doubled"),
        passed_wrongly=_of(report, "unsafe"),
        unsound=_of(report, "unsound") | _of(report, "unknown"),
    )


def _never_seen(visits: Collection[str]) -> Iterator[str]:
    """Triggers of which no camera took anything although later ones of the same run were seen."""
    runs: defaultdict[str, set[int]] = defaultdict(set)
    for visit in visits:
        if (found := _NUMBERED.fullmatch(visit)) is not None:
            runs[found["run"]].add(int(found["number"]))
    for run, numbers in runs.items():
        for number in sorted(set(range(max(numbers))) - numbers):
            yield f"{run}.{number:06}: its trigger was never seen"


def _of(report: BalanceReport, kind: str) -> frozenset[str]:
    return frozenset(f"{one.name}: {one.reason}" for one in report.findings if one.kind.value == kind)
