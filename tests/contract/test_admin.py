"""The admin asks again where a broker stalls for a moment, and gives up where it does not come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import errors as kafka_errors

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.kafka.admin import KafkaAdmin
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.ports import TopicSpec


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def admin(tansu_broker: KafkaBroker, clock: ManualClock) -> Iterator[KafkaAdmin]:
    with KafkaAdmin(tansu_broker.settings, clock) as admin:
        yield admin


@pytest.mark.parametrize("question", ["list_topics", "describe_topics", "describe_configs", "list_group_offsets"])
def test_a_question_that_is_not_answered_in_time_is_asked_again(
    admin: KafkaAdmin, namespace: str, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    really, stalls = getattr(admin._client, question), [kafka_errors.KafkaTimeoutError()] * 2

    def stalling(*given: Any) -> Any:
        if stalls:
            raise stalls.pop()
        return really(*given)

    name = f"{namespace}.asked"
    admin.create_topics([TopicSpec(name, 2)])
    monkeypatch.setattr(admin._client, question, stalling)
    assert name in admin.topics()
    assert admin.describe(name).partitions == 2
    assert admin.committed(f"{namespace}.nobody") == {}
    assert not stalls


def test_a_broker_that_does_not_come_back_is_told(
    admin: KafkaAdmin, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> Any:
        clock.advance(5.0)
        raise kafka_errors.KafkaTimeoutError

    monkeypatch.setattr(admin._client, "list_topics", silent)
    with pytest.raises(BrokerUnavailable):
        admin.topics()
    assert 10.0 < clock.monotonic() < 20.0
