"""Verify a namespace: read heads and records in step, and hold them against each other, partition by partition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import Position
from linewarden_schemas.ids import Namespace

from .notary import CHAINED, read_heads
from .verify import Found, PartitionCheck, PartitionReport, found_in

Looked = Callable[[str, int], None]
"""Hears the topic that is read, and how many records of one of its partitions were."""


def verify_namespace(
    broker: Broker, namespace: Namespace, keys: Collection[str], looked: Looked = lambda *_: None
) -> list[PartitionReport]:
    """A report for every chained partition; heads count only if one of these public keys (base64) signed them.

    A head and what each partition's reader holds are in memory, whatever there is to verify.
    """
    with ExitStack() as readers:
        checks: dict[tuple[str, int], PartitionCheck] = {}
        for place in [one for name in CHAINED for one in positions_of(broker, namespace.topic(name))]:
            reader = readers.enter_context(broker.reader({place: 0}))
            first = reader.beginning_offsets([place])[place]
            reader.seek(place, first)
            checks[place] = PartitionCheck(place.topic, place.partition, _found(reader, place, looked), first, keys)
        for head in read_heads(broker, namespace):
            check = checks.get((head.topic, head.partition))
            if check is not None:
                check.take(head)
        return [check.report() for check in checks.values()]


def keys_in_heads(broker: Broker, namespace: Namespace) -> list[str]:
    """The public keys that the heads themselves name; whoever forges heads names their own."""
    return sorted({head.public_key for head in read_heads(broker, namespace)})


def _found(reader: Reader, place: Position, looked: Looked) -> Iterator[Found]:
    for count, record in enumerate(read_to_end(reader), start=1):
        yield found_in(record)
        looked(place.topic, count)
