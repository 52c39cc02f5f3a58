"""The spool never accepts a bad record and never loses a good one that lies before the damage."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewarden_ingest.spool.faults import SpoolFull, SpoolInUse
from linewarden_ingest.spool.format import Kind
from linewarden_ingest.spool.reader import Gap, Record, SpoolReader
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.worker import commit
from linewarden_runtime.background import Background
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.lifecycle import Stop

SMALL = SpoolLimits(capacity_bytes=40_000, segment_bytes=4_000, unsynced_bytes=10_000)


def header_of(number: int) -> bytes:
    return f"header {number}".encode()


def picture_of(number: int, size: int = 700) -> bytes:
    return bytes([number % 251]) * size


def open_spool(folder: Path, limits: SpoolLimits = SMALL, now_ms: int = 1_000) -> Spool:
    return Spool(folder, limits, ManualClock(now_ms))


def fill(spool: Spool, count: int) -> None:
    for _ in range(count):
        number = spool.next_sequence
        spool.append(header_of(number), picture_of(number))
    spool.sync()


def read_all(reader: SpoolReader) -> list[Record | Gap]:
    found = []
    while (item := reader.next()) is not None:
        found.append(item)
    return found


def sequences(items: list[Record | Gap]) -> list[int]:
    return [item.sequence for item in items if isinstance(item, Record)]


def test_records_come_back_as_they_were_over_several_segments(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 20)
        found = read_all(spool.reader())
    sizes = [path.stat().st_size for path in tmp_path.glob("*.seg")]
    assert len(sizes) > 2
    assert max(sizes) <= SMALL.segment_bytes
    assert [(r.sequence, r.header, r.payload) for r in found if isinstance(r, Record)] == [
        (n, header_of(n), picture_of(n)) for n in range(20)
    ]


def test_nothing_is_read_before_it_is_durable(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.append(b"h", b"p")
        reader = spool.reader()
        assert reader.next() is None
        spool.sync()
        assert sequences(read_all(reader)) == [0]


def test_the_committer_makes_records_durable_by_itself(tmp_path: Path) -> None:
    durable = threading.Event()
    with open_spool(tmp_path) as spool, Background("commit", lambda until: commit(spool, until.event), Stop()):
        reader = spool.reader(durable.set)
        spool.append(b"h", b"p")
        while not (found := read_all(reader)):
            assert durable.wait(10.0)
            durable.clear()
        assert sequences(found) == [0]


def test_sequences_go_on_after_a_restart_and_the_epoch_stays(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 7)
    with open_spool(tmp_path, now_ms=9_000) as again:
        assert again.epoch == 1_000
        assert again.next_sequence == 7
        assert again.recovered.last_header == header_of(6)
        assert sequences(read_all(again.reader())) == list(range(7))


def test_a_lost_spool_begins_a_new_epoch(tmp_path: Path) -> None:
    with open_spool(tmp_path / "a") as spool:
        fill(spool, 3)
    shutil.rmtree(tmp_path / "a")
    with open_spool(tmp_path / "a", now_ms=2_000) as again:
        assert (again.epoch, again.next_sequence) == (2_000, 0)


def test_a_restart_begins_behind_what_was_acknowledged(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 20)
        spool.acknowledge(12)
    with open_spool(tmp_path) as again:
        assert sequences(read_all(again.reader())) == list(range(12, 20))


def test_without_its_marks_everything_kept_is_sent_again_and_nothing_counts_as_lost(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 20)
        spool.acknowledge(12)
    (tmp_path / "marks").write_text("rubbish")
    with open_spool(tmp_path) as again:
        found = read_all(again.reader())
        assert not [item for item in found if isinstance(item, Gap)]
        assert sequences(found)[-8:] == list(range(12, 20))


def test_acknowledged_segments_are_deleted_and_make_room(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        with pytest.raises(SpoolFull):
            fill(spool, 1000)
        spool.sync()
        before = spool.next_sequence
        spool.acknowledge(before)
        assert len(list(tmp_path.glob("*.seg"))) == 1
        fill(spool, 1)
        assert spool.next_sequence == before + 1


def test_an_announced_sequence_is_never_given_again(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 5)
        spool.announce(4)
    (segment,) = sorted(tmp_path.glob("*.seg"))[-1:]
    segment.write_bytes(b"")
    with open_spool(tmp_path) as again:
        assert again.next_sequence >= 5


def test_a_picture_cut_off_leaves_its_capture(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 3)
    (segment,) = tmp_path.glob("*.seg")
    segment.write_bytes(segment.read_bytes()[:-100])
    with open_spool(tmp_path) as again:
        found = read_all(again.reader())
        assert again.recovered.torn_bytes > 0
        assert sequences(found) == [0, 1, 2]
        assert isinstance(found[2], Record)
        assert (found[2].kind, found[2].header, found[2].payload) == (Kind.TORN, header_of(2), None)


def test_a_second_process_cannot_hold_the_same_spool(tmp_path: Path) -> None:
    with open_spool(tmp_path), pytest.raises(SpoolInUse):
        open_spool(tmp_path)


def test_shedding_drops_pictures_of_the_oldest_segment_not_begun_and_keeps_every_header(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 20)
        reader = spool.reader()
        reader.next()
        dropped = spool.shed()
        found = read_all(reader)
    assert dropped > 0
    shed = [r.sequence for r in found if isinstance(r, Record) and r.kind is Kind.DROPPED]
    assert len(shed) == dropped
    assert sequences(found) == list(range(1, 20))
    assert shed[0] > 1  # the segment being read kept its pictures


def test_shedding_ends_when_no_picture_is_left(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 12)
        total = 0
        while dropped := spool.shed():
            total += dropped
        assert total == 12
        assert len(sequences(read_all(spool.reader()))) == 12


def test_a_record_as_the_reader_goes_back_is_read_again(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 15)
        reader = spool.reader()
        read_all(reader)
        reader.seek(4)
        assert sequences(read_all(reader)) == list(range(4, 15))


def test_what_finds_no_room_in_memory_is_read_from_the_disk_in_its_turn(tmp_path: Path) -> None:
    small = SpoolLimits(capacity_bytes=40_000, segment_bytes=4_000, unsynced_bytes=10_000, window_bytes=2_000)
    with open_spool(tmp_path, small) as spool:
        reader = spool.reader()
        found = []
        for count in (7, 1, 6):
            for _ in range(count):
                number = spool.next_sequence
                spool.append(header_of(number), picture_of(number), note=number)
            spool.sync()
            found += read_all(reader)[:-1] if count == 7 else read_all(reader)
            if count == 7:
                reader.seek(6)  # the last one again
    assert sequences(found) == list(range(14))
    records = [one for one in found if isinstance(one, Record)]
    assert [(one.header, one.payload) for one in records] == [(header_of(n), picture_of(n)) for n in range(14)]
    assert {one.note for one in records} >= {None, 0, 1}


def test_shedding_drops_pictures_that_are_still_in_memory_too(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        fill(spool, 3)
        assert spool.shed() == 3
        found = read_all(spool.reader())
    assert [(one.kind, one.payload) for one in found if isinstance(one, Record)] == [(Kind.DROPPED, None)] * 3


@settings(max_examples=150)
@given(data=st.data(), sizes=st.lists(st.integers(0, 1500), min_size=1, max_size=12))
def test_damage_is_told_and_never_read_as_good(data: st.DataObject, sizes: list[int]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        ends = _write(folder, sizes)
        name, first_bad = _damage(folder, data)
        with open_spool(folder) as spool:
            found = read_all(spool.reader())
        _check(found, sizes, whole_before=_whole_before(ends, name, first_bad))
    finally:
        shutil.rmtree(folder)


def _write(folder: Path, sizes: list[int]) -> list[tuple[str, int]]:
    """Fill a spool; for each record the segment it lies in and where it ends there."""
    ends = []
    with open_spool(folder) as spool:
        for number, size in enumerate(sizes):
            spool.append(header_of(number), picture_of(number, size))
            ends.append((spool.segments[-1].path.name, spool.segments[-1].size))
    return ends


def _damage(folder: Path, data: st.DataObject) -> tuple[str, int]:
    """Cut the newest segment off somewhere, or flip one bit anywhere; where the damage begins."""
    files = sorted(folder.glob("*.seg"))
    if data.draw(st.booleans()):
        raw = files[-1].read_bytes()
        at = data.draw(st.integers(0, len(raw) - 1))
        files[-1].write_bytes(raw[:at])
        return files[-1].name, at
    file = data.draw(st.sampled_from(files))
    flipped = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(flipped) - 1))
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(bytes(flipped))
    return file.name, at


def _whole_before(ends: list[tuple[str, int]], name: str, first_bad: int) -> int:
    """How many records lie wholly before the damage."""
    return sum(1 for file, end in ends if file < name or (file == name and end <= first_bad))


def _check(found: list[Record | Gap], sizes: list[int], whole_before: int) -> None:
    good = [r for r in found if isinstance(r, Record) and r.kind is Kind.WHOLE and not r.is_corrupt]
    for record in good:
        assert record.header == header_of(record.sequence)
        assert record.payload == picture_of(record.sequence, sizes[record.sequence])
    assert [r.sequence for r in good][:whole_before] == list(range(whole_before))
    lost = len(sizes) - len(good)
    assert lost <= 1 or len(good) == whole_before  # one flipped bit costs one record; a cut all behind it
