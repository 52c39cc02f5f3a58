from collections.abc import Callable

import pytest
from kafka import TopicPartition

from linewarden_runtime.errors import LogTruncated, RetentionOvertook
from linewarden_runtime.kafka.admin import KafkaAdmin
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from tests.contract.conftest import Traits
from tests.support.reading import poll_until, take, values, write

Topic = Callable[..., str]


def _delete_before(broker: Broker, position: Position, offset: int) -> None:
    if isinstance(broker, MemoryBroker):
        broker.log(position).delete_before(offset)
        return
    with broker.admin() as admin:
        assert isinstance(admin, KafkaAdmin)
        admin._client.delete_records({TopicPartition(*position): offset})


def test_a_reader_overtaken_by_retention_says_so_and_skips_nothing(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    if not traits.deletes_records:
        pytest.xfail("this broker deletes nothing")
    name = topic()
    position = Position(name, 0)
    write(broker, [OutRecord(name, b"k", str(n).encode()) for n in range(5)])
    with broker.admin() as admin:
        admin.provision(f"{namespace}.g", [name])
    _delete_before(broker, position, 3)
    with (
        broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer,
        pytest.raises(RetentionOvertook) as caught,
    ):
        poll_until(consumer, lambda: False)
    assert (caught.value.position, caught.value.wanted, caught.value.earliest) == (position, 0, 3)


def test_a_new_group_starts_at_the_oldest_record_still_there(
    broker: Broker, topic: Topic, namespace: str, traits: Traits
) -> None:
    if not traits.deletes_records:
        pytest.xfail("this broker deletes nothing")
    name = topic()
    write(broker, [OutRecord(name, b"k", str(n).encode()) for n in range(5)])
    _delete_before(broker, Position(name, 0), 3)
    with broker.consumer(group=f"{namespace}.g", topics=[name]) as consumer:
        assert values(take(consumer, 2)) == [b"3", b"4"]


def test_an_offset_beyond_the_end_is_a_truncated_log(broker: Broker, topic: Topic, name: str) -> None:
    if name == "tansu":
        pytest.xfail("this broker answers such a fetch with nothing")
    position = Position(topic(), 0)
    with broker.reader({position: 5}) as reader, pytest.raises(LogTruncated):
        poll_until(reader, lambda: False)
