"""Closed periods of the conservation audit, each continuing where the one before ended: made, read, and closed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_audit.audit import Unclosed, look_back, read_unclosed
from linewarden_audit.balance import balance
from linewarden_audit.findings import Allowance, BalanceReport
from linewarden_audit.ledger import CameraEpoch
from linewarden_audit.notary import signing
from linewarden_history.reading import Looked, place
from linewarden_runtime.books import positions_of, read_to_end, readable, reader_of_all
from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import Balance, CameraMark, SetDigests, Stretch


@dataclass(frozen=True, slots=True)
class Closed:
    """A period as it lies in the log: `digest` is the SHA-256 of its record's value, by which the next one names it."""

    period: Balance
    digest: str


def period_of(found: Unclosed, report: BalanceReport, last: Closed | None, line_id: str, actor: str) -> Balance:
    """The period that a balance which closes makes, of a line or cell and by whom.

    Raises:
        ValueError: for a balance that does not close.
    """
    if not report.closes:
        raise ValueError("what does not add up cannot be closed")
    before, needed = None if last is None else last.period, found.needed_from(report.open_ids)
    first_ms = min((frame.captured_ms for frame in found.ledger.captured.values()), default=report.at_ms)
    return Balance(
        line_id=line_id,
        from_ms=min(first_ms, report.at_ms) if before is None else before.to_ms,
        to_ms=report.at_ms,
        visits=report.visits,
        frames=report.frames,
        final=report.final,
        waiting=report.waiting,
        in_flight=report.in_flight,
        open_ids=report.open_ids,
        closed_ms=report.at_ms,
        number=0 if before is None else before.number + 1,
        carried=0 if before is None else len(before.open_ids),
        reopened=len(found.reopened),
        stretches=tuple(
            Stretch(
                topic=position.topic,
                partition=position.partition,
                from_offset=begin,
                to_offset=end,
                needed_from=needed[position],
            )
            for position, (begin, end) in sorted(found.stretches.items())
        ),
        cameras=tuple(_marks(found)),
        digests=SetDigests(
            captured=digest_of(found.captured),
            inspected=digest_of(found.inspected),
            routed=digest_of(found.routed),
        ),
        closed_by=actor,
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
    for number, one in enumerate(periods):
        fault = _fault(one.period, before, number)
        if fault is None and keys and (signed or one.period.signature is not None):
            fault = None if signing.is_signed_by(one.period, keys) else "no trusted key signed it"
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


def _fault(period: Balance, before: Closed | None, number: int) -> str | None:
    if period.number != number:
        return f"it stands where period {number} belongs"
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


@dataclass(frozen=True, slots=True)
class Balanced:
    """What follows on the last period, and whether it adds up."""

    found: Unclosed
    report: BalanceReport
    last: Closed | None


def read_periods(
    broker: Broker, namespace: Namespace, stray: Callable[[InRecord], None] = lambda _record: None
) -> list[Closed]:
    """Every closed period, in order; a record that is none is counted, logged, handed to `stray` and passed over."""
    topic = namespace.topic("balances")
    found: list[Closed] = []
    with reader_of_all(broker, positions_of(broker, topic)) as reader:
        for record in read_to_end(reader):
            message = readable(record)
            if isinstance(message, Balance):
                found.append(Closed(message, hashlib.sha256(record.value or b"").hexdigest()))
            else:
                stray(record)
    return found


def balance_unclosed(
    broker: Broker,
    namespace: Namespace,
    now_ms: int,
    allowance: Allowance | None = None,
    progress: Looked = lambda _name, _count: None,
) -> Balanced:
    """Balance what follows on the last closed period; all there is where nothing was closed yet.

    Whatever does not add up is looked for in what was closed before: a late view or a revision of a closed visit opens
    it again, it is no fault.

    Raises:
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    strays: list[InRecord] = []
    last = last_sound(read_periods(broker, namespace, strays.append))
    found = read_unclosed(broker, namespace, None if last is None else last.period, progress)
    found.ledger.strays.update(map(place, strays))
    report = balance(found.ledger, now_ms, allowance)
    wanted = found.doubtful({one.name for one in report.findings})
    if last is not None and wanted:
        look_back(broker, namespace, found, wanted)
        report = balance(found.ledger, now_ms, allowance)
    return Balanced(found, report, last)


def close_period(
    broker: Broker,
    namespace: Namespace,
    now_ms: int,
    actor: str,
    allowance: Allowance | None = None,
    key: Ed25519PrivateKey | None = None,
    progress: Looked = lambda _name, _count: None,
) -> tuple[BalanceReport, Balance | None]:
    """Close what follows on the last period, as of `now_ms` (epoch ms) and by `actor`.

    None, and nothing published, where it does not add up.

    One at a time for a namespace: whoever begins later takes the identity over, and the other one is fenced.

    Raises:
        Fenced: where another one closes meanwhile.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    topic = namespace.topic("balances")
    identity = namespace.transactional_id("audit")
    with broker.transactional_producer(identity, positions_of(broker, topic)) as producer:
        producer.init()
        done = balance_unclosed(broker, namespace, now_ms, allowance, progress)
        if not done.report.closes:
            return done.report, None
        period = period_of(done.found, done.report, done.last, namespace.name, actor)
        if key is not None:
            named = period.model_copy(update={"public_key": signing.public_text(key.public_key())})
            period = signing.signed(named, key)
        producer.transact([_record(namespace, period)])
    return done.report, period


def _record(namespace: Namespace, period: Balance) -> OutRecord:
    name, source = f"{period.line_id}.{period.number}", namespace.source("audit")
    key, at_ms = period.line_id, period.closed_ms
    return event_record(namespace.topic("balances"), key, period, id=name, source=source, time_ms=at_ms, partition=0)
