"""What a spool makes of what a process that died left: nothing whole is lost, no sequence is given twice."""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from crc32c import crc32c

from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull, SpoolInUse
from linewarden_ingest.spool.format import Kind
from linewarden_ingest.spool.marks import Marks
from linewarden_ingest.spool.reader import Gap, Record
from linewarden_ingest.spool.spool import Spool
from linewarden_ingest.spool.tail import Tail
from linewarden_runtime.files import make_folders
from tests.simulation.filesystem import SimulatedFiles
from tests.unit.ingest.test_spool_on_disk import (
    FOLDER,
    LIMITS,
    cut_off,
    files,
    header_of,
    marks_on,
    picture_of,
    read_all,
    segments,
    spool_on,
    take,
    taken,
)

__all__ = ["files"]
ONE_EACH = replace(LIMITS, segment_bytes=1)


def records(found: list[Record | Gap]) -> list[tuple[int, Kind]]:
    assert not [one for one in found if isinstance(one, Gap)]
    return [(one.sequence, one.kind) for one in found if isinstance(one, Record) and not one.is_corrupt]


def test_what_is_taken_behind_a_torn_record_is_found_by_this_process_and_the_next(files: SimulatedFiles) -> None:
    taken(files, 8).close()
    cut_off(files, 10)
    expected = [*((one, Kind.WHOLE) for one in range(7)), (7, Kind.TORN), (8, Kind.WHOLE), (9, Kind.WHOLE)]
    with spool_on(files) as spool:
        take(spool, 2)
        spool.sync()
        assert spool.segments[-1].size == len(files.content(segments(files)[-1]))
        spool._window.drop(0, 99)
        assert records(read_all(spool)) == expected
    with spool_on(files) as again:
        assert records(read_all(again)) == expected
        assert again.recovered.torn_bytes == 0


def test_a_single_byte_of_a_record_costs_its_sequence(files: SimulatedFiles) -> None:
    taken(files, 3).close()
    (newest,) = segments(files)
    files.damage(newest, files.content(newest) + b"\1")
    with spool_on(files) as spool:
        assert spool.next_sequence == 4
        assert read_all(spool)[-1] == Gap(3, 3)


def test_a_fresh_spool_has_nothing_torn_and_begins_with_the_first_sequence(files: SimulatedFiles) -> None:
    with spool_on(files) as spool:
        assert (spool.recovered.torn_bytes, spool.next_sequence, spool.recovered.last_header) == (0, 0, None)


def test_a_segment_that_was_begun_and_holds_nothing_costs_no_sequence(files: SimulatedFiles) -> None:
    spool = spool_on(files, ONE_EACH)
    take(spool, 3)
    spool._roll()  # the process dies before the record for which it was begun
    files.kill()
    with spool_on(files, ONE_EACH) as again:
        assert again.next_sequence == 3
        assert again.segments[-1].is_empty
        assert again.recovered.last_header == header_of(2)
        take(again)
        again.sync()
        assert records(read_all(again)) == [(one, Kind.WHOLE) for one in range(4)]


def test_the_newest_header_is_found_behind_segments_of_which_nothing_is_left(files: SimulatedFiles) -> None:
    with spool_on(files, ONE_EACH) as spool:
        take(spool, 4)
    for path in segments(files)[-2:]:
        files.damage(path, b"")
    with spool_on(files, ONE_EACH) as again:
        assert again.recovered.last_header == header_of(1)


def test_where_no_segment_holds_a_header_there_is_none(files: SimulatedFiles) -> None:
    with spool_on(files, ONE_EACH) as spool:
        take(spool, 2)
    for path in segments(files):
        files.damage(path, b"")
    with spool_on(files, ONE_EACH) as again:
        assert again.recovered.last_header is None


def test_what_was_left_half_written_beside_the_segments_goes(files: SimulatedFiles) -> None:
    taken(files, 2).close()
    files.close(files.open(FOLDER / "half.tmp", os.O_WRONLY | os.O_CREAT))
    with spool_on(files) as spool:
        assert "half.tmp" not in files.names(FOLDER)
        assert records(read_all(spool)) == [(0, Kind.WHOLE), (1, Kind.WHOLE)]


def test_a_spool_that_was_opened_again_leaves_nothing_open(files: SimulatedFiles) -> None:
    taken(files, 3).close()
    cut_off(files, 10)
    with spool_on(files) as spool:
        take(spool)
    assert files.descriptors == 0


def test_a_spool_that_another_process_holds_is_left_alone(files: SimulatedFiles) -> None:
    with spool_on(files):
        before = files.descriptors
        with pytest.raises(SpoolInUse):
            spool_on(files)
        assert files.descriptors == before


def test_a_segment_whose_name_cannot_be_made_durable_leaves_nothing_behind(files: SimulatedFiles) -> None:
    spool = taken(files, 2, ONE_EACH)
    before, open_before = segments(files), files.descriptors
    files.fail("sync_folder", errno.EIO)
    with pytest.raises(SpoolFull, match="refuses a new segment"):
        take(spool)
    assert segments(files) == before
    assert files.descriptors == open_before
    take(spool)
    spool.sync()
    assert records(read_all(spool)) == [(0, Kind.WHOLE), (1, Kind.WHOLE), (2, Kind.WHOLE)]


def writing(files: SimulatedFiles, *sizes: int) -> None:
    """Let the next appends take so many bytes, then all again."""
    really, left = files.append, list(sizes)

    def append(file: int, pieces: Sequence[bytes]) -> int:
        if not left:
            return really(file, pieces)
        size = left.pop(0)
        return really(file, [b"".join(pieces)[:size]]) if size else 0

    files.append = append  # type: ignore[method-assign]


def test_a_disk_that_takes_a_single_byte_is_given_the_rest(files: SimulatedFiles) -> None:
    spool = taken(files, 2)
    writing(files, 1, 1, 30)
    take(spool)
    spool.sync()
    spool._window.drop(0, 99)
    assert records(read_all(spool)) == [(0, Kind.WHOLE), (1, Kind.WHOLE), (2, Kind.WHOLE)]


def test_a_disk_that_takes_nothing_is_full_and_what_it_took_before_is_taken_back(files: SimulatedFiles) -> None:
    spool = taken(files, 2)
    before = files.content(segments(files)[-1])
    writing(files, 50, 0)
    with pytest.raises(SpoolFull, match="No space left"):
        take(spool)
    assert files.content(segments(files)[-1]) == before
    take(spool)
    spool.sync()
    spool._window.drop(0, 99)
    assert records(read_all(spool)) == [(0, Kind.WHOLE), (1, Kind.WHOLE), (2, Kind.WHOLE)]


def test_what_was_written_in_part_and_cannot_be_taken_back_ends_the_process(files: SimulatedFiles) -> None:
    spool = taken(files, 2)
    writing(files, 50, 0)
    files.fail("cut", errno.EIO)
    with pytest.raises(SpoolBroken, match="cannot be taken back"):
        take(spool)
    files.kill()
    with spool_on(files) as again:
        found = read_all(again)
        assert [one.sequence for one in found if isinstance(one, Record) and one.kind is Kind.WHOLE] == [0, 1]
        assert again.next_sequence == 3


def test_a_process_without_standard_input_may_write_by_descriptor_zero(files: SimulatedFiles) -> None:
    make_folders(FOLDER, files)
    files._next_descriptor = -1
    tail = Tail(files)
    found = [tail.is_open]
    tail.adopt(files.open(FOLDER / "segment", os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    found.append(tail.is_open)
    assert files.descriptors == 1
    for _ in range(2):
        tail.close()
        found.append(tail.is_open)
        assert files.descriptors == 0
    assert found == [False, True, False, False]


def test_a_record_that_fills_a_segment_to_the_byte_lies_in_it(files: SimulatedFiles) -> None:
    spool = taken(files, 1)
    room = len(header_of(1)) + len(picture_of(1))
    spool._limits = replace(LIMITS, segment_bytes=spool.segments[-1].size + room)
    take(spool)
    assert len(spool.segments) == 1
    take(spool)
    assert len(spool.segments) == 2


def slot(magic: bytes) -> bytes:
    body = struct.pack("<4sQQQqq", magic, 1, 1, 10, 20, 30)
    return body + struct.pack("<I", crc32c(body))


def test_marks_of_another_form_or_cut_off_are_not_read_as_these(files: SimulatedFiles) -> None:
    marks_on(files)
    found = []
    for content in (slot(b"LWM2"), slot(b"LWM9"), slot(b"LWM2")[:-2], slot(b"LWM2")[:20], b""):
        files.damage(FOLDER / "marks", content)
        found.append(marks_on(files).load(1))
    assert found == [Marks(1, 10, 20, 30), None, None, None, None]


def blocked(monkeypatch: pytest.MonkeyPatch, spool: Spool, name: str, wait: Callable[[], object]) -> threading.Thread:
    """A thread that calls `wait`; it is asleep as soon as anyone else gets the spool's lock."""
    looking = threading.Event()
    condition = getattr(spool, name)
    really = condition.wait

    def wait_on(seconds: float | None = None) -> bool:
        looking.set()  # holds the lock until it sleeps
        return bool(really(seconds))

    monkeypatch.setattr(condition, "wait", wait_on)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert looking.wait(20.0)
    return thread


def test_who_makes_records_durable_is_woken_by_a_record(files: SimulatedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = taken(files, 1)
    found: list[bool] = []
    thread = blocked(monkeypatch, spool, "_written", lambda: found.append(spool.wait_unsynced(600.0)))
    take(spool)
    thread.join(20.0)
    assert found == [True]


@pytest.mark.parametrize("event", ["durable", "acknowledged"])
def test_who_waits_for_room_is_woken_when_there_may_be_some(
    files: SimulatedFiles, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    monkeypatch.setattr("linewarden_ingest.spool.spool._ROOM_WAIT_S", 600.0)
    spool = taken(files, 2)
    take(spool)
    thread = blocked(monkeypatch, spool, "_room", spool.wait_room)
    spool.sync() if event == "durable" else spool.acknowledge(2)
    thread.join(20.0)
    assert not thread.is_alive()


def test_who_waits_for_room_does_not_burn_the_processor(files: SimulatedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = taken(files, 2)
    waits: list[float] = []
    monkeypatch.setattr(spool._room, "wait", waits.append)
    spool.wait_room()
    assert len(waits) == 1
    assert waits[0] > 0
