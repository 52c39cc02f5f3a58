"""The one partitioner of every visit-keyed topic, and the check that joined topics were dealt out alike."""

from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from struct import unpack_from

from linewarden_runtime.errors import AssignmentNotAligned
from linewarden_runtime.records import Position

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Give MurmurHash2 (32 bit) with Kafka's seed, as an unsigned number.

    Here and not imported, so that pure code can place a visit without importing a Kafka client; a test holds
    it against the client's.
    """
    length = len(data)
    h = _SEED ^ length
    words = length // 4
    for word in unpack_from(f"<{words}I", data):
        k = (word * _M) & _MASK
        h = ((h * _M) & _MASK) ^ (((k ^ (k >> 24)) * _M) & _MASK)
    rest = data[words * 4 :]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: str | bytes, count: int) -> int:
    """Give the partition of `key` among `count`, equal to Kafka's default partitioner."""
    if count < 1:
        raise ValueError(f"a topic has at least one partition, not {count}")
    return (_hash(key.encode() if isinstance(key, str) else key) & 0x7FFFFFFF) % count


# Every record of a visit asks for the same key within a moment.
_hash = lru_cache(maxsize=1024)(murmur2)


def aligned_partitions(assignment: Collection[Position], topics: Collection[str]) -> frozenset[int]:
    """Give the partition numbers that a member holds of all joined topics.

    Raises:
        AssignmentNotAligned: where some topic lacks a number that another has.
    """
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for topic, partition in assignment:
        numbers[topic].add(partition)
    shares = {topic: frozenset(numbers[topic]) for topic in topics}
    if len(set(shares.values())) > 1:
        raise AssignmentNotAligned(f"joined topics were dealt out differently: {shares}")
    return next(iter(shares.values()), frozenset())
