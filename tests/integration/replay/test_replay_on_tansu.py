"""On the embedded broker: inspected, shadowed, kept, balanced and replayed, with no difference."""

from __future__ import annotations

import time
from pathlib import Path

from linewarden_audit.audit import read_ledger
from linewarden_audit.balance import balance
from linewarden_history.index.following import catch_up
from linewarden_history.index.store import StoryIndex
from linewarden_history.index.story import count, stories
from linewarden_history.selection import Selection
from linewarden_inspect.keeper.bootstrap import keep
from linewarden_inspect.settings import KeeperSettings
from linewarden_replay.inspecting import ReplayPlan
from linewarden_replay.replay import run
from linewarden_replay.shadow.comparing import ShadowBounds
from linewarden_replay.shadow.shadow import run as shadow
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.health import Health
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.provision import recipe_record
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Evidence, Inspection
from tests.integration.inspect.test_worker_on_tansu import PARTITIONS, running, send
from tests.support.bundles import digest_in
from tests.support.frames import asked, capture_record, metadata, recipe
from tests.support.topics import Until, Watcher, provisioned, publish

COUNT = 24


def test_what_was_inspected_is_kept_and_repeats_itself(
    tansu: EmbeddedBroker, namespace: str, bundle_store: Path, tmp_path: Path
) -> None:
    broker = KafkaBroker(tansu.settings(6_000))
    line = Namespace(namespace)
    provisioned(broker, line, PARTITIONS)
    publish(broker, recipe_record(line, recipe(digest_in(bundle_store, "a")), "/test"))
    publish(broker, *(capture_record(line, metadata(b"", n), n, partitions=PARTITIONS) for n in range(COUNT)))
    plan = ReplayPlan(Selection(0, 1 << 52), bundle_store, device="cpu", name=namespace)
    with broker.admin() as admin:
        admin.provision(f"shadow.{namespace}.inspect", [line.topic("frames")])
    with Watcher(broker, line.topic("inspections"), Inspection) as watcher:
        with running(broker, line, bundle_store, "0"):
            send(broker, line, range(COUNT), version=1)
            bounds = ShadowBounds(COUNT, for_s=120.0)
            beside = shadow(broker, line, plan, bounds, Stop(), clock=SystemClock()).report
            watcher.wait_for(lambda found: len(found) >= COUNT, 60)
        inspected = {one.frame_id: one for one in watcher.found}

    assert (beside.frames, beside.differences) == (COUNT, ()), "the shadow waited for each live answer"
    report = run(broker, line, plan)
    assert (report.frames, report.differences) == (COUNT, ())

    with StoryIndex(tmp_path / "index", namespace) as index:
        catch_up(broker, line, index)
        (story,) = stories(index, min(one.visit_id for one in inspected.values()))
        assert [one.kind for one in story.happened] == ["captured", "inspected"]
        assert count(index, Selection(0, 1 << 52, camera_id="cam1")) == COUNT

    published = max(one.captured_ms for one in inspected.values())
    balanced = balance(read_ledger(broker, line), published + 1_000)
    assert balanced.closes, balanced
    assert (balanced.frames, balanced.inspected, balanced.in_flight) == (COUNT, COUNT, COUNT)

    publish(broker, *(asked(line, one, partitions=PARTITIONS) for one in inspected.values()))
    with Watcher(broker, line.topic("evidence"), Evidence) as kept:
        until = Until(lambda: len(kept.poll(0.01)) >= COUNT, time.monotonic() + 60)
        keep(
            broker,
            line,
            KeeperSettings(),
            until,
            instance="0",
            clock=SystemClock(),
            health=Health(),
        )
        assert {one.frame_id for one in kept.found} == inspected.keys()
        assert [one.missing for one in kept.found if one.missing] == []
        assert all(one.sha256 == inspected[one.frame_id].frame_sha256 for one in kept.found)
