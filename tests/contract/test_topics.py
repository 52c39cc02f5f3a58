from collections.abc import Callable

import pytest

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_runtime.records import OutRecord, Position
from tests.contract.conftest import Traits
from tests.support.reading import visible, write

Topic = Callable[..., str]


def test_topics_are_made_once(broker: Broker, namespace: str) -> None:
    specs = [TopicSpec(f"{namespace}.a", 2), TopicSpec(f"{namespace}.b", 3)]
    with broker.admin() as admin:
        assert sorted(admin.create_topics(specs)) == [f"{namespace}.a", f"{namespace}.b"]
        assert admin.create_topics(specs) == []
        assert {f"{namespace}.a", f"{namespace}.b"} <= admin.topics()
        assert admin.describe(f"{namespace}.b").partitions == 3


def test_another_partition_count_is_refused(broker: Broker, topic: Topic) -> None:
    name = topic(partitions=2)
    with (
        broker.admin() as admin,
        pytest.raises(ConfigurationError, match=r"2 partitions, not 3: name the line.s own number, --partitions 2"),
    ):
        admin.create_topics([TopicSpec(name, 3)])


def test_a_topics_configuration_can_be_seen(broker: Broker, topic: Topic, traits: Traits) -> None:
    name = topic(cleanup_policy="compact")
    with broker.admin() as admin:
        configs = admin.describe(name).configs
    assert (configs.get("cleanup.policy") == "compact") == traits.describes_configs


def test_a_topic_made_anew_has_another_id_and_is_empty(broker: Broker, topic: Topic) -> None:
    name = topic()
    write(broker, [OutRecord(name, b"k", b"old")])
    with broker.admin() as admin:
        old = admin.topic_id(name)
        assert admin.topic_id(name) == old
        admin.delete_topics([name, f"{name}.unknown"])
        assert name not in admin.topics()
        topic()
        assert admin.topic_id(name) != old
    assert visible(broker, name) == []


def test_an_unknown_topic_is_named_with_what_to_do(broker: Broker, namespace: str) -> None:
    with broker.admin() as admin, pytest.raises(ConfigurationError, match="topics create"):
        admin.describe(f"{namespace}.nowhere")
    with pytest.raises(ConfigurationError, match="topics create"):
        broker.consumer(group=f"{namespace}.g", topics=[f"{namespace}.nowhere"])


def test_provisioning_commits_the_beginning_once(broker: Broker, topic: Topic, namespace: str) -> None:
    name = topic(partitions=2)
    group = f"{namespace}.g"
    with broker.admin() as admin:
        assert admin.provision(group, [name]) == {Position(name, 0): 0, Position(name, 1): 0}
        assert admin.provision(group, [name]) == {}
        assert admin.committed(group) == {Position(name, 0): 0, Position(name, 1): 0}


def test_append_time_is_the_brokers(broker: Broker, topic: Topic, traits: Traits) -> None:
    name = topic(message_timestamp_type="LogAppendTime")
    assert broker.append_time == traits.append_time
    with broker.admin() as admin:
        configs = admin.describe(name).configs
    assert (configs.get("message.timestamp.type") == "LogAppendTime") == traits.append_time
