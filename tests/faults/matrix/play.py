"""Runs of a row: the line is started once, and struck again and again; after each strike everything is balanced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from linewarden.demo import line
from linewarden_audit.audit import read_ledger
from tests.faults.matrix.bed import PARTS_PER_S, Bed, LineBed, NotBack, NotShown, bed
from tests.faults.matrix.oracle import MARGIN_MS, Judgement, judge
from tests.faults.matrix.results import Outcome, Run, key_of
from tests.faults.matrix.rows import Row

_FRESH = 2
"""Parts that arrived after the fault and passed: the line works as before."""
_READ_AGAIN, _BETWEEN_S = 2, 3.0


def now_ms() -> int:
    """The machine's time, which is the brokers' too."""
    return time.time_ns() // 1_000_000


@dataclass
class Series:
    """The runs of one row on one bed, and what has been found so far."""

    row: Row
    tested: Bed
    found: Judgement = field(default_factory=Judgement)
    settled: frozenset[str] = frozenset()
    sources: str = field(init=False)

    def __post_init__(self) -> None:
        self.sources = key_of(self.row)  # as they were when the line was started

    def run(self, number: int) -> Run:
        """Strike once, await the line, and judge the whole history."""
        seed, begun = f"{self.row.name}:{number}", time.monotonic()
        self.tested.restarts.clear()
        outcome, seen, words = Outcome.HELD, {}, []
        fresh = Judgement()
        try:
            seen = self.row.strike(self.tested, Random(seed))
        except NotShown as why:
            outcome, words = Outcome.NOT_SHOWN, [str(why)]
        except NotBack as why:
            outcome, words = Outcome.FAILED, [str(why)]
        if outcome is not Outcome.FAILED:
            try:
                fresh = self._judged()
            except NotBack as why:
                outcome, words = Outcome.FAILED, [str(why)]
        if not fresh.holds:
            outcome, words = Outcome.FAILED, [*words, *fresh.words()]
        parts = frozenset(self.tested.flow.arrived) - self.settled
        self.settled |= parts
        return Run(
            row=self.row.name,
            run=number,
            seed=seed,
            sources=self.sources,
            outcome=outcome,
            seconds=round(time.monotonic() - begun, 1),
            parts=len(parts),
            routed=dict(self.tested.flow.routings(parts)),
            lost=len(fresh.lost),
            doubled=len(fresh.doubled),
            passed_wrongly=len(fresh.passed_wrongly),
            unsound=len(fresh.unsound),
            seen=dict(seen),
            restarts=dict(self.tested.restarts),
            words=tuple(words),
        )

    def judge_again(self) -> Judgement:
        """What shows only now that everything is older than what counts as under way."""
        self.tested.hold(MARGIN_MS / 1000 + 1)
        return self._judged()

    def _judged(self) -> Judgement:
        settle(self.tested)
        found = confirmed(self.tested, self.found, PARTS_PER_S)
        fresh = found.beyond(self.found)
        self.found = self.found.and_also(found)
        return fresh


def confirmed(tested: LineBed, known: Judgement, parts_per_s: float | None) -> Judgement:
    """What is found, and still there when everything is read again: records overtake each other between partitions.

    The log only grows, so what is lost, doubled or passed wrongly stays so. `known`: what was found before.
    """
    found = _read(tested, parts_per_s)
    for _ in range(_READ_AGAIN):
        if found.beyond(known).holds:
            break
        tested.hold(_BETWEEN_S)
        found = found.confirmed_by(_read(tested, parts_per_s))
    return found


def _read(tested: LineBed, parts_per_s: float | None) -> Judgement:
    routed = list(tested.flow.routed)
    return judge(read_ledger(tested.broker, line.NAMESPACE), now_ms(), routed, parts_per_s)


def settle(tested: LineBed, *, with_queue: bool = True) -> None:
    """Wait until the line works as before and everything that arrived has its routing, its answers and its place.

    Raises:
        NotBack: where it does not.
    """
    since = now_ms()
    tested.until(tested.is_whole, "every service is ready")
    tested.until(lambda: tested.flow.fresh_passes(since) >= _FRESH, "parts that arrive now pass")
    arrived = frozenset(tested.flow.arrived)
    tested.until(lambda: not tested.flow.unsettled(arrived), "everything that arrived is answered and routed")
    if with_queue and isinstance(tested, Bed):
        tested.until(tested.queue_is_whole, "the queue shows every open slot")


def play(row: Row, numbers: Iterable[int], folder: Path, tell: Callable[[Run], bool]) -> None:
    """Run a row so often as there are numbers; `tell` is given each run and says whether to go on.

    What shows only after the last run is a run of its own, numbered 0.
    """
    with bed(folder, row.needs) as tested:
        series = Series(row, tested)
        settle(tested)
        series.settled = frozenset(tested.flow.arrived)
        for number in numbers:
            run = series.run(number)
            if not tell(run) or _is_broken(run):
                break
        else:
            closing = _closing(series)
            if closing is not None:
                tell(closing)


def _is_broken(run: Run) -> bool:
    return run.outcome is Outcome.FAILED and any(word.startswith("not within") for word in run.words)


def _closing(series: Series) -> Run | None:
    begun = time.monotonic()
    words: list[str] = []
    found = Judgement()
    try:
        found = series.judge_again()
    except NotBack as why:
        words = [str(why)]
    if found.holds and not words:
        return None
    return Run(
        series.row.name, 0, "", series.sources, Outcome.FAILED, round(time.monotonic() - begun, 1), 0, {},
        len(found.lost), len(found.doubled), len(found.passed_wrongly), len(found.unsound),
        words=(*words, *found.words()),
    )  # fmt: skip
