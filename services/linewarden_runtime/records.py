"""What crosses the bus inside a process: records in, records out, and who read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

Headers = tuple[tuple[str, bytes], ...]


class Position(NamedTuple):
    """One partition of one physical topic; offsets are kept per position."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class InRecord:
    """A record as it lies in the log.

    `offset` is the only reference to a record that may be stored: a producer's acknowledgement can
    carry offset -1. `timestamp_ms` is the broker's append time on topics kept with LogAppendTime.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    leader_epoch: int = -1

    @property
    def position(self) -> Position:
        """The partition this record lies in."""
        return Position(self.topic, self.partition)

    @property
    def size(self) -> int:
        """Bytes of key and value; what in-flight bounds are counted in."""
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record to be written; `partition=None` leaves the choice to the default partitioner of the key.

    A `value` of None is a tombstone. Topics keyed by visit get their partition explicitly, see
    `linewarden_runtime.partitions.partition_of`.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        carried = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + carried


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """Membership of a consumer at one moment; only a snapshot taken right after a poll may fence a commit.

    `stable` is false while a rebalance is going on or after an eviction, when offsets must not be committed:
    the client then answers generation -1, and a broker does not validate a transactional commit without
    member data.
    """

    group: str
    member: str
    generation: int
    instance: str | None
    stable: bool
    raw: object = None

    @property
    def may_commit(self) -> bool:
        """Whether a broker would hold a commit with this snapshot against the group's state."""
        return self.stable and self.generation >= 0 and bool(self.member)

    def same_generation(self, other: "GroupSnapshot") -> bool:
        """Whether nothing was reassigned between this snapshot and the other."""
        return (self.group, self.member, self.generation) == (other.group, other.member, other.generation)


def next_offsets(records: Iterable[InRecord]) -> dict[Position, int]:
    """Give the offsets to commit once exactly these records are done: last offset + 1, by position."""
    offsets: dict[Position, int] = {}
    for record in records:
        position = record.position
        offsets[position] = max(offsets.get(position, 0), record.offset + 1)
    return offsets
