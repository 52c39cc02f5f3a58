"""Verify a namespace: read heads and records, and hold them against each other, partition by partition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import ChainHead

from .chain import link_of
from .notary import CHAINED, read_heads
from .verify import Found, PartitionReport, verify_partition

Looked = Callable[[str, int], None]
"""Hears the topic that is read, and how many records of it were."""


def verify_namespace(
    broker: Broker, namespace: Namespace, keys: Collection[str], looked: Looked = lambda *_: None
) -> list[PartitionReport]:
    """A report for every chained partition; heads count only if one of these public keys (base64) signed them."""
    heads: defaultdict[tuple[str, int], list[ChainHead]] = defaultdict(list)
    for head in read_heads(broker, namespace):
        heads[head.topic, head.partition].append(head)
    reports: list[PartitionReport] = []
    for name in CHAINED:
        topic = namespace.topic(name)
        found, first = _records(broker, topic, partial(looked, topic))
        reports += [
            verify_partition(topic, at.partition, heads[topic, at.partition], found[at], first[at], keys)
            for at in first
        ]
    return reports


def keys_in_heads(broker: Broker, namespace: Namespace) -> list[str]:
    """The public keys that the heads themselves name; whoever forges heads names their own."""
    return sorted({head.public_key for head in read_heads(broker, namespace)})


def _records(
    broker: Broker, topic: str, looked: Callable[[int], None]
) -> tuple[dict[Position, list[Found]], dict[Position, int]]:
    positions = positions_of(broker, topic)
    found: dict[Position, list[Found]] = {position: [] for position in positions}
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        first = reader.beginning_offsets(positions)
        for position in positions:
            reader.seek(position, first[position])
        for count, record in enumerate(read_to_end(reader), start=1):
            found[record.position].append(_found(record))
            looked(count)
    return found, first


def _found(record: InRecord) -> Found:
    return Found(record.offset, (record.key or b"").decode(errors="replace"), link_of(record))
