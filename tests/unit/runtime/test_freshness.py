"""What is followed is believed for a stated time after the last look that succeeded."""

from __future__ import annotations

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.freshness import Freshness


def test_a_look_renews_as_of_its_begin_and_only_where_it_succeeds() -> None:
    clock = ManualClock()
    freshness = Freshness(clock, 60.0)
    clock.advance(50.0)
    with freshness.look():
        clock.advance(10.0)
    clock.advance(50.0)
    assert freshness.stale_s() is None
    clock.advance(1.0)
    with pytest.raises(BrokerUnavailable), freshness.look():
        raise BrokerUnavailable("gone")
    assert freshness.stale_s() == 61.0
