"""Balances what no period has closed, and closes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_audit.audit import Progress, Unclosed, look_back, read_unclosed
from linewarden_audit.balance import Allowance, BalanceReport, balance
from linewarden_audit.notary.signing import public_text, signed
from linewarden_runtime.books import positions_of, read_to_end, readable, reader_of_all
from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import Balance

from .period import Closed, Occasion, last_sound, period_of

TOPIC = "balances"


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
    topic = namespace.topic(TOPIC)
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
    progress: Progress = lambda _name, _count: None,
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
    for record in strays:
        found.ledger.learn_stray(record.topic, record.partition, record.offset)
    report = balance(found.ledger, now_ms, allowance)
    wanted = found.doubtful({one.name for one in report.findings})
    if last is not None and wanted:
        look_back(broker, namespace, found, wanted)
        report = balance(found.ledger, now_ms, allowance)
    return Balanced(found, report, last)


def close_period(
    broker: Broker,
    namespace: Namespace,
    now: Occasion,
    allowance: Allowance | None = None,
    key: Ed25519PrivateKey | None = None,
    progress: Progress = lambda _name, _count: None,
) -> tuple[BalanceReport, Balance | None]:
    """Close what follows on the last period; None, and nothing published, where it does not add up.

    One at a time for a namespace: whoever begins later takes the identity over, and the other one is fenced.

    Raises:
        Fenced: where another one closes meanwhile.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    topic = namespace.topic(TOPIC)
    identity = namespace.transactional_id("audit")
    with broker.transactional_producer(identity, positions_of(broker, topic)) as producer:
        producer.init()
        done = balance_unclosed(broker, namespace, now.at_ms, allowance, progress)
        if not done.report.closes:
            return done.report, None
        period = period_of(done.found, done.report, done.last, now)
        if key is not None:
            period = signed(period.model_copy(update={"public_key": public_text(key.public_key())}), key)
        producer.transact([_record(namespace, period)])
    return done.report, period


def _record(namespace: Namespace, period: Balance) -> OutRecord:
    name = f"{period.line_id}.{period.number}"
    topic, source = namespace.topic(TOPIC), namespace.source("audit")
    return event_record(topic, period.line_id, period, id=name, source=source, time_ms=period.closed_ms, partition=0)
