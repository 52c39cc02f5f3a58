"""What retention took from the topics is read from the archive by the same code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from linewarden.cli import main
from linewarden_archive.archive import Archive, writing
from linewarden_archive.archiver import ArchiveLimits, Archiver
from linewarden_archive.broker import ArchiveBroker
from linewarden_history.reading import count_since, records_since
from linewarden_replay.inspecting import ReplayPlan
from linewarden_replay.replay import run
from linewarden_runtime.books import positions_of
from linewarden_runtime.errors import ConfigurationError, LiveTopicRefused, LogTruncated, RetentionOvertook
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.records import InRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.topics import CATALOGUE
from tests.unit.archive.kept import LINE, Line
from tests.unit.inspect.harness import NAMESPACE
from tests.unit.replay.test_replay import ALL, replayed
from tests.unit.replay.test_replay import line as inspected_line

FRAMES = LINE.topic("frames")


def empty(broker: MemoryBroker, topic: str) -> None:
    """Retention takes everything."""
    for place in positions_of(broker, topic):
        broker.log(place).delete_before(broker.log(place).end)
    assert broker.records(topic) == []


def by_place(record: InRecord) -> tuple[int, int]:
    return record.partition, record.offset


def test_readers_find_in_the_archive_what_they_found_in_the_topics(line: Line) -> None:
    for number in range(4):
        line.put_frames(5, first=5 * number)
        line.clock.advance(60)
    before, since = line.records("frames"), line.records("frames")[7].timestamp_ms
    live = [sorted(records_since(line.broker, FRAMES, at), key=by_place) for at in (0, since, since + 1, 1 << 52)]
    counted = count_since(line.broker, FRAMES, since)
    archived = ArchiveBroker(line.archive(), line.broker)
    empty(line.broker, FRAMES)
    assert [list(records_since(archived, FRAMES, at)) for at in (0, since, since + 1, 1 << 52)] == live
    assert live[0] == before
    assert count_since(archived, FRAMES, since) == counted


def test_a_reader_seeks_pauses_and_refuses_as_that_of_a_broker(line: Line) -> None:
    line.put_raw("decisions", *(bytes([n]) for n in range(10)))
    line.put_raw("decisions", b"other", partition=1)
    line.broker.log(Position(LINE.topic("decisions"), 0)).delete_before(2)
    first, second = positions_of(line.broker, LINE.topic("decisions"))
    with ArchiveBroker(line.archive(), line.broker).reader({first: 2, second: 0}, max_records=3) as reader:
        reader.seek(first, 5)
        reader.pause([second])
        assert [one.value for _ in range(3) for one in reader.poll(0.0)] == [bytes([n]) for n in range(5, 10)]
        assert reader.poll(0.0) == []
        reader.resume([second])
        assert [one.value for one in reader.poll(0.0)] == [b"other"]
        reader.seek(first, 0)
        with pytest.raises(RetentionOvertook):
            reader.poll(0.0)
        reader.seek(first, 11)
        with pytest.raises(LogTruncated):
            reader.poll(0.0)


def test_nothing_of_the_archived_namespace_can_be_written_or_joined(line: Line) -> None:
    archived = ArchiveBroker(line.archive(), line.broker)
    with archived.admin() as admin:
        with pytest.raises(LiveTopicRefused):
            admin.create_topics([TopicSpec(LINE.topic("new"), 1)])
        with pytest.raises(LiveTopicRefused):
            admin.delete_topics([FRAMES])
        with pytest.raises(ConfigurationError, match="holds no"):
            admin.describe(LINE.topic("recipes"))
        assert admin.create_topics([TopicSpec("replay.a.inspections", 1)]) == ["replay.a.inspections"]
    with pytest.raises(LiveTopicRefused):
        archived.consumer(group="line1.inspect", topics=[FRAMES])
    with pytest.raises(LiveTopicRefused):
        archived.transactional_producer("line1.route-0")


def test_a_replay_of_the_archive_has_no_differences_when_the_frames_are_gone(
    bundle_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker, root = inspected_line(bundle_store), tmp_path / "archive"
    with writing(root) as writer:
        Archiver(broker, NAMESPACE, writer, list(CATALOGUE), broker.clock, ArchiveLimits(records=8)).catch_up()
    empty(broker, NAMESPACE.topic("frames"))
    empty(broker, NAMESPACE.topic("inspections"))
    assert run(broker, NAMESPACE, ReplayPlan(ALL, bundle_store, device="cpu", name="r0")).frames == 0
    report = run(
        ArchiveBroker(Archive(root), broker), NAMESPACE, ReplayPlan(ALL, bundle_store, device="cpu", name="r1")
    )
    assert (report.frames, report.counts.unreadable, report.differences) == (22, 0, ())
    assert len(replayed(broker)) == 22
    monkeypatch.setattr("linewarden.commands.recorded.live", lambda: (broker, NAMESPACE))
    command = ["replay", "--from", "0", "--to", "9999999999999", "--bundles", str(bundle_store), "--name", "r2"]
    monkeypatch.setattr(sys, "argv", ["linewarden", *command, "--archive", str(root), "--device", "cpu", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["frames"] == 22
