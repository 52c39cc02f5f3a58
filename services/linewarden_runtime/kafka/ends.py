"""Ends of partitions on a broker whose answer to ListOffsets is wrong."""

from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition

from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.kafka.faults import translated
from linewarden_runtime.kafka.settings import KafkaSettings


def ends_by_fetch(
    listed: Mapping[TopicPartition, int], settings: KafkaSettings, clock: Clock | None = None
) -> dict[TopicPartition, int]:
    """Give the high watermarks that fetches carry, for partitions whose listed end is not 0.

    Tansu lists the first offset of the last batch plus one, which is right for batches of one record only.
    """
    clock = clock or SystemClock()
    ends = dict(listed)
    unknown = {partition for partition, end in listed.items() if end > 0}
    if not unknown:
        return ends
    # Uncommitted: the high watermark is wanted, which an open transaction does not hold back.
    options = settings.reader() | {"isolation_level": "read_uncommitted"}
    with translated(), KafkaConsumer(**options, max_poll_records=1) as client:
        client.assign(list(unknown))
        for partition in unknown:
            # One before the listed end, which lies in the log whatever it should have been; fetching beyond it answers
            # nothing.
            client.seek(partition, listed[partition] - 1)
        deadline = clock.monotonic() + settings.delivery_timeout_ms / 1000
        while unknown:
            if clock.monotonic() > deadline:
                raise BrokerUnavailable(f"no end of {sorted(unknown)} in time")
            client.poll(timeout_ms=100)
            for partition in [p for p in unknown if client.highwater(p) is not None]:
                ends[partition] = client.highwater(partition)
                unknown.discard(partition)
                # Known, and not to be fetched again while the others are waited for.
                client.pause(partition)
    return ends
