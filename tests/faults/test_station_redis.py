"""Redis as a real process, killed at every transition that a station makes; everything else is real too."""

from __future__ import annotations

import pytest

from tests.faults.test_station import SLOW_S, Hall, hall
from tests.support.mortal_station import POINTS
from tests.support.processes import wait_for

__all__ = ["hall"]
pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(1800)]


def test_redis_killed_at_every_transition_loses_nothing_and_decides_nothing_twice(hall: Hall) -> None:
    for point in POINTS:
        station = hall.station(point, hall.valkey.process.pid)
        hall.divert(f"redis.{point}")
        wait_for(lambda: not hall.valkey.process.is_running(), f"Redis is killed at {point}", SLOW_S)
        hall.valkey.start()
        assert station.stop() == 0
    survivor = hall.station()
    hall.settle()
    assert survivor.stop() == 0
