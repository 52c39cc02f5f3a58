"""A real Valkey (or the server named by an environment variable) and a clock that a test moves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.embedded import EmbeddedRedis

TEST_CLOCK = "local function read_clock() return tonumber(redis.call('GET', 'test-clock')) end\n"


@contextmanager
def redis_client() -> Iterator[redis.Redis]:
    """A client of LINEWARDEN_TEST_REDIS_URL, or of an embedded Valkey."""
    url = os.environ.get("LINEWARDEN_TEST_REDIS_URL")
    if url:
        with redis.Redis.from_url(url) as client:
            yield client
        return
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        yield client


class RedisClock(ManualClock):
    """A manual clock that the scripts read from a key of the server."""

    def __init__(self, client: redis.Redis, now_ms: int) -> None:
        super().__init__(now_ms)
        self._client = client
        self.publish()

    def publish(self) -> None:
        """Write the time where the scripts read it."""
        self._client.set("test-clock", self.now_ms())

    def advance(self, seconds: float) -> None:
        """Move on, here and there."""
        super().advance(seconds)
        self.publish()
