"""What was committed is archived byte for byte, once, and goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from linewarden_archive.archive import Archive, writing
from linewarden_archive.archiver import Archiver
from linewarden_archive.entries import ArchiveSegment
from linewarden_archive.findings import ArchiveDamaged
from linewarden_archive.places import MANIFEST, SegmentPlace, segment_path
from linewarden_archive.restore import restore
from linewarden_audit.notary.chain import link_of
from linewarden_runtime.errors import ConfigurationError, LiveTopicRefused, RetentionOvertook
from linewarden_runtime.files import SYSTEM_FILES
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.ids import Namespace
from tests.unit.archive.kept import LINE, TOPICS, Line


def archived(archive: Archive, topic: str) -> list[InRecord]:
    return sorted(archive.records(topic), key=lambda one: (one.partition, one.offset))


def test_every_byte_of_key_headers_and_value_comes_back(line: Line) -> None:
    line.put_frames(9)
    line.put_raw("frames", b"no picture", None, b"")
    line.put_raw("decisions", b"{}", None, b"\xff\x00 no JSON", b"")
    archive = line.archive()
    for topic in ("frames", "decisions"):
        assert archived(archive, topic) == line.records(topic)
    assert line.report().holds


def test_the_names_of_its_folders_are_durable_too(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[Path] = set()
    monkeypatch.setattr(type(SYSTEM_FILES), "sync_folder", lambda _, folder: synced.add(folder))
    line.put_frames(3)
    line.archive()
    made = [path for path in line.root.rglob("*") if path.is_dir()]
    assert made
    assert {folder.parent for folder in (line.root, *made)} <= synced


def test_pictures_lie_in_the_file_as_messages_that_viewers_of_mcap_know(line: Line) -> None:
    line.put_frames(3)
    segment = line.archive().segments("frames")[0]
    with segment_path(line.root, segment.place).open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        shown = list(reader.iter_decoded_messages(topics=["/frames/cam1"]))
    assert {schema.name for schema, _, _, _ in shown if schema} == {"foxglove.CompressedImage"}
    pictures = [one.value for one in line.records("frames") if one.partition == segment.partition]
    assert [(message.data, message.format) for _, _, _, message in shown] == [(one, "png") for one in pictures]


def test_records_of_an_aborted_transaction_are_not_archived(line: Line) -> None:
    topic = LINE.topic("decisions")
    line.put_raw("decisions", b"first")
    with line.broker.transactional_producer("t") as producer:
        producer.init()
        with pytest.raises(Exception, match="partition"):
            producer.transact([OutRecord(topic, b"k", b"aborted", (), 0), OutRecord(topic, b"k", b"?", (), 99)])
    line.put_raw("decisions", b"second")
    assert [one.value for one in archived(line.archive(), "decisions")] == [b"first", b"second"]


def test_it_goes_on_where_the_manifest_ends_and_archives_nothing_twice(line: Line) -> None:
    line.put_frames(5)
    line.archive()
    line.put_frames(6, first=5)
    archive = line.archive()
    assert archived(archive, "frames") == line.records("frames")
    assert line.archive().head == archive.head


def test_an_archiver_that_died_before_its_line_was_written_makes_the_same_segment_again(line: Line) -> None:
    line.put_frames(8)
    head = line.archive().head
    manifest = line.root / MANIFEST
    *kept, last, _ = manifest.read_bytes().split(b"\n")
    manifest.write_bytes(b"\n".join(kept) + b"\n" + last[: len(last) // 2])
    assert not line.report().holds
    assert line.archive().head == head
    assert line.report().holds
    manifest.write_bytes(last[:9])
    with writing(line.root) as writer:
        assert writer.is_new


def test_the_largest_open_segment_is_closed_when_memory_is_short(line: Line) -> None:
    line.limits = replace(line.limits, records=100, held_bytes=30)
    line.put_raw("decisions", b"x" * 12, b"x" * 12)
    line.put_raw("dispositions", b"y" * 8, b"y" * 8)
    entries = [one for one in line.archive().entries if isinstance(one, ArchiveSegment)]
    assert [(one.topic, one.records) for one in entries] == [("decisions", 2), ("dispositions", 2)]


def test_records_that_retention_took_first_are_refused_or_told_by_name(line: Line) -> None:
    line.put_raw("decisions", b"a", b"b")
    line.archive()
    line.put_raw("decisions", b"c", b"d")
    line.broker.log(Position(LINE.topic("decisions"), 0)).delete_before(3)
    with pytest.raises(RetentionOvertook):
        line.archive()
    archive = line.archive(accept_gap="ann")
    (gap,) = archive.gaps()
    assert (gap.first_offset, gap.next_offset, gap.actor) == (2, 3, "ann")
    assert [one.value for one in archive.records("decisions")] == [b"a", b"b", b"d"]
    assert line.report().gaps == 1


def test_a_topic_that_was_made_anew_is_refused(line: Line) -> None:
    line.put_raw("decisions", b"a", b"b")
    line.archive()
    line.clock.advance(1)
    with line.broker.admin() as admin:
        admin.delete_topics([LINE.topic("decisions")])
        provision_topics(admin, LINE, partitions=2)
    with pytest.raises(ConfigurationError, match="another topic of the name decisions"):
        line.archive()


def test_another_namespace_is_refused(line: Line) -> None:
    line.archive()
    other = Namespace("line2")
    with line.broker.admin() as admin:
        provision_topics(admin, other, partitions=2)
    with pytest.raises(ConfigurationError, match="of line1, not of line2"), writing(line.root) as writer:
        Archiver(line.broker, other, writer, TOPICS, line.clock)


def test_a_folder_of_something_else_or_without_its_manifest_is_no_place_for_an_archive(line: Line) -> None:
    line.put_frames(1)
    line.archive()
    (line.root / MANIFEST).unlink()
    with pytest.raises(ConfigurationError, match="empty folder"):
        line.archive()
    with pytest.raises(ArchiveDamaged, match="its manifest is gone"):
        Archive(line.root)


def test_one_process_writes_an_archive_at_a_time(line: Line) -> None:
    with writing(line.root), pytest.raises(ConfigurationError, match="another process"), writing(line.root):
        pass


def test_a_restore_is_byte_identical_and_goes_to_a_replay_alone(line: Line) -> None:
    line.put_frames(9)
    line.put_raw("decisions", b"{}", None)
    archive = line.archive()
    with pytest.raises(LiveTopicRefused):
        restore(line.broker, archive, Namespace("line2"), ["frames"])
    own = Namespace("replay.restored")
    assert restore(line.broker, archive, own, ["frames", "decisions"]) == 11
    for topic in ("frames", "decisions"):
        found = sorted(line.broker.records(own.topic(topic)), key=lambda one: (one.partition, one.offset))
        before = line.records(topic)
        assert [(one.partition, link_of(one)) for one in found] == [(one.partition, link_of(one)) for one in before]
    with pytest.raises(ConfigurationError, match="already"):
        restore(line.broker, archive, own, ["frames"])


def test_a_restore_stops_at_a_damaged_segment(line: Line) -> None:
    line.put_frames(9)
    archive = line.archive()
    damaged = segment_path(line.root, archive.segments("frames")[-1].place)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ArchiveDamaged, match="is cut"):
        restore(line.broker, archive, Namespace("replay.a"), ["frames"])


@pytest.mark.parametrize("topic", ["../../etc", "frames/..", "nothing"])
def test_no_topic_but_those_of_the_catalogue_makes_a_path(topic: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveDamaged):
        segment_path(tmp_path, SegmentPlace(topic, 0, 0))
    with pytest.raises(ArchiveDamaged):
        segment_path(tmp_path, SegmentPlace("frames", -1, 0))


def test_a_symbolic_link_is_never_followed(line: Line, tmp_path: Path) -> None:
    line.put_frames(3)
    archive = line.archive()
    victim = tmp_path / "victim"
    victim.mkdir()
    partition = line.root / "frames" / f"partition={archive.segments('frames')[0].partition}"
    partition.rename(victim / "0")
    partition.symlink_to(victim / "0")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        list(archive.records("frames"))
    line.put_frames(9, first=3)
    with pytest.raises(ConfigurationError, match="symbolic link"):
        line.archive()
    assert not list((victim / "0").glob("*.partial"))
    assert {one.wrong.name for one in line.report().findings} == {"LINK"}
