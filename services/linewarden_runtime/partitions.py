"""The one partitioner of every visit-keyed topic."""

from kafka.partitioner.default import murmur2


def partition_of(key: str | bytes, count: int) -> int:
    """Give the partition of `key` among `count`, equal to Kafka's default partitioner (murmur2)."""
    if count < 1:
        raise ValueError(f"a topic has at least one partition, not {count}")
    data = key.encode() if isinstance(key, str) else key
    return int(murmur2(data) & 0x7FFFFFFF) % count
