"""The notary: chains what is committed, and publishes signed heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker, Reader, TransactionalProducer
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import ChainHead

from .chain import Chain, link_of
from .signing import public_text, signed

CHAINED = ("dispositions", "decisions")
"""What was decided by the line and by people."""


@dataclass(frozen=True, slots=True)
class NotaryLimits:
    """When a head is due: after so many records of a partition, or when one has waited so long."""

    records: int = 1_000
    every_s: float = 10.0
    poll_s: float = 0.5


@dataclass(slots=True)
class _Strand:
    """One partition: what is sealed, and what is read and not sealed yet."""

    chain: Chain
    next_offset: int
    pending: list[bytes] = field(default_factory=list)
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
    ) -> None:
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
        known = {(head.topic, head.partition): head for head in read_heads(self._broker, self._namespace)}
        every = [one for name in CHAINED for one in positions_of(self._broker, self._namespace.topic(name))]
        self._reader = self._broker.reader(dict.fromkeys(every, 0))
        oldest = self._reader.beginning_offsets(every)
        for position in every:
            head = known.get((position.topic, position.partition))
            chain = Chain() if head is None else Chain(head.length, bytes.fromhex(head.head))
            self._strands[position] = _Strand(chain, oldest[position] if head is None else head.next_offset)
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

    def close(self) -> None:
        """Seal what is read, and disconnect."""
        try:
            self._publish([position for position, strand in self._strands.items() if strand.pending])
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
        )
        return signed(head, self._key)

    def _record(self, head: ChainHead) -> OutRecord:
        name = f"{head.topic}.{head.partition}.{head.length}"
        source = f"/{self._namespace.name}/notary"
        sent = encode(head, id=name, source=source, time_ms=head.signed_ms)
        return OutRecord(self._heads, head.topic.encode(), sent.value, sent.headers, 0)


def read_heads(broker: Broker, namespace: Namespace) -> Iterator[ChainHead]:
    """Every head that was published, in order; raises EnvelopeError for a record that is none."""
    topic = namespace.topic("chain-heads")
    with broker.reader(dict.fromkeys(positions_of(broker, topic), 0)) as reader:
        for record in read_to_end(reader):
            message = decode(record.headers, record.value or b"").message
            if isinstance(message, ChainHead):
                yield message
