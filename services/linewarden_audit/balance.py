"""Conservation, proven as sets of ids. Pure.

Every captured frame is inspected once, or is a counted loss whose visit did not pass. Every visit has exactly one
revision 0; what becomes of it is judged in `visits.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from linewarden_audit.facts import Reviewed
from linewarden_audit.findings import Allowance, BalanceReport, Discrepancy
from linewarden_audit.ledger import AuditLedger, CameraEpoch
from linewarden_audit.passing import Seen
from linewarden_audit.visits import Passage, VisitCount
from linewarden_schemas.vocabulary import Routing


def balance(ledger: AuditLedger, now_ms: int, allowance: Allowance | None = None) -> BalanceReport:
    """Balance a ledger as of `now_ms` (epoch ms)."""
    count = VisitCount(ledger, now_ms, allowance or Allowance())
    frames: defaultdict[str, dict[str, Seen]] = defaultdict(dict)
    # Visits are those that a capture names: what only later records name is found below, as unknown.
    for captured in ledger.captured.values():
        frames[captured.visit_id][captured.frame_id] = _seen(ledger, captured.frame_id)
    for inspected in ledger.inspected.values():
        if inspected.visit_id in frames and inspected.frame_id not in ledger.captured:
            frames[inspected.visit_id][inspected.frame_id] = _seen(ledger, inspected.frame_id)
    for visit_id, seen in frames.items():
        reviewed = ledger.reviews.get(visit_id) or Reviewed()
        count.enter(Passage(visit_id, seen, ledger.history(visit_id), reviewed))
    _find_sets(ledger, count, frames.keys())
    return BalanceReport(
        at_ms=now_ms,
        visits=len(frames),
        frames=len(ledger.captured),
        inspected=len(ledger.inspected),
        pictures_lost=sum(frame.lost is not None for frame in ledger.captured.values()),
        not_decidable=sum(one.undecidable is not None for one in ledger.inspected.values()),
        dead_letters=ledger.dead_letters,
        duplicates=ledger.duplicates,
        final=len(count.final),
        waiting=len(count.waiting),
        in_flight=len(count.in_flight),
        findings=tuple(sorted(set(count.findings))),
        open_ids=_sorted(count.waiting, count.in_flight, count.young),
        taken_back=_sorted(count.taken_back),
        strays=_sorted(ledger.strays),
    )


def _find_sets(ledger: AuditLedger, count: VisitCount, visits: Collection[str]) -> None:
    """What shows by sets of ids alone."""
    for run in ledger.sequences.keys() | ledger.told_sequences.keys():
        _find_gaps(ledger, count, run)
    count.find(Discrepancy.LOST, ledger.expired, "records are gone that no period has closed")
    count.find(Discrepancy.DOUBLED, ledger.doubled_sequences, "its number was given to another frame too")
    count.find(Discrepancy.DOUBLED, _answered_twice(ledger), "it was answered in two ways, and its visit passed")
    count.find(Discrepancy.UNKNOWN, ledger.inspected.keys() - ledger.captured.keys(), "no capture announced this frame")
    count.find(
        Discrepancy.UNKNOWN, ledger.unreadable - ledger.dead_sources, "it can't be handled, and is no dead letter"
    )
    count.find(Discrepancy.UNKNOWN, ledger.miskeyed, "its key is not that of its message")
    reviewed = {  # but for decisions that became dead letters
        visit_id
        for visit_id, one in ledger.reviews.items()
        if one.slots or any(each.written.place not in ledger.dead_sources for each in one.decisions.values())
    }
    routed = ledger.first.keys() | ledger.latest.keys() | reviewed
    count.find(Discrepancy.UNKNOWN, routed - set(visits), "no capture announced this visit")


def _answered_twice(ledger: AuditLedger) -> Iterator[str]:
    """Frames with two answers, where neither a diversion, a reject nor a revision followed."""
    for frame_id, further in ledger.inspected_again.items():
        latest = ledger.latest.get(further[0].visit_id)
        # A diversion, a reject or a revision has answered for the second answer; a plain pass has not.
        if latest is None or (latest.revision == 0 and latest.routing is Routing.TRUSTED_PASS):
            yield frame_id


def _seen(ledger: AuditLedger, frame_id: str) -> Seen:
    captured, inspected = ledger.captured.get(frame_id), ledger.inspected.get(frame_id)
    again, further = ledger.captured_again.get(frame_id, ()), ledger.inspected_again.get(frame_id, ())
    if not again and not further:
        return Seen(frame_id, captured, inspected)
    words = [what for one in again if captured is not None for what in captured.contradictions(one)]
    words += [what for one in further if inspected is not None for what in inspected.contradictions(one)]
    return Seen(frame_id, captured, inspected, tuple(dict.fromkeys(words)), tuple(further), tuple(again))


def _find_gaps(ledger: AuditLedger, count: VisitCount, run: CameraEpoch) -> None:
    """Numbers that were given and never seen, up to the last one that the camera told of.

    A camera publishes in the order of its numbers, each to the partition of its visit. So a number is under way while
    the first higher one is young, and what heartbeats tell of as still to come while captures are coming.
    """
    given = ledger.sequences.get(run, {})
    written = {number: ledger.captured[frame].written.at_ms for number, frame in given.items()}
    old = [number for number, at_ms in written.items() if not count.is_young(at_ms)]
    # Only while no capture is young: what a heartbeat told of may be written behind one that is on its way.
    if len(old) == len(written):
        old += [number for number, at_ms in ledger.told_sequences.get(run, {}).items() if not count.is_young(at_ms)]
    is_due_to = max(old, default=-1)
    expected = ledger.closed_sequences.get(run, -1) + 1
    seen = sorted(number for number in given if number >= expected)
    for number in [*seen, is_due_to + 1]:
        last = min(number - 1, is_due_to)
        if expected <= last:
            gap = f"{run[2]}.epoch{run[3]}.seq{expected}-{last}"
            count.find(Discrepancy.LOST, [gap], "numbers that a camera gave are missing")
        if max(expected, is_due_to + 1) < number:
            count.young |= {ledger.captured[given[after]].visit_id for after in seen if after >= number}
            break
        expected = max(expected, number + 1)


def _sorted(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for group in groups for name in group}))
