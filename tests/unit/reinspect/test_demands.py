"""What reviewers ask of a line is told to people and never to the policy."""

from __future__ import annotations

import json
from urllib.request import urlopen

import redis
import structlog.testing
from prometheus_client import REGISTRY

from linewarden_reinspect.queue.types import Change, Ended
from linewarden_reinspect.station.watch import QueueWatch
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.health import Health, HealthServer
from linewarden_runtime.testing import MemoryBroker
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import rig
from tests.unit.reinspect.slots import AT, opened


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
        assert [log["words"] for log in logs if log["event"] == "line asked"] == [
            "Stop line line1: a part of bracket waits for 1 minutes; 1 are allowed."
        ]
        queue.apply(standing.topic_id, [Change(0, 1, closed=slot.slot_id)], {})
        assert watch.demands() == {
            "line line1, bracket": "Stop line line1: a part of bracket waits for 1 minutes; 1 are allowed."
        }
        watch.look()
        assert (asked(), watch.demands()) == (0, {})


class Away(MemoryQueue):
    """A queue whose server can be gone."""

    gone = False

    def reap(self, limit: int = 100) -> tuple[Ended, ...]:
        if self.gone:
            raise redis.ConnectionError("gone")
        return super().reap(limit)


def test_what_a_line_is_asked_for_is_not_known_while_the_queue_is_away() -> None:
    clock = ManualClock(AT)
    queue = Away(clock)
    queue.wipe("topic", {0: 0})
    queue.beat("topic", {0: 0}, 10**9)
    queue.apply("topic", [Change(0, 0, opened=opened(1, max_age_ms=60_000, opened_ms=AT))], {})
    clock.advance(61.0)
    watch = QueueWatch(queue, clock)
    watch.look()
    assert asked() == 2
    queue.gone = True
    watch.look()
    assert asked() == -1
    assert list(watch.demands()) == ["lines"]
    queue.gone = False
    watch.look()
    assert asked() == 2


def test_a_demand_is_told_by_the_probe_and_keeps_nothing_from_being_ready() -> None:
    health = Health(ManualClock())
    health.unwell({"line line1, bracket": "Stop line line1."})
    with HealthServer(health) as server, urlopen(f"http://127.0.0.1:{server.port}/readyz") as answer:
        assert json.load(answer) == {"waiting": {}, "unwell": {"line line1, bracket": "Stop line line1."}}
    health.unwell({})
    assert health.ailments() == {}
