"""The one partitioner of every visit-keyed topic, and the check that joined topics were dealt out alike."""

from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from struct import unpack_from

from linewarden_runtime.errors import AssignmentNotAligned
from linewarden_runtime.records import Position


# Every record of a visit asks for the same key within a moment.
@lru_cache(maxsize=1024)
def murmur2(data: bytes) -> int:
    """Give MurmurHash2 (32 bit) with Kafka's seed, as an unsigned number.

    Here and not imported, so that pure code can place a visit without importing a Kafka client; a test holds
    it against the client's.
    """
    seed, multiplier, mask = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    h = seed ^ length
    words = length // 4
    for word in unpack_from(f"<{words}I", data):
        k = (word * multiplier) & mask
        h = ((h * multiplier) & mask) ^ (((k ^ (k >> 24)) * multiplier) & mask)
    rest = data[words * 4 :]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * multiplier) & mask
    h = ((h ^ (h >> 13)) * multiplier) & mask
    return h ^ (h >> 15)


def partition_of(key: str | bytes, count: int) -> int:
    """Give the partition of `key` among `count`, equal to Kafka's default partitioner."""
    if count < 1:
        raise ValueError(f"a topic has at least one partition, not {count}")
    return (murmur2(key.encode() if isinstance(key, str) else key) & 0x7FFFFFFF) % count


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
