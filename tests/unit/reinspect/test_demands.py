"""What reviewers ask of a line is told to people and never to the policy."""

from __future__ import annotations

import structlog.testing
from prometheus_client import REGISTRY

from linewarden_reinspect.queue.memory import MemoryQueue
from linewarden_reinspect.queue.types import Change
from linewarden_reinspect.station.watch import QueueWatch
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.memory import MemoryBroker

from .rig import rig
from .slots import AT, opened


def asked(line: str = "line1", recipe: str = "bracket") -> float | None:
    return REGISTRY.get_sample_value("linewarden_line_ask", {"line": line, "recipe": recipe})


def test_a_demand_is_shown_as_a_figure_and_said_once_in_words() -> None:
    clock = ManualClock(AT)
    queue = MemoryQueue(clock)
    with rig(MemoryBroker(clock), queue, clock) as made:
        watch = QueueWatch(queue, clock)
        made.projector.catch_up()
        slot = opened(1, max_age_ms=60_000, opened_ms=AT)
        standing = queue.standing()
        assert standing.topic_id is not None
        queue.apply(standing.topic_id, [Change(0, 0, opened=slot)], {})
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                clock.advance(31.0)
                watch.look()
        assert asked() == 2
        assert [log["words"] for log in logs if log["event"] == "line_asked"] == [
            "Stop line line1: a part of bracket waits for 1 minutes; 1 are allowed."
        ]
        queue.apply(standing.topic_id, [Change(0, 1, closed=slot.slot_id)], {})
        watch.look()
        assert asked() == 0
