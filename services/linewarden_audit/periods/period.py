"""A closed period: how it is made of what was balanced, and whether periods follow on each other. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from linewarden_audit.audit import Unclosed
from linewarden_audit.balance import BalanceReport
from linewarden_audit.notary.signing import is_signed_by
from linewarden_history.ledger import CameraEpoch
from linewarden_schemas.operations import Balance, CameraMark, SetDigests, Stretch


@dataclass(frozen=True, slots=True)
class Closed:
    """A period as it lies in the log: `digest` is the SHA-256 of its record's value, by which the next one names it."""

    period: Balance
    digest: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """By whom and when a period is closed (epoch ms), and of which line or cell."""

    line_id: str
    at_ms: int
    actor: str


def period_of(found: Unclosed, report: BalanceReport, last: Closed | None, now: Occasion) -> Balance:
    """The period that a balance which closes makes.

    Raises:
        ValueError: for a balance that does not close.
    """
    if not report.closes:
        raise ValueError("what does not add up cannot be closed")
    before = None if last is None else last.period
    first_ms = min((frame.captured_ms for frame in found.ledger.captured.values()), default=now.at_ms)
    return Balance(
        line_id=now.line_id,
        from_ms=min(first_ms, now.at_ms) if before is None else before.to_ms,
        to_ms=now.at_ms,
        visits=report.visits,
        frames=report.frames,
        final=report.final,
        waiting=report.waiting,
        in_flight=report.in_flight,
        open_ids=report.open_ids,
        closed_ms=now.at_ms,
        number=0 if before is None else before.number + 1,
        carried=0 if before is None else len(before.open_ids),
        reopened=len(found.reopened),
        stretches=_stretches(found, report.open_ids),
        cameras=tuple(_marks(found)),
        digests=SetDigests(
            captured=digest_of(found.captured),
            inspected=digest_of(found.inspected),
            routed=digest_of(found.routed),
        ),
        closed_by=now.actor,
        previous=None if last is None else last.digest,
    )


def digest_of(ids: Iterable[str]) -> str:
    """SHA-256 over sorted ids, a line each."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(ids)).encode()).hexdigest()


def first_break(periods: Sequence[Closed], keys: Collection[str] = (), *, signed: bool = False) -> str | None:
    """The first period that does not follow on the one before, in words; None where all do.

    Where `keys` (base64) are given, one of them must have signed every period that is signed, and where `signed`
    says so every period.
    """
    before: Closed | None = None
    for place, one in enumerate(periods):
        fault = _fault(one.period, before, place)
        if fault is None and keys and (signed or one.period.signature is not None):
            fault = None if is_signed_by(one.period, keys) else "no trusted key signed it"
        if fault is not None:
            return f"period {one.period.number}: {fault}"
        before = one
    return None


def last_sound(periods: Sequence[Closed]) -> Closed | None:
    """The last period that follows on all before it: what does not follow closes nothing, and is read again."""
    last: Closed | None = None
    for one in periods:
        if _fault(one.period, last, 0 if last is None else last.period.number + 1) is None:
            last = one
    return last


def _fault(period: Balance, before: Closed | None, place: int) -> str | None:
    if period.number != place:
        return f"it stands where period {place} belongs"
    if period.previous != (None if before is None else before.digest):
        return "it names another record as the one before"
    if before is None:
        return None
    ended = {(one.topic, one.partition): one.to_offset for one in before.period.stretches}
    begins = {(one.topic, one.partition): one.from_offset for one in period.stretches}
    for (topic, partition), offset in ended.items():
        begin = begins.get((topic, partition))
        if begin != offset:
            return f"{topic}[{partition}] begins at {begin}, and the period before ended at {offset}"
    return None


def _stretches(found: Unclosed, open_ids: Collection[str]) -> tuple[Stretch, ...]:
    needed = found.needed_from(open_ids)
    return tuple(
        Stretch(
            topic=position.topic,
            partition=position.partition,
            from_offset=begin,
            to_offset=end,
            needed_from=needed[position],
        )
        for position, (begin, end) in sorted(found.stretches.items())
    )


def _marks(found: Unclosed) -> Iterable[CameraMark]:
    ledger = found.ledger
    last: dict[CameraEpoch, int] = dict(ledger.closed_sequences)
    for run, seen in ledger.sequences.items():
        number = last.get(run, -1)
        while number + 1 in seen:  # what lies behind a number that is under way waits with it
            number += 1
        last[run] = number
    for (line_id, station_id, camera_id, epoch), number in sorted(last.items()):
        yield CameraMark(
            line_id=line_id,
            station_id=station_id,
            camera_id=camera_id,
            spool_epoch=epoch,
            last_sequence=number,
        )
