"""Conservation, proven as sets of ids: nothing lost, nothing doubled, nothing from nowhere, no unsafe pass.

Every captured frame is inspected once, or is a counted loss whose visit did not pass. Every visit has exactly one
revision 0, and its latest state is one of final, waiting for a person, or in flight and younger than its deadline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from linewarden_schemas.vocabulary import Routing

from .ledger import CameraEpoch, CapturedFrame, Ledger, RoutedVisit

DEFAULT_MARGIN_MS = 30_000
DEFAULT_PENDING_MS = 60_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long something may be under way (ms): past its decide-by, and between a decision and its outcome.

    The second covers the undo window of the recipes, during which a visit has no open slot and is not final.
    """

    margin_ms: int = DEFAULT_MARGIN_MS
    pending_ms: int = DEFAULT_PENDING_MS


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """Counts, and the ids that do not add up. It closes where there are none.

    `lost`: frames without answer, visits without routing, visits that nobody will ever decide, gaps in a camera's
    sequence (`camera.epoch<E>.seq<first>-<last>`), and records that retention deleted unclosed. `doubled`: frames
    answered differently, visits routed first twice, sequences given twice. `unknown`: frames and visits that no
    capture announced, and unreadable records without a dead letter. `unsafe`: trusted passes that must not have been.
    """

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
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    unknown: tuple[str, ...]
    unsafe: tuple[str, ...]
    open_ids: tuple[str, ...]
    """Visits of which something is to come: waiting, in flight, or with a frame that may still be answered."""

    @property
    def closes(self) -> bool:
        """Whether everything adds up."""
        return not (self.lost or self.doubled or self.unknown or self.unsafe)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: all fields and `closes`."""
        return {"closes": self.closes} | asdict(self)


def balance(ledger: Ledger, now_ms: int, allowance: Allowance | None = None) -> BalanceReport:
    """Balance a ledger as of `now_ms` (epoch ms)."""
    allowed = allowance or Allowance()
    by_visit: defaultdict[str, list[CapturedFrame]] = defaultdict(list)
    for frame in ledger.captured.values():
        by_visit[frame.visit_id].append(frame)
    states = _States(ledger, now_ms, allowed)
    for visit_id, frames in by_visit.items():
        states.enter(visit_id, frames)
    unanswered = list(_unanswered(ledger))
    overdue = [frame.frame_id for frame in unanswered if frame.decide_by_ms < now_ms - allowed.margin_ms]
    young = {frame.visit_id for frame in unanswered if frame.decide_by_ms >= now_ms - allowed.margin_ms}
    gaps = [gap for run in ledger.sequences.keys() | ledger.last_sequences.keys() for gap in _gaps(ledger, run)]
    return BalanceReport(
        at_ms=now_ms,
        visits=len(by_visit),
        frames=len(ledger.captured),
        inspected=len(ledger.inspected),
        pictures_lost=sum(frame.lost is not None for frame in ledger.captured.values()),
        not_decidable=sum(one.undecidable is not None for one in ledger.inspected.values()),
        dead_letters=ledger.dead_letters,
        duplicates=ledger.duplicates,
        final=len(states.final),
        waiting=len(states.waiting),
        in_flight=len(states.in_flight),
        lost=_sorted(overdue, states.lost, gaps, ledger.expired),
        doubled=_sorted(ledger.contradicted, ledger.routed_twice, ledger.doubled_sequences),
        unknown=_sorted(
            ledger.inspected.keys() - ledger.captured.keys(),
            (ledger.first.keys() | ledger.latest.keys()) - by_visit.keys(),
            ledger.unreadable - ledger.dead_sources,
        ),
        unsafe=_sorted(_unsafe(ledger, by_visit)),
        open_ids=_sorted(states.waiting, states.in_flight, young),
    )


class _States:
    """Sorts visits into exactly one of final, waiting, in flight and lost."""

    def __init__(self, ledger: Ledger, now_ms: int, allowed: Allowance) -> None:
        self._ledger, self._now_ms, self._allowed = ledger, now_ms, allowed
        self._with_slot = set(ledger.open_slots.values())
        self.final: set[str] = set()
        self.waiting: set[str] = set()
        self.in_flight: set[str] = set()
        self.lost: set[str] = set()

    def enter(self, visit_id: str, frames: list[CapturedFrame]) -> None:
        latest = self._ledger.latest.get(visit_id)
        if visit_id not in self._ledger.first:
            deadline = min(frame.decide_by_ms for frame in frames) + self._allowed.margin_ms
            is_young = latest is None and self._now_ms <= deadline
            (self.in_flight if is_young else self.lost).add(visit_id)
        elif latest is not None and latest.final:
            self.final.add(visit_id)
        elif visit_id in self._with_slot or self._is_pending(visit_id):
            self.waiting.add(visit_id)
        else:
            self.lost.add(visit_id)

    def _is_pending(self, visit_id: str) -> bool:
        closed = self._ledger.last_close_ms.get(visit_id)
        return closed is not None and self._now_ms <= closed + self._allowed.pending_ms


def _unanswered(ledger: Ledger) -> Iterator[CapturedFrame]:
    """Frames with a picture that have neither inspection nor dead letter."""
    for frame in ledger.captured.values():
        is_counted = (
            frame.lost is not None or frame.frame_id in ledger.dead_frames or frame.visit_id in ledger.dead_visits
        )
        if frame.frame_id not in ledger.inspected and not is_counted:
            yield frame


def _gaps(ledger: Ledger, run: CameraEpoch) -> Iterator[str]:
    """Ranges of sequences that were given and never seen, up to the last one that the camera told of."""
    closed = ledger.closed_sequences.get(run, -1)
    seen = [sequence for sequence in ledger.sequences.get(run, {}) if sequence > closed]
    last = max(ledger.last_sequences.get(run, -1), max(seen, default=closed))
    expected = closed + 1
    for sequence in [*sorted(seen), last + 1]:
        if sequence > expected:
            yield f"{run[2]}.epoch{run[3]}.seq{expected}-{sequence - 1}"
        expected = sequence + 1


def _unsafe(ledger: Ledger, by_visit: dict[str, list[CapturedFrame]]) -> Iterator[str]:
    for visit_id, first in ledger.first.items():
        if first.routing is Routing.TRUSTED_PASS and not _may_pass(ledger, first, by_visit.get(visit_id, [])):
            yield visit_id


def _may_pass(ledger: Ledger, first: RoutedVisit, frames: list[CapturedFrame]) -> bool:
    """Whether every expected view was captured, inspected and trusted, in time, and nothing worse came unanswered.

    A view that came after the routing does not make it unsafe, but has to have made a revision.
    """
    if None in first.frame_ids or not first.frame_ids or first.decided_ms >= first.decide_by_ms:
        return False
    trusted = {frame.frame_id for frame in frames if _is_trusted(ledger, frame)}
    later = {frame.frame_id for frame in frames if frame.frame_id in ledger.inspected} - set(first.frame_ids)
    was_revised = ledger.latest[first.visit_id].revision > 0
    return trusted.issuperset(first.frame_ids) and (was_revised or later <= trusted)


def _is_trusted(ledger: Ledger, frame: CapturedFrame) -> bool:
    found = ledger.inspected.get(frame.frame_id)
    return frame.lost is None and found is not None and not found.doubtful


def _sorted(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for group in groups for name in group}))
