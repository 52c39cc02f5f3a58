"""Runs of the rows of one kind, on one line: struck, named, healed, awaited, and balanced after each strike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.faults.matrix.bed import NotBack
from tests.faults.matrix.oracle import MARGIN_MS, Judgement
from tests.faults.matrix.play import confirmed, settle
from tests.faults.matrix.results import Outcome, Run, key_of
from tests.faults.plant.bed import NotNamed, PlantBed, plant_bed
from tests.faults.plant.rig import PlantRig
from tests.faults.plant.rows import PlantKind, PlantRow

_OLD_S = MARGIN_MS / 1000 + 1


@dataclass
class Struck:
    """The line of one kind, and what has been found so far."""

    kind: PlantKind
    rig: PlantRig
    bed: PlantBed
    found: Judgement = field(default_factory=Judgement)
    settled: frozenset[str] = frozenset()

    def run(self, row: PlantRow, number: int, sources: str) -> Run:
        """Strike once, await the line, and judge the whole history; a fault named late fails too."""
        seed, begun = f"{row.name}:{number}", time.monotonic()
        self.bed.restarts.clear()
        words: list[str] = []
        seen: dict[str, Any] = {"limit_s": row.limit_s}
        fresh = Judgement()
        try:
            named = row.strike(self.rig, self.bed, Random(seed))
            seen |= {"named_s": round(named.seconds, 3), "by": named.words[:200]}
            if named.seconds > row.limit_s:
                words.append(f"named after {named.seconds:.2f} s, the limit is {row.limit_s:g} s")
        except NotNamed as why:
            words.append(str(why))
        except NotBack as why:
            words.append(str(why))
        try:
            fresh = self.judged()
        except NotBack as why:
            words.append(str(why))
        parts = frozenset(self.bed.flow.arrived) - self.settled
        self.settled |= parts
        return Run(
            row=row.name,
            run=number,
            seed=seed,
            sources=sources,
            outcome=Outcome.HELD if fresh.holds and not words else Outcome.FAILED,
            seconds=round(time.monotonic() - begun, 1),
            parts=len(parts),
            routed=dict(self.bed.flow.routings(parts)),
            lost=len(fresh.lost),
            doubled=len(fresh.doubled),
            passed_wrongly=len(fresh.passed_wrongly),
            unsound=len(fresh.unsound),
            seen=seen,
            restarts=dict(self.bed.restarts),
            words=(*words, *fresh.words()),
        )

    def judged(self) -> Judgement:
        """What is found that was not found before, once the line works as before and nothing is owed."""
        settle(self.bed)
        self.rig.settle(self.bed)
        found = confirmed(self.bed, self.found, None).and_also(self.rig.judge(self.bed))
        fresh = found.beyond(self.found)
        self.found = self.found.and_also(found)
        return fresh

    def closing(self, row: PlantRow, sources: str) -> Run | None:
        """What shows only now that all is older than what counts as under way: a run 0 of the last row."""
        begun, words, fresh = time.monotonic(), list[str](), Judgement()
        try:
            self.bed.hold(_OLD_S)
            fresh = self.judged()
        except NotBack as why:
            words.append(str(why))
        if fresh.holds and not words:
            return None
        return Run(
            row.name, 0, "", sources, Outcome.FAILED, round(time.monotonic() - begun, 1), 0, {},
            len(fresh.lost), len(fresh.doubled), len(fresh.passed_wrongly), len(fresh.unsound),
            words=(*words, *fresh.words()),
        )  # fmt: skip


def _bed(folder: Path, rig: PlantRig) -> AbstractContextManager[PlantBed]:
    return plant_bed(folder, rig.camera, rig.output, rig.environment, has_gate=rig.is_gate)


@contextmanager
def struck(kind: PlantKind, folder: Path) -> Iterator[Struck]:
    """A line of a kind that works; all of it ends with the block."""
    folder.mkdir(parents=True)
    with kind.make(folder) as rig, _bed(folder, rig) as bed:
        made = Struck(kind, rig, bed)
        settle(bed)
        rig.settle(bed)
        made.settled = frozenset(bed.flow.arrived)
        yield made


def play(kind: PlantKind, wanted: Iterable[tuple[PlantRow, int]], folder: Path, tell: Callable[[Run], bool]) -> None:
    """Make the runs on one line; `tell` is given each and says whether to go on."""
    runs = list(wanted)
    sources = {row.name: key_of(row) for row, _ in runs}  # as they are when the line is started
    with struck(kind, folder) as line:
        row, _ = runs[0]
        for row, number in runs:
            run = line.run(row, number, sources[row.name])
            if not tell(run) or any(word.startswith("not within") for word in run.words):
                break
        if (last := line.closing(row, sources[row.name])) is not None:
            tell(last)
