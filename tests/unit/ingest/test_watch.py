"""A watched folder: each picture once, when it is whole, and put away when it is safe."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.cameras import journal as journal_module
from linewarden_ingest.cameras.interface import CameraFault
from linewarden_ingest.cameras.journal import TakenJournal
from linewarden_ingest.cameras.watch import WatchOptions
from linewarden_ingest.settings import IngestOptions, with_cameras
from linewarden_ingest.spool.faults import SpoolBroken, SpoolFull
from linewarden_ingest.spool.spool import SpoolLimits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Loss
from tests.support.picture_files import encoded, textured
from tests.support.spooled_camera import SpooledCamera
from tests.unit.ingest.lines import PLACE

NOW_MS = 4_000_000_000_000  # behind every file that a test writes


def png(seed: int) -> bytes:
    return encoded(textured(seed=seed), ".png")


def jpeg(seed: int) -> bytes:
    return encoded(textured(seed=seed, channels=3), ".jpg")


def counted(outcome: str) -> float:
    labels = {"camera": PLACE.camera_id, "outcome": outcome}
    return REGISTRY.get_sample_value("linewarden_ingest_watched_files_total", labels) or 0.0


class Watch:
    """A watched folder with its spool, on a clock that is moved by waiting."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.path, self._spool = folder / "in", folder / "spool"
        self.path.mkdir(exist_ok=True)
        given = {"camera_id": PLACE.camera_id, "view_id": PLACE.view_id, "path": self.path, **options}
        self.options = WatchOptions.model_validate(given)
        self.clock = ManualClock(NOW_MS)
        self.limits: SpoolLimits | None = None
        self.now: SpooledCamera | None = None

    def start(self) -> SpooledCamera:
        self.now = SpooledCamera(self.options, self._spool, self.clock, self.limits)
        return self.now

    def stop(self) -> None:
        if self.now is not None:
            self.now.close()
        self.now = None

    def again(self) -> SpooledCamera:
        self.stop()
        return self.start()

    def run_for(self, seconds: float) -> None:
        """Turns until so much of its own time has gone by."""
        assert self.now is not None
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.now.turn()

    def pictures(self) -> list[bytes | None]:
        assert self.now is not None
        return [payload for _, payload in self.now.taken()]

    def losses(self) -> list[tuple[Loss | None, str]]:
        assert self.now is not None
        return [(capture.lost, capture.lost_detail or "") for capture, _ in self.now.taken()]

    def names(self, folder: str = "") -> list[str]:
        return sorted(path.name for path in (self.path / folder).iterdir() if not path.is_dir())


Make = Callable[..., Watch]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Watch] = []

    def watch(**options: object) -> Watch:
        made.append(Watch(tmp_path, **options))
        return made[-1]

    yield watch
    for one in made:
        one.stop()


def test_a_picture_is_taken_untouched_when_it_stands_still_and_moved_when_it_is_safe(make: Make) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    camera.intake.step()
    assert camera.spool.next_sequence == 0
    while camera.spool.next_sequence == 0:
        camera.intake.step()
    for _ in range(5):
        camera.intake.step()
    assert watch.names() == ["a.png"]  # taken, and not safe yet
    camera.spool.sync()
    camera.intake.step()
    assert (watch.names(), watch.names("done")) == ([], ["a.png"])
    assert watch.pictures() == [png(1)]


def test_half_a_file_is_waited_for_until_it_is_whole(make: Make) -> None:
    watch = make()
    watch.start()
    for data in (b"", jpeg(1)[:300], jpeg(1)[:-2], jpeg(1)):
        assert watch.pictures() == []
        (watch.path / "a.jpg").write_bytes(data)
        watch.run_for(5.0)
    assert watch.pictures() == [jpeg(1)]


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "empty"), (jpeg(1)[:-2], "cut short"), (b"\x89PNG nothing", "no"), (b"text", "not a")]
)
def test_a_file_that_never_becomes_whole_is_a_capture_with_its_loss_and_is_moved_apart(
    make: Make, content: bytes, why: str
) -> None:
    watch = make(give_up_s=10.0)
    watch.start()
    (watch.path / "a.jpg").write_bytes(content)
    watch.run_for(9.0)
    assert watch.losses() == []
    watch.run_for(3.0)
    ((lost, detail),) = watch.losses()
    assert lost is Loss.UNREADABLE
    assert detail.startswith("a.jpg: ")
    assert why in detail
    assert (watch.names(), watch.names("failed"), watch.names("done")) == ([], ["a.jpg"], [])


def test_a_file_that_was_renamed_into_place_does_not_have_to_settle(make: Make) -> None:
    watch = make(settle_s=50.0)
    watch.start()
    (watch.path / ".a.png.part").write_bytes(png(1))
    watch.run_for(2.0)
    (watch.path / ".a.png.part").rename(watch.path / "a.png")
    watch.run_for(2.0)
    assert watch.pictures() == [png(1)]


def test_the_same_name_again_is_another_picture_and_overwrites_nothing(make: Make) -> None:
    watch = make()
    watch.start()
    for seed in (1, 2, 3):
        (watch.path / "a.png").write_bytes(png(seed))
        watch.run_for(3.0)
    assert watch.pictures() == [png(1), png(2), png(3)]
    found = {(watch.path / "done" / name).read_bytes() for name in watch.names("done")}
    assert found == {png(1), png(2), png(3)}


def test_what_comes_in_the_place_of_a_picture_that_is_not_safe_yet_is_taken_too(make: Make) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    while camera.spool.next_sequence == 0:
        camera.intake.step()
    (watch.path / "new").write_bytes(png(2))
    (watch.path / "new").rename(watch.path / "a.png")
    before = counted("replaced")
    watch.run_for(3.0)
    assert watch.pictures() == [png(1), png(2)]
    assert [(watch.path / "done" / name).read_bytes() for name in watch.names("done")] == [png(2)]
    assert counted("replaced") == before + 1


def test_what_comes_in_its_place_in_the_very_moment_of_the_move_goes_back_and_is_taken_too(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = make()
    camera = watch.start()
    place = watch.path / "a.png"
    place.write_bytes(png(1))
    while camera.spool.next_sequence == 0:
        camera.intake.step()
    really = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path == place:
            path.write_bytes(png(2))
        return really(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        camera.spool.sync()
        camera.intake.step()
    assert place.read_bytes() == png(2)
    watch.run_for(3.0)
    assert watch.pictures() == [png(1), png(2)]


def test_an_old_modification_time_hides_nothing_and_makes_the_picture_late(make: Make) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "new.png").write_bytes(png(1))
    watch.run_for(3.0)
    (watch.path / "old.png").write_bytes(png(2))
    os.utime(watch.path / "old.png", ns=(5_000_000_000, 5_000_000_000))
    watch.run_for(3.0)
    assert [capture.captured_ms for capture, _ in camera.taken()][1] == 5_000
    assert watch.pictures() == [png(1), png(2)]


def test_a_modification_time_of_the_future_does_not_lengthen_the_time_to_decide(make: Make) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    os.utime(watch.path / "a.png", ns=(NOW_MS * 2_000_000, NOW_MS * 2_000_000))
    watch.run_for(3.0)
    assert [capture.captured_ms <= watch.clock.now_ms() for capture, _ in camera.taken()] == [True]


def test_links_out_of_the_folder_or_to_what_is_taken_itself_are_refused_and_others_followed(
    make: Make, tmp_path: Path
) -> None:
    watch = make()
    before = counted("refused")
    (tmp_path / "secret.png").write_bytes(png(9))
    (watch.path / "deep").mkdir()
    (watch.path / "deep" / "x.png").write_bytes(png(1))
    (watch.path / "a.png").write_bytes(png(2))
    (watch.path / "out.png").symlink_to(tmp_path / "secret.png")
    (watch.path / "twice.png").symlink_to("a.png")
    (watch.path / "round.png").symlink_to("round.png")
    (watch.path / "link.png").symlink_to("deep/x.png")
    (watch.path / "folder.png").mkdir()
    os.mkfifo(watch.path / "pipe.png")
    watch.start()
    watch.run_for(5.0)
    assert sorted(filter(None, watch.pictures())) == sorted([png(1), png(2)])
    assert watch.names("done") == ["a.png", "link.png"]
    assert watch.names() == ["out.png", "pipe.png", "round.png", "twice.png"]
    assert counted("refused") == before + 5


def test_a_file_that_is_gone_before_it_was_whole_is_a_capture_with_its_loss(make: Make) -> None:
    watch = make()
    watch.start()
    (watch.path / "a.png").write_bytes(png(1)[:50])
    watch.run_for(2.0)
    (watch.path / "a.png").unlink()
    watch.run_for(2.0)
    ((lost, detail),) = watch.losses()
    assert (lost, "gone" in detail) == (Loss.UNREADABLE, True)


def test_a_picture_that_is_gone_before_it_could_be_moved_was_taken_all_the_same(make: Make) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    while camera.spool.next_sequence == 0:
        camera.intake.step()
    (watch.path / "a.png").unlink()
    watch.run_for(3.0)
    assert watch.pictures() == [png(1)]


def test_a_file_that_may_not_be_read_is_waited_for_and_then_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = make(give_up_s=10.0)
    watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    (watch.path / "b.png").write_bytes(png(2))
    really, closed = os.open, {"a.png", "b.png"}

    def refuse(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).name in closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    watch.run_for(5.0)
    closed.discard("b.png")
    watch.run_for(7.0)
    assert watch.pictures() == [png(2), None]
    assert "Permission denied" in watch.losses()[1][1]
    assert watch.names("failed") == ["a.png"]


def test_thousands_that_wait_at_the_start_are_all_taken_once_the_oldest_first(make: Make) -> None:
    watch = make()
    for number in range(3_000):
        path = watch.path / f"{(number * 7919) % 3_000:06d}.png"
        path.write_bytes(png(1) + bytes(number))
        os.utime(path, ns=(number * 1_000_000, number * 1_000_000))
    camera = watch.start()
    while camera.spool.next_sequence < 3_000:
        camera.intake.step()
        if camera.spool.next_sequence % 100 == 0:
            camera.spool.sync()
    camera.spool.sync()
    camera.intake.step()
    assert [len(one or b"") - len(png(1)) for one in watch.pictures()] == list(range(3_000))
    assert watch.names() == []


def test_part_data_come_from_the_name_and_a_name_that_does_not_fit_diverts(make: Make) -> None:
    watch = make(pattern=r"^(?P<visit>\d+)_(?P<part_id>[A-Z0-9]+)_(?P<lot_id>\w+)\.png$")
    assert watch.options.brings_visits
    camera = watch.start()
    (watch.path / "17_S4_L1.png").write_bytes(png(1))
    (watch.path / "strange.png").write_bytes(png(2))
    watch.run_for(3.0)
    found = {capture.part_id: capture for capture, _ in camera.taken()}
    assert (found["S4"].visit_id, found["S4"].lot_id) == ("line1.st1.0000000001000.000017", "L1")
    assert found[None].lost is Loss.UNREADABLE
    assert "does not match" in (found[None].lost_detail or "")
    assert (watch.names("done"), watch.names("failed")) == (["17_S4_L1.png"], ["strange.png"])


def test_files_that_are_kept_are_not_taken_again_over_a_restart_also_as_copies_that_come_again(make: Make) -> None:
    watch = make(after="keep")
    watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    (watch.path / "bad.png").write_bytes(b"")
    watch.run_for(70.0)
    camera = watch.again()
    watch.run_for(70.0)
    (watch.path / "a.png").rename(watch.path / "hidden")
    watch.run_for(3.0)
    (watch.path / "hidden").rename(watch.path / "a.png")
    watch.run_for(3.0)
    assert watch.pictures() == [png(1), None]
    assert watch.names() == ["a.png", "bad.png"]
    (watch.path / "a.png").write_bytes(png(2))
    watch.run_for(3.0)
    assert watch.pictures() == [png(1), None, png(2)]
    assert camera.spool.next_sequence == 3


def test_what_was_kept_is_known_also_when_the_time_to_remember_is_long_over(make: Make) -> None:
    watch = make(after="keep", remember_h=1.0)
    watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    watch.run_for(3.0)
    watch.clock.advance(10 * 3600)
    watch.run_for(3.0)
    watch.again()
    watch.run_for(3.0)
    assert watch.pictures() == [png(1)]


def test_a_copy_that_a_tool_brings_again_with_its_times_is_known_and_moved_away(make: Make) -> None:
    watch = make(remember_h=1.0)
    watch.start()
    before = counted("known")
    for taken, wait_s in ((1, 60), (1, 7_300), (2, 0)):
        (watch.path / "a.png").write_bytes(png(1))
        os.utime(watch.path / "a.png", ns=(7_000_000_000, 7_000_000_000))
        watch.run_for(3.0)
        assert len(watch.pictures()) == taken
        assert watch.names() == []
        watch.clock.advance(wait_s)  # before the third time it is forgotten
        watch.run_for(2.0)
    assert counted("known") == before + 1


def test_a_picture_whose_record_a_death_cut_is_told_as_lost_and_not_taken_twice(make: Make) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    while camera.spool.next_sequence == 0:
        camera.intake.step()
    camera.spool.sync()
    segment = camera.spool.segments[-1].path
    watch.stop()
    os.truncate(segment, segment.stat().st_size - 5)
    for _ in range(2):
        watch.again()
        watch.run_for(3.0)
        assert watch.pictures() == [None]
    assert watch.names("failed") == ["a.png"]


def test_a_full_disk_holds_the_camera_and_takes_the_picture_once_when_there_is_room(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = make()
    camera = watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    really = TakenJournal.give

    def full(journal: TakenJournal, taken: journal_module.TakenShot) -> None:
        raise SpoolFull("no room")

    monkeypatch.setattr(TakenJournal, "give", full)
    while camera.intake.step():
        pass
    assert camera.spool.next_sequence == 0
    monkeypatch.setattr(TakenJournal, "give", really)
    watch.run_for(3.0)
    assert watch.pictures() == [png(1)]
    assert watch.names("done") == ["a.png"]


def test_a_shot_that_found_no_room_before_the_end_is_taken_by_the_next_process(make: Make) -> None:
    watch = make()
    watch.limits = SpoolLimits(capacity_bytes=6_000, segment_bytes=1_000)
    camera = watch.start()
    for number in range(9):
        (watch.path / f"{number}.png").write_bytes(png(number))
    while camera.intake.step():
        camera.spool.sync()
    held_at = camera.spool.next_sequence
    assert 0 < held_at < 9
    watch.limits = None
    watch.again()
    watch.run_for(5.0)
    assert sorted(map(len, filter(None, watch.pictures()))) == sorted(len(png(number)) for number in range(9))
    assert len(watch.pictures()) == 9


def test_files_that_cannot_be_moved_are_tried_again_and_not_taken_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = make()
    watch.start()
    (watch.path / "a.png").write_bytes(png(1))
    really = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system")

    before = counted("stuck")
    monkeypatch.setattr(Path, "rename", refuse)
    watch.run_for(30.0)
    assert 2 <= counted("stuck") - before <= 5
    monkeypatch.setattr(Path, "rename", really)
    watch.run_for(30.0)
    assert watch.pictures() == [png(1)]
    assert watch.names("done") == ["a.png"]


def test_a_folder_that_goes_away_is_a_dead_camera(make: Make) -> None:
    watch = make()
    camera = watch.start()
    watch.path.rename(watch.path.with_name("away"))
    with pytest.raises(CameraFault, match="cannot be listed"):
        watch.run_for(3.0)
    camera.close()
    watch.now = None
    with pytest.raises(CameraFault, match="mount the share"):
        watch.start()


def test_a_folder_in_which_nothing_may_be_moved_is_refused_with_the_way_out(make: Make) -> None:
    watch = make()
    (watch.path / "done").write_text("no folder")
    with pytest.raises(ConfigurationError, match="keep"):
        watch.start()


def test_a_damaged_journal_ends_the_process_and_says_what_to_do(make: Make, tmp_path: Path) -> None:
    watch = make()
    watch.start()
    watch.stop()
    (tmp_path / "spool" / "taken.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(SpoolBroken, match="move it away"):
        watch.start()


def test_a_full_disk_is_told_apart_from_a_broken_one_and_leaves_the_journal_usable(make: Make) -> None:
    watch = make()
    camera = watch.start()
    book = camera.camera._journal  # type: ignore[attr-defined]
    book._db.execute("PRAGMA max_page_count = 5")
    entry = journal_module.TakenShot("key", 0, "digest", "name", "x" * 100_000, None, 1)
    with pytest.raises(SpoolFull):
        book.give(entry)
    book._db.execute("PRAGMA max_page_count = 1000000")
    book.give(entry)
    assert book.find("key") == entry


def test_settings_that_contradict_each_other_are_refused() -> None:
    known = {"kind": "watch", "camera_id": "cam0", "view_id": "top", "path": "in"}
    read = with_cameras(IngestOptions.model_validate({"cameras": [known]})).cameras[0]
    assert isinstance(read, WatchOptions)
    for wrong in ({"rate_per_s": 5.0}, {"give_up_s": 0.4}):
        with pytest.raises(ValueError, match=r"leave rate_per_s out|give_up_s must be more"):
            IngestOptions.model_validate({"cameras": [known | wrong]})
    with pytest.raises(ConfigurationError, match="pattern"):
        Watch(Path("/tmp"), pattern="(").start()
