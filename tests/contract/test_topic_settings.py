"""Topics that are not set as the catalogue says are named, with the command that changes them."""

from __future__ import annotations

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_runtime.provision import provision_topics, topic_specs
from linewarden_runtime.testing import MemoryBroker
from linewarden_runtime.topic_settings import deviations, verify_topics
from linewarden_schemas.ids import Namespace
from linewarden_schemas.topics import CATALOGUE

LINE = Namespace("line1")


def test_topics_of_the_catalogue_are_as_they_must_be(broker: Broker, namespace: str) -> None:
    own = Namespace(namespace)
    with broker.admin() as admin:
        provision_topics(admin, own, 2)
        assert not deviations(admin, own, CATALOGUE, stamps=broker.append_time)
    verify_topics(broker, own, CATALOGUE)


@pytest.mark.parametrize(
    ("logical", "setting", "value"),
    [
        ("captures", "message.timestamp.type", "CreateTime"),
        ("route-state", "cleanup.policy", "delete"),
        ("dispositions", "cleanup.policy", "compact"),
        ("inspections", "max.message.bytes", "1000"),
        ("chain-heads", "retention.ms", "86400000"),
    ],
)
def test_a_setting_that_can_lose_or_pass_something_keeps_a_service_from_starting_and_is_mended(
    logical: str, setting: str, value: str
) -> None:
    broker = MemoryBroker(ManualClock())
    with broker.admin() as admin:
        provision_topics(admin, LINE, 2)
        admin.configure(LINE.topic(logical), {setting: value})
        with pytest.raises(ConfigurationError) as refused:
            verify_topics(broker, LINE, CATALOGUE)
        words = str(refused.value)
        assert all(part in words for part in (LINE.topic(logical), setting, value, "topics create --update"))
        assert "\n" not in words
        for one in deviations(admin, LINE, CATALOGUE, stamps=True):
            admin.configure(one.topic, {one.setting: one.wanted})
    verify_topics(broker, LINE, CATALOGUE)


def test_a_shorter_retention_is_the_plant_s_choice_where_nothing_is_kept_for_ever() -> None:
    broker = MemoryBroker(ManualClock())
    with broker.admin() as admin:
        provision_topics(admin, LINE, 2)
        admin.configure("line1.frames", {"retention.ms": "60000"})
        assert [one.setting for one in deviations(admin, LINE, CATALOGUE, stamps=True)] == ["retention.ms"]
    verify_topics(broker, LINE, CATALOGUE)


def test_segments_too_large_to_be_compacted_in_an_hour_are_named_and_keep_nobody_from_starting() -> None:
    broker = MemoryBroker(ManualClock())
    with broker.admin() as admin:
        provision_topics(admin, LINE, 2)
        admin.configure("line1.route-state", {"segment.bytes": str(1 << 30)})
        assert [(one.setting, one.is_fatal) for one in deviations(admin, LINE, CATALOGUE, stamps=True)] == [
            ("segment.bytes", False)
        ]
    verify_topics(broker, LINE, CATALOGUE)


def test_topics_keyed_by_visit_with_another_partition_count_are_named() -> None:
    broker = MemoryBroker(ManualClock())
    specs = [spec for spec in topic_specs(LINE, 2) if spec.name != "line1.decisions"]
    broker.create_topics([*specs, TopicSpec("line1.decisions", 1, CATALOGUE["decisions"].config())])
    with pytest.raises(ConfigurationError, match=r"line1\.decisions: partitions is 1"):
        verify_topics(broker, LINE, CATALOGUE)


def test_a_broker_that_keeps_no_append_times_is_not_asked_for_them() -> None:
    broker = MemoryBroker(ManualClock(), append_time=False)
    with broker.admin() as admin:
        provision_topics(admin, LINE, 2)
        admin.configure("line1.captures", {"message.timestamp.type": "CreateTime"})
        assert deviations(admin, LINE, CATALOGUE, stamps=True)
        assert not deviations(admin, LINE, CATALOGUE, stamps=False)
    verify_topics(broker, LINE, CATALOGUE)
