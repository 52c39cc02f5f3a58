"""A server that would drop keys when its memory is full is refused, and told of with the line to change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from linewarden_reinspect.bootstrap import _report_memory, run_projector, run_station
from linewarden_reinspect.settings import ProjectorProcess, StationProcess
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.redis_client import MemoryWatch, connect
from tests.support.brokers import redis_settings


@pytest.fixture
def client(valkey: str) -> Iterator[redis.Redis]:
    with connect(redis_settings(valkey)) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_projector_and_station_refuse_to_start(client: redis.Redis, valkey: str, policy: str) -> None:
    client.config_set("maxmemory-policy", policy)
    settings = {"redis": redis_settings(valkey), "health_port": 0}
    with pytest.raises(ConfigurationError, match=f"{policy}.*CONFIG SET maxmemory-policy noeviction"):
        run_projector(ProjectorProcess(**settings), Stop())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=f"{policy}.*CONFIG SET maxmemory-policy noeviction"):
        run_station(StationProcess(**settings), Stop())  # type: ignore[arg-type]


def test_a_policy_that_is_changed_while_they_run_makes_them_not_ready_until_it_is_changed_back(
    client: redis.Redis,
) -> None:
    clock, health = ManualClock(), Health()
    watch = MemoryWatch(client, clock)
    for policy, waiting in (("noeviction", set()), ("allkeys-random", {"redis-memory"}), ("noeviction", set())):
        client.config_set("maxmemory-policy", policy)
        clock.advance(15.0)
        _report_memory(health, watch)
        assert set(health.waiting()) == waiting


def test_a_server_that_does_not_answer_is_looked_at_later(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    watch = MemoryWatch(client, clock)
    client.config_set("maxmemory-policy", "allkeys-lru")

    def away(_section: str) -> None:
        raise redis.ConnectionError("down")

    with monkeypatch.context() as patch:
        patch.setattr(client, "info", away)
        watch.require_none()
    assert watch.ailment() is not None


def test_a_user_who_may_not_look_is_told_what_to_allow(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_section: str) -> None:
        raise redis.exceptions.NoPermissionError("this user has no permissions to run the 'info' command")

    monkeypatch.setattr(client, "info", refused)
    assert "+info" in str(MemoryWatch(client, ManualClock()).ailment())
