"""Reading what tests wrote, bounded by a deadline instead of sleeps."""

import time
from collections.abc import Callable, Iterable

from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import InRecord, OutRecord, Position

DEADLINE_S = 30.0


def take(reader: Reader, count: int) -> list[InRecord]:
    """Poll until `count` records came; fails when they do not come in time."""
    records: list[InRecord] = []
    until = time.monotonic() + DEADLINE_S
    while len(records) < count:
        assert time.monotonic() < until, f"{len(records)} of {count} records came"
        records += reader.poll(0.1)
    return records


def poll_until(consumer: Reader, condition: Callable[[], bool]) -> list[InRecord]:
    """Poll until a condition holds, and give what was read meanwhile."""
    records: list[InRecord] = []
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, "the condition did not come true"
        records += consumer.poll(0.1)
    return records


def visible(broker: Broker, topic: str) -> list[InRecord]:
    """All records of a topic that a read_committed reader sees up to the end as it is now."""
    with broker.admin() as admin:
        positions = [Position(topic, n) for n in range(admin.describe(topic).partitions)]
    records: list[InRecord] = []
    until = time.monotonic() + DEADLINE_S
    with broker.reader(dict.fromkeys(positions, 0)) as reader:
        ends = reader.end_offsets(positions)
        while any(reader.position(position) < end for position, end in ends.items()):
            assert time.monotonic() < until, "the end was not reached"
            records += reader.poll(0.1)
    return records


def write(broker: Broker, records: Iterable[OutRecord]) -> None:
    """Write records and wait for their acknowledgements."""
    with broker.producer() as producer:
        for delivery in [producer.send(record) for record in records]:
            delivery.result(DEADLINE_S)


def values(records: Iterable[InRecord]) -> list[bytes | None]:
    """The values alone."""
    return [record.value for record in records]
