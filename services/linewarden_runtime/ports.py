"""What the stages need of a bus; in-memory, Tansu and Apache Kafka stand behind the same names.

A consumer, a reader and an admin belong to one thread. Producers may be shared between threads.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Protocol, Self

from linewarden_runtime.records import GroupSnapshot, InRecord, OutRecord, Position


class Start(Enum):
    """Where a group begins to read a partition for which it has no committed offset."""

    EARLIEST = "earliest"
    """At the oldest record kept; the choice is committed before the first record is handed out."""

    LATEST = "latest"
    """At the end; only right for readers to whom the past does not matter."""

    REFUSE = "refuse"
    """Raise OffsetMissing: the group was provisioned once, so a missing offset is a fault."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it shall be; `configs` are Kafka's own names and values."""

    name: str
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)
    replication: int = 1


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic as it is; `topic_id` changes when a topic is deleted and made again."""

    name: str
    topic_id: str
    partitions: int
    configs: Mapping[str, str]


class Delivery(Protocol):
    """The fate of one sent record.

    It carries no offset on purpose: a broker may acknowledge with offset -1, so references are taken
    from the record as a consumer reads it.
    """

    def done(self) -> bool:
        """Whether it is known if the record lies in the log."""

    def result(self, timeout_s: float | None = None) -> None:
        """Wait for the acknowledgement; raises DeliveryFailed (TooLarge among them)."""

    def append_ms(self) -> int | None:
        """The broker's append time (epoch ms) of a record that is delivered; None where it keeps the producer's."""

    def add_done_callback(self, callback: Callable[[Exception | None], None]) -> None:
        """Call with None or the failure, on whatever thread learns of it; at once if it is known."""


class Closing(Protocol):
    """Something to be closed, at the latest at the end of a with-block; a client that inherits it has the block."""

    def close(self) -> None:
        """Release everything within a bounded time; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Reader(Closing, Protocol):
    """Reads given partitions from given offsets; belongs to no group and never commits."""

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[InRecord]:
        """Next records in offset order per partition, perhaps none; raises RetentionOvertook."""

    def assignment(self) -> frozenset[Position]:
        """List the partitions being read."""

    def pause(self, positions: Collection[Position]) -> None:
        """Hand out nothing more of these, without giving up what was fetched already."""

    def resume(self, positions: Collection[Position]) -> None:
        """Hand out again what `pause` held back; partitions that are not paused are no error."""

    def paused(self) -> frozenset[Position]:
        """List the partitions paused now; partitions newly assigned are not."""

    def seek(self, position: Position, offset: int) -> None:
        """Read this partition from `offset` on."""

    def position(self, position: Position) -> int:
        """Offset of the next record to be handed out, also past transaction markers."""

    def beginning_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset of the oldest record kept."""

    def end_offsets(self, positions: Collection[Position]) -> dict[Position, int]:
        """Offset after the last record visible to this reader (read_committed: the last stable offset)."""

    def offsets_for_times(self, times_ms: Mapping[Position, int]) -> dict[Position, int | None]:
        """Offset of the first record at or after a time; None if there is none."""

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; raises ConfigurationError for an unknown topic."""


class Consumer(Reader, Protocol):
    """A member of a group. `poll` runs the membership: partitions come and go only inside it."""

    def group(self) -> GroupSnapshot:
        """Membership now. Take it right after the poll whose records will be committed with it."""

    def committed(self, positions: Collection[Position]) -> dict[Position, int | None]:
        """Fetch the group's committed offsets, stable ones only; None where there is none."""

    def commit(self, offsets: Mapping[Position, int]) -> None:
        """Commit exactly these offsets outside a transaction; raises CommitRefused, Fenced."""


class Producer(Closing, Protocol):
    """Idempotent, acks of all replicas."""

    def send(self, record: OutRecord) -> Delivery:
        """Hand over a record; failures come from the delivery, but TooLarge may be raised at once."""

    def flush(self, timeout_s: float) -> None:
        """Wait until every record sent so far is decided; raises BrokerUnavailable when time is over."""


class TransactionalProducer(Closing, Protocol):
    """One transactional identity. After any failure it is closed and of no more use: make a new one."""

    def init(self) -> None:
        """Fence a predecessor and abort what it left open; raises Fenced, TransactionFailed.

        A broker that falls may forget a transaction whose records lie in its partitions. They'd stay open, hide
        what follows, and appear with the next commit of this identity: so all partitions that it `writes` are
        aborted too.
        """

    def transact(
        self,
        outputs: Iterable[OutRecord],
        offsets: Mapping[Position, int] | None = None,
        group: GroupSnapshot | None = None,
    ) -> int | None:
        """Publish all outputs and commit all offsets, or neither.

        Gives the broker's append time (epoch ms) of the first output; None without one, or where the broker keeps the
        producer's time.

        Raises TooLarge before anything is begun, after which the producer may be used on; GroupNotStable
        before anything is sent, TransactionFailed when it was aborted or its fate is unknown, Fenced when
        this identity was taken over.
        """

    def release_offsets(self, positions: Collection[Position], group: GroupSnapshot) -> None:
        """Drop what ended transactions of this identity left pending on the group's offsets; commit nothing.

        A broker that falls while a transaction ends may keep its offsets pending for ever: `Consumer.committed`
        then raises BrokerUnavailable each time. `positions` are any that the group reads. Raises as `transact` does.
        """


class Admin(Closing, Protocol):
    """Topics, and groups seen from outside."""

    def create_topics(self, topics: Iterable[TopicSpec]) -> list[str]:
        """Make those that are missing, and return their names.

        Raises ConfigurationError when an existing topic has another number of partitions.
        """

    def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics and wait until they are gone; unknown ones are ignored."""

    def topics(self) -> frozenset[str]:
        """Names of all topics but Kafka's own."""

    def describe(self, name: str) -> TopicDescription:
        """Describe a topic as it is; raises ConfigurationError for an unknown one."""

    def configure(self, name: str, configs: Mapping[str, str]) -> None:
        """Set some settings of a topic, and leave the others as they are."""

    def topic_id(self, name: str) -> str:
        """Fetch the identity of a topic, which unlike its name is lost with it."""

    def committed(self, group: str) -> dict[Position, int]:
        """All committed offsets of a group, member or not."""

    def provision(self, group: str, topics: Iterable[str]) -> dict[Position, int]:
        """Commit the earliest offset wherever a group without members has none; what was committed."""


class Broker(Protocol):
    """Makes clients. Closing a client is its user's business."""

    @property
    def append_time(self) -> bool:
        """Whether the broker stamps records with its own time on topics kept with LogAppendTime.

        False for the embedded broker, which keeps the producer's time whatever the topic says: all processes of such a
        line run on one machine and judge by its one clock.
        """

    def consumer(
        self,
        *,
        group: str,
        topics: Sequence[str],
        instance: str | None = None,
        start: Start = Start.EARLIEST,
        max_records: int = 64,
    ) -> Consumer:
        """Join a group, as a static member if `instance` is given; range assignment, read_committed."""

    def reader(self, offsets: Mapping[Position, int], *, max_records: int = 256) -> Reader:
        """Read partitions from offsets on, read_committed, outside any group."""

    def producer(self, *, client: str = "producer") -> Producer:
        """An idempotent producer outside transactions; `client` names it in the broker's logs and metrics."""

    def transactional_producer(self, transactional_id: str, writes: Collection[Position] = ()) -> TransactionalProducer:
        """Not yet initialised producer of one transactional identity."""

    def admin(self) -> Admin:
        """A client for topics and groups; it belongs to the thread that uses it first."""


class StreamProcessor(Protocol):
    """Work of a transactional loop, done elsewhere than on the loop's thread."""

    def submit(self, records: Sequence[InRecord]) -> "Future[Sequence[OutRecord]]":
        """Begin work on records; the future brings all outputs, or SlowDown, Poison, or a crash."""
