"""Verify a namespace: read heads and records in step, and hold them against each other, partition by partition."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from linewarden_audit.notary.anchors import Anchor, by_place
from linewarden_audit.notary.notary import CHAINED, read_heads
from linewarden_audit.notary.verify import (
    DEFAULT_UNSEALED_MS,
    ChainFault,
    ChainFinding,
    Found,
    PartitionCheck,
    PartitionReport,
    TimeBounds,
    found_in,
)
from linewarden_history.reading import Looked, place
from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import Position
from linewarden_schemas.ids import Namespace
from linewarden_schemas.topics import CATALOGUE, FOR_EVER


@dataclass(frozen=True, slots=True)
class Witness:
    """What a verification goes by besides heads: its time (epoch ms), how long a record may be unsealed, anchors."""

    now_ms: int
    unsealed_ms: int = DEFAULT_UNSEALED_MS
    anchors: Sequence[Anchor] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """A report for every chained partition, how far each is sealed, and places of heads that are none."""

    partitions: list[PartitionReport]
    sealed: list[Anchor]
    strays: list[str]

    @property
    def holds(self) -> bool:
        """Whether everything fits; a stray among the heads is told and changes nothing."""
        return all(report.holds for report in self.partitions)


def verify_namespace(
    broker: Broker, namespace: Namespace, keys: Collection[str], witness: Witness, looked: Looked = lambda *_: None
) -> Verified:
    """Hold every chained partition against its heads, which count only if one of these keys (base64) signed them.

    A head and what each partition's reader holds are in memory, whatever there is to verify.
    """
    anchors, strays = by_place(witness.anchors), list[str]()
    with ExitStack() as readers:
        checks: dict[tuple[str, int], PartitionCheck] = {}
        for name in CHAINED:
            topic = namespace.topic(name)
            bounds = TimeBounds(witness.now_ms, retention_ms(broker, topic, name), witness.unsealed_ms)
            for one in positions_of(broker, topic):
                reader = readers.enter_context(broker.reader({one: 0}))
                first = reader.beginning_offsets([one])[one]
                reader.seek(one, first)
                found, mine = _found(reader, one, looked), anchors.pop(one, ())
                checks[one] = PartitionCheck(one.topic, one.partition, found, first, keys, bounds, mine)
        for head in read_heads(broker, namespace, lambda record: strays.append(place(record))):
            check = checks.get((head.topic, head.partition))
            if check is not None:
                check.take(head)
        reports = [check.report() for check in checks.values()]
        return Verified(reports + unmet(anchors), [one for check in checks.values() for one in check.sealed()], strays)


def retention_ms(broker: Broker, topic: str, logical: str) -> int | None:
    """How long a topic keeps its records, as it is set, else as the catalogue says; None for ever."""
    with broker.admin() as admin:
        told = admin.describe(topic).configs.get("retention.ms")
    kept = CATALOGUE[logical].retention_ms if told is None else int(told)
    return None if kept == FOR_EVER else kept


def unmet(anchors: Mapping[tuple[str, int], Sequence[Anchor]]) -> list[PartitionReport]:
    """Reports of partitions that anchors name and that are not there."""
    missing = "there is no such partition"
    return [
        PartitionReport(
            topic,
            partition,
            0,
            0,
            0,
            0,
            0,
            ChainFinding(ChainFault.ANCHOR, 0, None, None, f"{of_place[-1]}: {missing}"),
        )
        for (topic, partition), of_place in anchors.items()
    ]


def keys_in_heads(broker: Broker, namespace: Namespace) -> list[str]:
    """The public keys that the heads themselves name; whoever forges heads names their own."""
    return sorted({head.public_key for head in read_heads(broker, namespace)})


def _found(reader: Reader, position: Position, looked: Looked) -> Iterator[Found]:
    for count, record in enumerate(read_to_end(reader), start=1):
        yield found_in(record)
        looked(position.topic, count)
