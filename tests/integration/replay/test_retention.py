"""On Apache Kafka: retention takes the frames; what is archived replays, and a diverted part's picture still shows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from linewarden_archive.archive import Archive, writing
from linewarden_archive.archiver import Archiver
from linewarden_archive.broker import ArchiveBroker
from linewarden_archive.verify import verify_archive
from linewarden_history.reading import records_since
from linewarden_history.selection import Selection
from linewarden_inspect.keeper.bootstrap import keep
from linewarden_inspect.settings import KeeperSettings
from linewarden_reinspect.queue.memory import MemoryQueue
from linewarden_replay.inspecting import ReplayPlan
from linewarden_replay.replay import run
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.health import Health
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.provision import recipe_record
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Evidence, Inspection
from linewarden_schemas.topics import CATALOGUE
from tests.integration.inspect.test_worker_on_tansu import PARTITIONS, running, send
from tests.support.bundles import digest_in, random_picture
from tests.support.frames import asked, picture_bytes, recipe
from tests.support.topics import Until, Watcher, publish
from tests.unit.reinspect.rig import rig
from tests.unit.reinspect.sockets import UNCLOSED
from tests.unit.reinspect.test_web import Browser

pytestmark = [pytest.mark.kafka, UNCLOSED]
COUNT = 6
ALL = Selection(0, 1 << 52)


def test_what_retention_took_is_replayed_from_the_archive_and_the_diverted_part_still_shows(
    apache_kafka: KafkaBroker, namespace: str, bundle_store: Path, tmp_path: Path
) -> None:
    line = Namespace(namespace)
    with apache_kafka.admin() as admin:
        admin.create_topics(TopicSpec(line.topic(one.name), PARTITIONS, one.config()) for one in CATALOGUE.values())
    publish(apache_kafka, recipe_record(line, recipe(digest_in(bundle_store, "a")), "/test"))
    diverted = inspect_and_keep_one(apache_kafka, line, bundle_store)
    with writing(tmp_path / "archive") as writer:
        Archiver(apache_kafka, line, writer, list(CATALOGUE), SystemClock()).catch_up()
    assert verify_archive(tmp_path / "archive").holds

    retention_takes(apache_kafka, line.topic("frames"))

    assert list(records_since(apache_kafka, line.topic("frames"), 0)) == []
    archived = ArchiveBroker(Archive(tmp_path / "archive"), apache_kafka)
    report = run(archived, line, ReplayPlan(ALL, bundle_store, device="cpu", name=namespace))
    assert (report.frames, report.counts.unreadable, report.differences) == (COUNT, 0, ())
    clock = SystemClock()
    with rig(apache_kafka, MemoryQueue(clock), clock, namespace) as made:
        made.settle()
        browser = Browser(made)
        assert browser.claim()["frames"][0]["frame_id"] == diverted.frame_id
        shown = browser.get(f"/frames/{diverted.frame_id}/picture")
        assert (shown.status_code, shown.content) == (200, picture_bytes(random_picture(0)))


def inspect_and_keep_one(broker: KafkaBroker, line: Namespace, store: Path) -> Inspection:
    """Inspect all, withhold the first visit, and let the keeper copy its picture."""
    with Watcher(broker, line.topic("inspections"), Inspection) as watcher:
        with running(broker, line, store, "0"):
            send(broker, line, range(COUNT), version=1)
            watcher.wait_for(lambda found: len(found) >= COUNT, 60)
        first = min(watcher.found, key=lambda one: one.captured_ms)
    publish(broker, asked(line, first, partitions=PARTITIONS))
    with Watcher(broker, line.topic("evidence"), Evidence) as kept:
        until = Until(lambda: bool(kept.poll(0.01)), time.monotonic() + 60)
        keep(broker, line, KeeperSettings(), until, instance="0", clock=SystemClock(), health=Health())
    return first


def retention_takes(broker: KafkaBroker, topic: str) -> None:
    """Delete what there is now, as the broker does with what is older than a topic's retention."""
    places = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(places, 0)) as reader:
        ends = reader.end_offsets(places)
    admin = KafkaAdminClient(bootstrap_servers=broker.settings.bootstrap_servers)
    admin.delete_records({TopicPartition(*place): end for place, end in ends.items()})
    admin.close()
