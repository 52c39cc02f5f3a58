"""Reads a namespace into a ledger, outside any group, committed records only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace

from .ledger import Ledger

READ_ORDER = ("dispositions", "inspections", "dead-letters", "reinspections", "captures")
"""Effects before causes: while the line runs, whatever was answered has its capture in what is read after it."""

Progress = Callable[[str, int], None]
"""Called with the topic's name and the records read of it so far."""


def read_ledger(broker: Broker, namespace: Namespace, progress: Progress = lambda _name, _count: None) -> Ledger:
    """Everything that the topics of a namespace hold now.

    A record that is none of ours is entered as unreadable: the balance asks for its dead letter.

    Raises:
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    ledger = Ledger()
    for name in READ_ORDER:
        _read_topic(broker, namespace.topic(name), ledger, partial(progress, name))
    return ledger


def _read_topic(broker: Broker, topic: str, ledger: Ledger, progress: Callable[[int], None]) -> None:
    positions = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        for position, offset in reader.beginning_offsets(positions).items():
            reader.seek(position, offset)
        for count, record in enumerate(read_to_end(reader), 1):
            if record.value is not None:  # a tombstone only forgets what was closed before
                _learn(ledger, record)
            progress(count)


def _learn(ledger: Ledger, record: InRecord) -> None:
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        ledger.learn_unreadable(record.topic, record.partition, record.offset)
        return
    ledger.learn(message)
