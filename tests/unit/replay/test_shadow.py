"""A shadow says live what a re-run says afterwards, takes part in nothing, and does no frame twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from linewarden.commands.options import parse_duration
from linewarden_replay.inspecting import ReplayPlan, Setting
from linewarden_replay.replay import run as rerun
from linewarden_replay.shadow.comparing import ShadowBounds
from linewarden_replay.shadow.shadow import Shadowed, run
from linewarden_replay.shadow.standing import Lag, ShadowStanding
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import LiveTopicRefused, RetentionOvertook
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.records import Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.envelope import decode
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Routing, Verdict
from tests.support.bundles import digest_in
from tests.support.frames import recipe
from tests.support.shift import disposition
from tests.unit.inspect.harness import (
    NAMESPACE,
    CountingStop,
    answer,
    everything_is_committed,
    inspections,
    memory_line,
)
from tests.unit.inspect.test_worker import good
from tests.unit.replay.test_replay import ALL, line
from tests.unit.replay.test_rerun import put
from tests.unit.runtime.test_guard import SHADOW, live_state

FRAMES = NAMESPACE.topic("frames")
GROUP = SHADOW.group("inspect")


def from_the_first(broker: MemoryBroker) -> MemoryBroker:
    """As if the shadow had joined before the first frame."""
    with broker.admin() as admin:
        admin.provision(GROUP, [FRAMES])
    return broker


def shadow(
    broker: MemoryBroker, store: Path, bundle: str, bounds: ShadowBounds | None = None, *, results: Path | None = None
) -> tuple[Shadowed, list[ShadowStanding]]:
    """Run it, on a clock that its waits alone move, until nothing is left to be done or a bound is reached."""
    told: list[ShadowStanding] = []
    plan = ReplayPlan(ALL, store, Setting(digest_in(store, bundle)), "cpu", name="r1")
    stop = CountingStop(lambda: everything_is_committed(broker, GROUP))
    clock = ManualClock()
    found = run(broker, NAMESPACE, plan, bounds or ShadowBounds(), stop, clock=clock, results=results, tell=told.append)
    return found, told


def said(broker: MemoryBroker) -> list[Inspection]:
    found = [decode(r.headers, r.value).message for r in broker.records(SHADOW.topic("inspections"))]
    return [message for message in found if isinstance(message, Inspection)]


def test_the_same_bundle_differs_nowhere_and_nothing_that_is_live_changes(bundle_store: Path) -> None:
    broker = from_the_first(line(bundle_store))
    before = live_state(broker)
    found, _ = shadow(broker, bundle_store, "a")
    assert (found.report.frames, found.report.differing, found.report.containment) == (22, 0, ())
    assert (found.standing.behind, found.overtaken) == (0, None)
    assert live_state(broker) == before
    assert {one.frame_id for one in said(broker)} == {one.frame_id for one in inspections(broker)}
    assert all(one.is_simulated for one in said(broker))


def test_another_bundle_gives_the_report_and_the_list_of_a_re_run(bundle_store: Path) -> None:
    broker = from_the_first(line(bundle_store, 30))
    trusted = {one.visit_id for one in inspections(broker) if one.verdict is Verdict.OK and not one.is_doubtful}
    for number in range(30):
        one = disposition(number, Routing.TRUSTED_PASS, lot_id=f"L{number % 3}", part_id=f"S{number:03d}")
        put(broker, "dispositions", one if one.visit_id in trusted else disposition(number, Routing.REJECTED))
    found, _ = shadow(broker, bundle_store, "b")
    again = rerun(
        broker, NAMESPACE, ReplayPlan(ALL, bundle_store, Setting(digest_in(bundle_store, "b")), "cpu", name="r1")
    )
    assert found.report.as_dict() | {"namespace": ""} == again.as_dict() | {"namespace": ""}
    standing = found.standing
    passed = sum(count for way, count in again.by_routing.items() if way.endswith("-> trusted_pass"))
    assert (standing.would_hold, standing.would_pass) == (len(again.containment), passed)
    assert standing.by_kind == again.by_kind
    assert min(standing.would_hold, standing.would_pass) > 0, "the second bundle does both"


def test_it_begins_with_what_is_captured_now_and_goes_on_where_it_ended_without_doing_a_frame_twice(
    bundle_store: Path, tmp_path: Path
) -> None:
    broker, kept = line(bundle_store, 2), tmp_path / "shadow"
    none, _ = shadow(broker, bundle_store, "a", results=kept)
    begun = dict(broker.group(GROUP).offsets)
    answer(broker, bundle_store, *(good(number) for number in range(10, 32)))
    first, _ = shadow(broker, bundle_store, "a", ShadowBounds(frames=10), results=kept)
    assert (none.report.frames, first.report.frames, first.standing.behind) == (0, 16, 6), "a batch is done to its end"
    rest, _ = shadow(broker, bundle_store, "a", results=kept)
    assert (rest.report.frames, rest.report.counts.resumed, rest.report.differing) == (22, 16, 0)
    broker.group(GROUP).offsets.update(begun)
    again, _ = shadow(broker, bundle_store, "a", results=kept)
    assert (again.report.frames, len(said(broker))) == (22, 22), "nor after offsets that were not committed"


def test_what_was_inspected_before_it_ended_and_routed_before_it_went_on_is_compared(
    bundle_store: Path, tmp_path: Path
) -> None:
    broker, kept = from_the_first(line(bundle_store, 20)), tmp_path / "shadow"
    first, _ = shadow(broker, bundle_store, "b", ShadowBounds(frames=10), results=kept)
    assert (first.report.frames, first.report.counts.unrouted) == (16, 16)
    for number in (*range(20), 100, 101):
        put(broker, "dispositions", disposition(number, Routing.REJECTED))
    answer(broker, bundle_store, good(20))
    put(broker, "dispositions", disposition(20, Routing.REJECTED))
    rest, _ = shadow(broker, bundle_store, "b", results=kept)
    assert (rest.report.frames, rest.report.counts.unrouted) == (23, 0)
    again = rerun(broker, NAMESPACE, ReplayPlan(ALL, bundle_store, Setting(digest_in(bundle_store, "b")), "cpu"))
    assert rest.report.by_routing == again.by_routing != {}


def test_frames_wait_for_their_live_answer_and_are_counted_where_none_comes(bundle_store: Path) -> None:
    broker = from_the_first(memory_line(recipe(digest_in(bundle_store, "a"))))
    for number in range(20):
        broker.append(good(number))
    found, told = shadow(broker, bundle_store, "a", ShadowBounds(wait_s=2.0, tell_s=1.0))
    assert found.report.by_kind["not_recorded"] == found.report.frames == 20
    assert (told[0].frames, told[0].waiting, told[0].behind, found.most_behind) == (0, 16, 20, 20)
    assert [one.falls_behind for one in told[:2]] == [True, False], "said where it grows"
    assert "FALLS BEHIND" in told[0].line()


def test_how_far_it_is_behind_is_unknown_until_each_partition_has_its_start() -> None:
    broker = memory_line()
    with broker.consumer(group=GROUP, topics=[FRAMES]) as consumer:
        lag = Lag(consumer)
        assert lag.measure(0) == (None, False)
        consumer.poll(0.0)
        assert lag.measure(0) == (0, False)
        broker.group(GROUP).offsets.clear()
        assert lag.measure(0) == (None, False)


def test_frames_that_retention_took_are_told_and_what_was_compared_stays(bundle_store: Path) -> None:
    broker = from_the_first(line(bundle_store, 2))
    broker.log(Position(FRAMES, 0)).delete_before(1)
    found, _ = shadow(broker, bundle_store, "a")
    assert isinstance(found.overtaken, RetentionOvertook)
    assert str(found.overtaken) == found.more()["overtaken"]


def test_a_shadow_of_a_shadow_is_refused_and_so_is_what_is_no_duration(bundle_store: Path) -> None:
    with pytest.raises(LiveTopicRefused, match="itself a simulation"):
        run(MemoryBroker(), SHADOW, ReplayPlan(ALL, bundle_store), ShadowBounds(), Stop(), clock=ManualClock())
    assert [parse_duration(text) for text in ("90s", "1.5m", "8h")] == [90.0, 90.0, 28_800.0]
    with pytest.raises(typer.BadParameter, match="no duration"):
        parse_duration("8 hours")
