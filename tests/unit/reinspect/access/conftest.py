"""A station in memory, made once a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT


@pytest.fixture(scope="module")
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        one.settle()
        one.station.watch.look()
        one.station.stop.set()  # streams end at once
        yield one
