"""The spool on a disk that fills up, fails, and forgets what was not synced: nothing that was taken is lost."""

from __future__ import annotations

import errno
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from crc32c import crc32c

from linewarden_ingest.metrics import UNFREED
from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull
from linewarden_ingest.spool.format import Kind, frame_record
from linewarden_ingest.spool.marks import Marks, MarksFile, MarksKeeper
from linewarden_ingest.spool.reader import Gap, Record
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.files import make_folders
from tests.simulation.filesystem import BLOCK_BYTES, Died, SimulatedFiles

FOLDER = Path("/var/spool/cam0")
LIMITS = SpoolLimits(capacity_bytes=60_000, segment_bytes=6_000, unsynced_bytes=1 << 20, window_bytes=4_000)


def header_of(number: int) -> bytes:
    return f"header {number}".encode()


def picture_of(number: int) -> bytes:
    return bytes([number % 251]) * (300 + number * 37 % 900)


def spool_on(files: SimulatedFiles, limits: SpoolLimits = LIMITS) -> Spool:
    return Spool(FOLDER, limits, ManualClock(1_000), files=files, draw=files.chance.randbytes)


def take(spool: Spool, count: int = 1) -> None:
    for _ in range(count):
        number = spool.next_sequence
        spool.append(header_of(number), picture_of(number))


def read_all(spool: Spool) -> list[Record | Gap]:
    reader, found = spool.reader(), []
    while (item := reader.next()) is not None:
        found.append(item)
    reader.close()
    return found


def segments(files: SimulatedFiles) -> list[Path]:
    return [FOLDER / name for name in files.names(FOLDER) if name.endswith(".seg")]


class Life:
    """Random work on a spool until the process dies; remembers what the spool promised meanwhile."""

    def __init__(self, files: SimulatedFiles) -> None:
        self.files = files
        self.taken: set[int] = set()
        self.acked = 0
        self.announced = -1

    def live(self) -> None:
        self.spool = spool_on(self.files)
        self.written = self.check(self.spool)
        self.reader = self.spool.reader()
        acts = (self.take, self.spool.sync, self.reader.next, self.acknowledge, self.announce, self.spool.shed)
        for act in self.files.chance.choices(acts, (6, 3, 3, 2, 1, 0.3), k=10_000):
            act()
            self.taken |= {one for one in self.written if one < self.spool.durable_next}

    def take(self) -> None:
        number = self.spool.next_sequence
        with suppress(SpoolFull):
            take(self.spool)
            self.written.add(number)

    def acknowledge(self) -> None:
        self.acked = self.files.chance.randint(self.acked, max(self.acked, self.reader.next_sequence))
        self.spool.acknowledge(self.acked)

    def announce(self) -> None:
        last = self.spool.durable_next - 1
        with suppress(SpoolFull):
            self.spool.announce(last)
            self.announced = last

    def check(self, spool: Spool) -> set[int]:
        """What was promised before holds; what can be read now is promised too."""
        found = read_all(spool)
        records = {item.sequence: item for item in found if isinstance(item, Record)}
        lost = {sequence for item in found if isinstance(item, Gap) for sequence in range(item.first, item.last + 1)}
        assert spool.next_sequence > max(self.taken | {self.announced}), "a sequence is given twice"
        assert not lost & self.taken, "what was taken or even acknowledged counts as lost"
        assert {one for one in self.taken if one >= self.acked} <= set(records)
        for sequence in self.taken & set(records):
            assert not records[sequence].is_corrupt
            assert records[sequence].kind in {Kind.WHOLE, Kind.DROPPED}
        for sequence, record in records.items():
            assert record.header == header_of(sequence)
            assert record.is_corrupt or record.payload in {None, picture_of(sequence)}
        return {one for one, record in records.items() if record.kind is Kind.WHOLE and not record.is_corrupt}


@pytest.mark.parametrize("seed", range(40))
def test_what_was_taken_is_there_after_any_death_and_any_power_cut(seed: int) -> None:
    files = SimulatedFiles(seed, short_writes=0.1)
    life = Life(files)
    for _ in range(4):
        files.die_at = files.steps + files.chance.randrange(5, 250)
        with pytest.raises(Died):
            life.live()
        files.kill() if files.chance.random() < 0.3 else files.cut_power()
    with spool_on(files) as spool:
        life.check(spool)


@pytest.mark.parametrize("seed", range(15))
def test_what_was_taken_is_there_after_disk_errors_and_a_full_disk(seed: int) -> None:
    files = SimulatedFiles(seed)
    life = Life(files)
    for _ in range(4):
        files.capacity_bytes = files.used_bytes + files.chance.randrange(2, 12) * BLOCK_BYTES
        files.die_at = files.steps + files.chance.randrange(5, 250)
        step = files.chance.choice(["append", "write", "cut", "open", "sync", "sync_folder", "replace", "remove"])
        files.fail(step, files.chance.choice([errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS]))
        with pytest.raises((Died, SpoolBroken)):
            life.live()
        files.heal()
        files.kill()
        files.capacity_bytes = 1 << 40
    with spool_on(files) as spool:
        life.check(spool)


@pytest.fixture
def files() -> SimulatedFiles:
    return SimulatedFiles(7)


def fill_disk(files: SimulatedFiles) -> None:
    files.capacity_bytes = files.used_bytes


def taken(files: SimulatedFiles, count: int, limits: SpoolLimits = LIMITS) -> Spool:
    spool = spool_on(files, limits)
    take(spool, count)
    spool.sync()
    return spool


def cut_off(files: SimulatedFiles, count: int) -> None:
    """Take bytes off the end of the newest segment."""
    newest = segments(files)[-1]
    files.damage(newest, files.content(newest)[:-count])


def test_a_sequence_whose_record_was_cut_off_whole_is_left_out_and_shows_through_restarts(
    files: SimulatedFiles,
) -> None:
    taken(files, 3)
    files.kill()
    cut_off(files, len(picture_of(2)) + 3)
    for _ in range(2):  # the second start dies before it takes anything
        spool_on(files)
        files.kill()
    with spool_on(files) as spool:
        take(spool)
        spool.sync()
        found = read_all(spool)
    assert [item for item in found if isinstance(item, Gap)] == [Gap(2, 2)]
    assert [item.sequence for item in found if isinstance(item, Record)] == [0, 1, 3]


@pytest.mark.parametrize("marks", ["as they are", "lost before"])
def test_what_a_heartbeat_told_is_never_given_again_though_its_records_are_gone(
    files: SimulatedFiles, marks: str
) -> None:
    taken(files, 5).close()
    if marks == "lost before":
        files.remove(FOLDER / "marks")
    spool = spool_on(files)
    spool.announce(4)
    files.cut_power()
    files.damage(segments(files)[-1], b"")
    assert spool_on(files).next_sequence == 5


def marks_on(files: SimulatedFiles) -> MarksFile:
    make_folders(FOLDER, files)
    return MarksFile(FOLDER, files)


def test_marks_that_are_torn_leave_the_ones_before_them(files: SimulatedFiles) -> None:
    marks = marks_on(files)
    marks.load(1)
    for turn in range(5):
        before = files.content(FOLDER / "marks")
        marks.save(Marks(1, turn))
        after = files.content(FOLDER / "marks")
        changed = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        block = changed[0] // BLOCK_BYTES * BLOCK_BYTES
        torn = [after[:at] + bytes([after[at] ^ 255]) + after[at + 1 :] for at in changed]
        for content in (*torn, after[:block] + bytes(BLOCK_BYTES) + after[block + BLOCK_BYTES :]):
            files.damage(FOLDER / "marks", content)
            assert marks_on(files).load(1) == (Marks(1, turn - 1) if turn else None)
        files.damage(FOLDER / "marks", after)
        assert marks_on(files).load(1) == Marks(1, turn)
    assert marks.load(2) is None, "marks of a lost spool are not those of its successor"


def test_marks_that_are_on_a_disk_are_found_where_they_were_written(files: SimulatedFiles) -> None:
    marks_on(files).load(1)
    slots = [struct.pack("<4sQQQqq", b"LWM2", turn, 1, 10 + turn, 20, 30) for turn in (2, 3)]
    files.damage(
        FOLDER / "marks", b"".join((it + struct.pack("<I", crc32c(it))).ljust(BLOCK_BYTES, b"\0") for it in slots)
    )
    assert marks_on(files).load(1) == Marks(1, 13, 20, 30)


def test_the_pointer_is_written_at_once_or_within_a_quarter_of_a_second_of_further_acknowledgements(
    files: SimulatedFiles,
) -> None:
    file, clock = marks_on(files), ManualClock()
    file.load(1)
    keeper = MarksKeeper(file, Marks(1, 0), clock)
    written = []
    for after_s, durably in [(0.0, False), (0.24, False), (0.01, False), (0.0, False), (0.0, True), (0.25, False)]:
        clock.advance(after_s)
        keeper.acked(keeper.now.acked_next + 1, durably=durably)
        found = marks_on(files).load(1)
        written.append(found.acked_next if found else None)
    assert written == [None, None, 3, 3, 5, 6]


def text_marks(epoch: int, acked_next: int, announced: int) -> bytes:
    text = f"{epoch} {acked_next} {announced} -1"
    return f"{text} {crc32c(text.encode()):08x}\n".encode()


@pytest.mark.parametrize("room", [0, 1 << 30])
def test_a_spool_with_the_former_marks_goes_on_where_it_stood(files: SimulatedFiles, room: int) -> None:
    taken(files, 20).close()
    files.damage(FOLDER / "marks", text_marks(1_000, 12, 22))
    files.capacity_bytes = files.used_bytes + room
    with spool_on(files) as spool:
        assert (spool.acked_next, spool.next_sequence) == (12, 23)
        assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == list(range(12, 20))
        spool.announce(30)
    files.cut_power()
    assert spool_on(files).next_sequence == 31


def test_the_former_marks_stand_until_those_that_follow_are_whole(files: SimulatedFiles) -> None:
    marks_on(files)
    files.damage(FOLDER / "marks", text_marks(1, 12, 22))
    marks = marks_on(files)
    marks.load(1)
    marks.save(Marks(1, 13))
    whole = files.content(FOLDER / "marks")
    files.damage(FOLDER / "marks", whole[:BLOCK_BYTES] + bytes(BLOCK_BYTES))
    assert marks_on(files).load(1) == Marks(1, 12, 22)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_without_room_for_the_marks_a_spool_opens_all_the_same(files: SimulatedFiles, code: int) -> None:
    taken(files, 3).close()
    files.damage(FOLDER / "marks", b"")
    files.fail("write", code, "marks")
    with spool_on(files) as spool:
        assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == [0, 1, 2]
    files.damage(FOLDER / "marks", b"")
    files.fail("write", errno.EIO, "marks")
    with pytest.raises(SpoolBroken):
        spool_on(files)


@pytest.mark.parametrize("size", [0, 1, 5_000, 8_192])
def test_the_room_of_the_marks_is_reserved_whole(files: SimulatedFiles, size: int) -> None:
    marks_on(files)
    files.damage(FOLDER / "marks", bytes(size))
    marks_on(files).load(1)
    assert len(files.content(FOLDER / "marks")) == 2 * BLOCK_BYTES


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_on_a_full_disk_what_is_acknowledged_is_freed_and_the_pointer_is_durable(
    files: SimulatedFiles, code: int
) -> None:
    spool = taken(files, 40)
    fill_disk(files)
    files.fail("open", code, ".partial", times=9)
    spool.acknowledge(30)
    spool.announce(39)
    spool.finish(5)
    files.cut_power()
    with spool_on(files) as again:
        assert (again.acked_next, again.finished_run) == (30, 5)
        found = read_all(again)
        assert [item.sequence for item in found if isinstance(item, Record)] == list(range(30, 40))
        take(again, 3)


@pytest.mark.parametrize("step", ["append", "open", "sync_folder"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_disk_that_refuses_a_record_takes_it_later_under_the_same_sequence(
    files: SimulatedFiles, step: str, code: int
) -> None:
    spool = taken(files, 5)
    take(spool)  # the next one begins another segment, whatever its size
    spool._limits = replace(LIMITS, segment_bytes=1)
    files.fail(step, code)
    with pytest.raises(SpoolFull, match="the disk refuses"):
        take(spool)
    take(spool)
    spool.sync()
    assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == list(range(7))


def test_a_segment_that_cannot_be_opened_again_takes_records_later(files: SimulatedFiles) -> None:
    taken(files, 1).close()
    spool = spool_on(files)
    files.fail("open", errno.EIO)
    with pytest.raises(SpoolFull, match="refuses to open"):
        take(spool)
    take(spool)
    spool.sync()
    assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == [0, 1]


def test_what_fits_is_counted_to_the_byte_until_it_is_acknowledged(files: SimulatedFiles) -> None:
    spool = taken(files, 20)
    used = sum(one.size for one in spool.segments)
    spool._limits = replace(LIMITS, capacity_bytes=used)
    with pytest.raises(SpoolFull):
        take(spool)
    oldest = spool.segments[0]
    spool.acknowledge(oldest.last_sequence)
    assert spool.used_share == 1.0
    spool.acknowledge(oldest.last_sequence + 1)
    assert spool.used_share == (used - oldest.size) / used
    one = sum(map(len, frame_record(oldest.marker, Kind.WHOLE, 20, header_of(20), picture_of(20))))
    spool._limits = replace(LIMITS, capacity_bytes=used - oldest.size + one)
    take(spool)
    assert spool.used_share == 1.0


def test_who_takes_waits_while_too_much_is_not_durable(files: SimulatedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = spool_on(files)
    take(spool)
    size = spool.segments[-1].size
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            spool.sync()

    monkeypatch.setattr(spool._room, "wait", wait)
    spool._limits = replace(LIMITS, unsynced_bytes=size)
    take(spool)
    assert not waits
    take(spool)
    assert len(waits) == 2


def test_a_reader_that_is_at_the_end_of_a_segment_goes_on_with_the_next(files: SimulatedFiles) -> None:
    spool = spool_on(files, replace(LIMITS, segment_bytes=1, window_bytes=0))
    told: list[int] = []
    reader = spool.reader(lambda: told.append(spool.durable_next))
    take(spool)
    take(spool)  # seals the first one, which is durable then
    assert told == [0, 1]
    first, nothing = reader.next(), reader.next()
    assert isinstance(first, Record)
    assert nothing is None
    spool.sync()
    second = reader.next()
    assert isinstance(second, Record)
    assert second.sequence == 1


def test_segments_that_cannot_be_removed_are_counted_and_go_later(files: SimulatedFiles) -> None:
    spool = taken(files, 20)
    unfreed = UNFREED.labels(camera=FOLDER.name)
    before = unfreed._value.get()
    files.fail("remove", errno.EIO, times=100)
    spool.acknowledge(20)
    assert len(segments(files)) > 1
    assert unfreed._value.get() - before == len(segments(files)) - 1
    files.heal()
    spool.wait_room()
    assert len(segments(files)) == 1
    files.done.clear()
    spool.wait_room()
    assert not files.done["remove"]


def test_segments_stay_until_there_is_room_for_the_pointer(files: SimulatedFiles) -> None:
    """A file system that writes in place nowhere has none on a full disk."""
    spool = taken(files, 20)
    files.fail("write", errno.ENOSPC, "marks", times=2)
    spool.acknowledge(20)
    assert len(segments(files)) > 1
    spool.wait_room()
    assert len(segments(files)) > 1
    spool.wait_room()
    assert len(segments(files)) == 1


def test_a_process_that_died_before_it_removed_segments_leaves_them_to_the_next(files: SimulatedFiles) -> None:
    spool = taken(files, 20)
    files.fail("remove", errno.EIO, times=100)
    spool.acknowledge(20)
    files.heal()
    files.kill()
    with spool_on(files):
        assert len(segments(files)) == 1


def test_pictures_are_not_shed_where_the_disk_has_no_room_for_their_captures(files: SimulatedFiles) -> None:
    spool = taken(files, 20)
    fill_disk(files)
    assert spool.shed() == 0
    assert not [name for name in files.names(FOLDER) if name.endswith(".tmp")]
    files.capacity_bytes = 1 << 40
    assert spool.shed() > 0
    assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == list(range(20))


@pytest.mark.parametrize("number", [2, 9])
def test_a_block_that_the_disk_cannot_read_any_more_costs_its_records_alone(files: SimulatedFiles, number: int) -> None:
    big = replace(LIMITS, capacity_bytes=1 << 20, segment_bytes=1 << 19)
    with spool_on(files, big) as spool:
        for sequence in range(10):
            spool.append(header_of(sequence), b"\1" * 10_000)
    files.spoil(segments(files)[0], number * 10_000 + 4_500)
    with spool_on(files, big) as spool:
        found = read_all(spool)
        assert [one.sequence for one in found if isinstance(one, Record) and not one.is_corrupt] == [
            one for one in range(10) if one != number
        ]
        assert [one.sequence for one in found if isinstance(one, Record) and one.is_corrupt] == [number]


def test_records_of_which_nothing_is_left_are_told_also_where_nothing_comes_behind_them(files: SimulatedFiles) -> None:
    spool = taken(files, 4)
    spool._window.drop(0, 99)
    newest = segments(files)[-1]
    files.damage(newest, bytes(len(files.content(newest))))
    assert read_all(spool)[-1] == Gap(spool.segments[-1].first_sequence, 3)
    take(spool)
    spool.sync()
    assert [one.sequence for one in read_all(spool)[-1:] if isinstance(one, Record)] == [4]


@pytest.mark.parametrize("step", ["make_folder", "open", "names", "lock", "read", "sync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
def test_a_spool_that_cannot_be_opened_says_so_in_one_line(files: SimulatedFiles, step: str, code: int) -> None:
    if step in {"read", "sync"}:
        taken(files, 3).close()
    files.fail(step, code, times=3)
    with suppress(Exception), spool_on(files):
        return  # read around, or not needed
    files.kill()
    files.fail(step, code, times=3)
    with pytest.raises(SpoolBroken, match="cannot be opened"):
        spool_on(files)


def test_a_record_of_a_kind_that_only_a_newer_version_knows_is_told_and_stops_nothing(files: SimulatedFiles) -> None:
    spool = spool_on(files)
    take(spool)
    spool.append(header_of(1), b"another way to keep a picture", kind=9)  # type: ignore[arg-type]
    take(spool)
    spool.close()
    with spool_on(files) as again:
        found = read_all(again)
        assert [(one.sequence, one.kind, one.payload is None) for one in found if isinstance(one, Record)] == [
            (0, Kind.WHOLE, False),
            (1, Kind.UNKNOWN, True),
            (2, Kind.WHOLE, False),
        ]


def test_after_a_failed_sync_nothing_counts_as_durable_however_often_it_is_tried(files: SimulatedFiles) -> None:
    spool = spool_on(files)
    take(spool, 2)
    files.fail("sync", errno.EIO)
    for _ in range(3):
        with pytest.raises(SpoolBroken):
            spool.sync()
    with pytest.raises(SpoolBroken):
        take(spool)
    spool._limits = replace(LIMITS, segment_bytes=1)
    for act in (lambda: take(spool), spool.shed):  # each would begin another segment and seal this one
        with pytest.raises(SpoolBroken):
            act()
    assert spool.reader().next() is None


@pytest.mark.parametrize("before", [0, 20])
def test_what_is_written_during_a_sync_is_not_read_before_the_next(files: SimulatedFiles, before: int) -> None:
    spool = taken(files, before, replace(LIMITS, window_bytes=0))
    take(spool)
    really = files.sync

    def sync_meanwhile(file: int) -> None:
        really(file)
        take(spool)

    files.sync = sync_meanwhile  # type: ignore[method-assign]
    spool.sync()
    files.sync = really  # type: ignore[method-assign]
    assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == list(range(before + 1))
    assert spool.wait_unsynced(0.0)
    spool.sync()
    assert not spool.wait_unsynced(0.0)


def test_what_was_acknowledged_is_never_given_again_though_its_records_are_gone(files: SimulatedFiles) -> None:
    with taken(files, 5) as spool:
        spool.acknowledge(5)
    files.damage(segments(files)[-1], b"")
    assert spool_on(files).next_sequence == 5


@pytest.mark.parametrize("seed", range(6))
def test_what_the_next_process_reads_is_durable_though_the_one_before_had_not_synced_it(seed: int) -> None:
    files = SimulatedFiles(seed)
    spool = spool_on(files)
    take(spool)
    spool.sync()
    take(spool, 3)
    files.kill()
    assert [item.sequence for item in read_all(spool_on(files)) if isinstance(item, Record)] == list(range(4))
    files.cut_power()
    assert [item.sequence for item in read_all(spool_on(files)) if isinstance(item, Record)] == list(range(4))


@pytest.mark.parametrize("seed", range(6))
def test_a_spool_that_died_before_its_names_were_durable_is_made_durable_by_the_next_process(seed: int) -> None:
    files = SimulatedFiles(seed)
    dies = files.sync_folder

    def die(folder: Path) -> None:
        raise Died(str(folder))

    spool = spool_on(files)
    files.sync_folder = die  # type: ignore[method-assign]
    with pytest.raises(Died):
        take(spool)
    files.sync_folder = dies  # type: ignore[method-assign]
    files.kill()
    taken(files, 2)
    files.cut_power()
    again = spool_on(files)
    assert [item.sequence for item in read_all(again) if isinstance(item, Record)] == [0, 1]
    assert again.next_sequence == 2


@pytest.mark.parametrize("seed", range(6))
def test_marks_that_are_read_are_durable_though_the_process_before_died_while_it_saved_them(seed: int) -> None:
    files = SimulatedFiles(seed)
    spool = taken(files, 1)
    syncs = files.sync

    def die(file: int) -> None:
        raise Died(str(file))

    files.sync = die  # type: ignore[method-assign]
    with pytest.raises(Died):
        spool.announce(5)
    files.sync = syncs  # type: ignore[method-assign]
    files.kill()
    again = spool_on(files)
    again.announce(5)
    files.cut_power()
    assert spool_on(files).next_sequence == 6


@pytest.mark.parametrize("seed", range(6))
def test_closing_makes_everything_durable_and_leaves_nothing_open(seed: int) -> None:
    files = SimulatedFiles(seed)
    spool = taken(files, 3)
    spool.acknowledge(2)
    take(spool)
    spool.close()
    assert files.descriptors == 0
    files.cut_power()
    again = spool_on(files)
    assert again.acked_next == 2
    assert [item.sequence for item in read_all(again) if isinstance(item, Record)] == [2, 3]


def test_two_syncs_at_once_leave_no_record_waiting(files: SimulatedFiles) -> None:
    spool = spool_on(files)
    take(spool)
    really = files.sync
    nested: list[bool] = []

    def sync_meanwhile(file: int) -> None:
        if not nested:
            nested.append(True)
            take(spool)
            spool.sync()
        really(file)

    files.sync = sync_meanwhile  # type: ignore[method-assign]
    spool.sync()
    take(spool)
    assert spool.wait_unsynced(0.0)
    spool.sync()
    assert [item.sequence for item in read_all(spool) if isinstance(item, Record)] == [0, 1, 2]
