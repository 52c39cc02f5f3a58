"""Every broker under test, and what each is known not to do."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from kafka.admin import MemberToRemove

from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.ports import Broker, Consumer, TopicSpec
from linewarden_runtime.testing import MemoryBroker


@dataclass(frozen=True)
class Traits:
    """Where a broker differs from Apache Kafka; measured, and stated in the runtime's README."""

    hides_aborted: bool = True
    checks_generation_in_transactions: bool = True
    describes_configs: bool = True
    none_after_last_time: bool = True
    append_time: bool = True
    deletes_records: bool = True
    static_members_return: bool = True
    keeps_offsets_pending: bool = True


TRAITS = {
    "memory": Traits(),
    "tansu": Traits(
        hides_aborted=False,
        checks_generation_in_transactions=False,
        describes_configs=False,
        none_after_last_time=False,
        append_time=False,
        deletes_records=False,
        static_members_return=False,
        keeps_offsets_pending=False,
    ),
    "apache": Traits(),
}
_FIXTURES = {"memory": "memory_broker", "tansu": "tansu_broker", "apache": "apache_kafka"}
_PARAMS = ["memory", "tansu", pytest.param("apache", marks=pytest.mark.kafka)]


@pytest.fixture(params=_PARAMS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def broker(name: str, request: pytest.FixtureRequest) -> Broker:
    made: Broker = request.getfixturevalue(_FIXTURES[name])
    return made


@pytest.fixture
def traits(name: str) -> Traits:
    return TRAITS[name]


@pytest.fixture
def topic(broker: Broker, namespace: str) -> Callable[..., str]:
    """Makes a topic and gives its physical name."""

    def make(logical: str = "in", partitions: int = 1, **configs: str) -> str:
        spec = TopicSpec(f"{namespace}.{logical}", partitions, {k.replace("_", "."): v for k, v in configs.items()})
        with broker.admin() as admin:
            admin.create_topics([spec])
        return spec.name

    return make


@pytest.fixture
def expel(broker: Broker, namespace: str) -> Callable[[Consumer], None]:
    """Throws all members out of the test's group, as expired sessions are; the members do not know yet."""

    def run(consumer: Consumer) -> None:
        if isinstance(broker, MemoryBroker):
            broker.evict(f"{namespace}.g")
            return
        assert isinstance(broker, KafkaBroker)
        with broker.admin() as admin:
            admin._client.remove_group_members(f"{namespace}.g", [_member(consumer)])

    return run


def _member(consumer: Consumer) -> MemberToRemove:
    group = consumer.group()
    return MemberToRemove(member_id=group.member, group_instance_id=group.instance)
