"""The notary: chains what is committed, and publishes signed heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_audit.notary.anchors import NO_SEAL, Anchor, AnchorFile, sealed
from linewarden_audit.notary.chain import Chain, link_of
from linewarden_audit.notary.signing import public_text, signed
from linewarden_runtime.books import positions_of, read_to_end, reader_of_all
from linewarden_runtime.clock import Clock
from linewarden_runtime.events import event_record
from linewarden_runtime.metrics import UNREADABLE
from linewarden_runtime.ports import Broker, Reader, TransactionalProducer
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import ChainHead

_log = structlog.get_logger(__name__)

CHAINED = ("dispositions", "decisions")
"""What was decided by the line and by people."""


@dataclass(frozen=True, slots=True)
class NotaryLimits:
    """When a head is due: after so many records of a partition, or when one has waited so long."""

    records: int = 1_000
    every_s: float = 10.0
    poll_s: float = 0.5
    anchor_s: float = 60.0
    """How often what was sealed is anchored, where there is a file for it."""


@dataclass(slots=True)
class _Strand:
    """One partition: what is sealed, and what is read and not sealed yet."""

    chain: Chain
    next_offset: int
    seal: bytes = NO_SEAL
    pending: list[bytes] = field(default_factory=list)
    times: tuple[int, int] = (0, 0)
    since_s: float = 0.0


class Notary:
    """One for a namespace; a second one fences the first by its transactional identity."""

    def __init__(
        self,
        broker: Broker,
        namespace: Namespace,
        key: Ed25519PrivateKey,
        clock: Clock,
        limits: NotaryLimits | None = None,
        beat: Callable[[], None] = lambda: None,
        anchors: AnchorFile | None = None,
    ) -> None:
        self._anchors, self._unanchored, self._anchored_s = anchors, set[Position](), clock.monotonic()
        self._broker, self._namespace, self._clock, self._beat = broker, namespace, clock, beat
        self._limits = limits or NotaryLimits()
        self._key, self._public = key, public_text(key.public_key())
        self._heads = namespace.topic("chain-heads")
        self._strands: dict[Position, _Strand] = {}
        self._reader: Reader | None = None
        self._producer: TransactionalProducer | None = None

    def start(self) -> None:
        """Take the identity, and go on where the last heads end; a new partition begins with the oldest record kept.

        Raises Fenced, TransactionFailed, ConfigurationError for a topic that is missing.
        """
        self._producer = self._broker.transactional_producer(
            self._namespace.transactional_id("notary"), positions_of(self._broker, self._heads)
        )
        self._producer.init()
        known: dict[tuple[str, int], ChainHead] = {}
        seals: dict[tuple[str, int], bytes] = {}
        for head in read_heads(self._broker, self._namespace, _count_stray):
            place = (head.topic, head.partition)
            known[place], seals[place] = head, sealed(seals.get(place, NO_SEAL), head)
        every = [one for name in CHAINED for one in positions_of(self._broker, self._namespace.topic(name))]
        self._reader = self._broker.reader(dict.fromkeys(every, 0))
        oldest = self._reader.beginning_offsets(every)
        for position in every:
            last = known.get((position.topic, position.partition))
            chain = Chain() if last is None else Chain(last.length, bytes.fromhex(last.head))
            begin = oldest[position] if last is None else last.next_offset
            self._strands[position] = _Strand(chain, begin, seals.get((position.topic, position.partition), NO_SEAL))
            self._reader.seek(position, self._strands[position].next_offset)

    def step(self) -> None:
        """Read what was committed, and publish the heads that are due.

        Raises RetentionOvertook where records went before they were chained.
        """
        if self._reader is None:
            raise RuntimeError("start comes first")
        self._beat()
        for record in self._reader.poll(self._limits.poll_s):
            self._take(record)
        self._publish([position for position, strand in self._strands.items() if self._is_due(strand)])
        if self._clock.monotonic() - self._anchored_s >= self._limits.anchor_s:
            self._anchor()

    def close(self) -> None:
        """Seal what is read, and disconnect."""
        try:
            self._publish([position for position, strand in self._strands.items() if strand.pending])
            self._anchor()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Disconnect without a last word: what is not sealed is read again."""
        for client in (self._reader, self._producer):
            if client is not None:
                client.close()

    def _take(self, record: InRecord) -> None:
        strand = self._strands[record.position]
        if not strand.pending:
            strand.since_s = self._clock.monotonic()
            strand.times = (record.timestamp_ms, record.timestamp_ms)
        strand.times = (min(strand.times[0], record.timestamp_ms), max(strand.times[1], record.timestamp_ms))
        strand.pending.append(link_of(record))
        strand.next_offset = record.offset + 1

    def _is_due(self, strand: _Strand) -> bool:
        waited = self._clock.monotonic() - strand.since_s
        return bool(strand.pending) and (len(strand.pending) >= self._limits.records or waited >= self._limits.every_s)

    def _publish(self, due: list[Position]) -> None:
        if not due or self._producer is None:
            return
        heads = {position: self._head_of(position, self._strands[position]) for position in due}
        self._producer.transact([self._record(head) for head in heads.values()])
        for position, head in heads.items():
            strand = self._strands[position]
            strand.chain, strand.pending = Chain(head.length, bytes.fromhex(head.head)), []
            strand.seal = sealed(strand.seal, head)
            self._unanchored.add(position)

    def _anchor(self) -> None:
        """Put down outside Kafka what was sealed since the last time; raises ConfigurationError where that fails."""
        self._anchored_s = self._clock.monotonic()
        if self._anchors is None or not self._unanchored:
            return
        strands = [(position, self._strands[position]) for position in sorted(self._unanchored)]
        self._anchors.append(
            self._clock.now_ms(),
            [Anchor(*place, one.chain.length, one.chain.head.hex(), one.seal.hex()) for place, one in strands],
        )
        self._unanchored.clear()

    def _head_of(self, position: Position, strand: _Strand) -> ChainHead:
        chain = strand.chain.extended(strand.pending)
        head = ChainHead(
            topic=position.topic,
            partition=position.partition,
            next_offset=strand.next_offset,
            length=chain.length,
            head=chain.head.hex(),
            links=b"".join(strand.pending),
            public_key=self._public,
            signature=bytes(64),
            signed_ms=self._clock.now_ms(),
            first_ms=strand.times[0],
            last_ms=strand.times[1],
        )
        return signed(head, self._key)

    def _record(self, head: ChainHead) -> OutRecord:
        name = f"{head.topic}.{head.partition}.{head.length}"
        source = self._namespace.source("notary")
        return event_record(self._heads, head.topic, head, id=name, source=source, time_ms=head.signed_ms, partition=0)


def read_heads(
    broker: Broker, namespace: Namespace, stray: Callable[[InRecord], None] = lambda _record: None
) -> Iterator[ChainHead]:
    """Every head that was published, in order; a record that is none is handed to `stray` and passed over."""
    topic = namespace.topic("chain-heads")
    with reader_of_all(broker, positions_of(broker, topic)) as reader:
        for record in read_to_end(reader):
            head = head_in(record)
            if head is None:
                stray(record)
            else:
                yield head


def head_in(record: InRecord) -> ChainHead | None:
    """The head that a record is; None where it is none."""
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        return None
    return message if isinstance(message, ChainHead) else None


def _count_stray(record: InRecord) -> None:
    UNREADABLE.labels(topic=record.topic).inc()
    _log.error("a record of the heads is none", position=record.position, offset=record.offset)
