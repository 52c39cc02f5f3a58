"""A clock that a test moves, here and in the scripts of a real server."""

from __future__ import annotations

import redis

from linewarden_runtime.clock import ManualClock

TEST_CLOCK = "local function read_clock() return tonumber(redis.call('GET', 'test-clock')) end\n"


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
