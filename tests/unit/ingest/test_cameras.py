"""Folder, video and simulated line behind one interface."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from linewarden_ingest.cameras.folder import FolderCamera, FolderOptions, list_pictures
from linewarden_ingest.cameras.interface import Camera, CameraFault, EncodedPicture, EndOfPictures, Shot, Trigger
from linewarden_ingest.cameras.line import Gallery, LineCamera, LineOptions
from linewarden_ingest.cameras.options import CameraRun, FramePacer
from linewarden_ingest.cameras.pictures import Encoding
from linewarden_ingest.cameras.sidecar import PictureLabel, compile_pattern, label_from_name, read_sidecar
from linewarden_ingest.cameras.simulation import LinePlan, plan_visit
from linewarden_ingest.cameras.video import VideoCamera, VideoOptions
from linewarden_ingest.captures import CameraPlace, visit_id
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Loss
from tests.unit.ingest.lines import PLACE


def pace(clock: ManualClock | None = None, rate: float | None = None) -> FramePacer:
    clock = clock or ManualClock(1_000_000)
    return FramePacer(clock, threading.Event(), clock.now_ms(), rate)


def drained(camera: Camera) -> list[Shot]:
    shots: list[Shot] = []
    while True:
        try:
            shot = camera.poll(1.0)
        except EndOfPictures:
            return shots
        if shot is not None:
            shots.append(shot)


def png(number: int) -> bytes:
    return cv2.imencode(".png", np.full((64, 64), number, np.uint8))[1].tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (2, 0, 1):
        (tmp_path / f"part{number}_top.png").write_bytes(png(number))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def folder_camera(
    folder: Path, labels: dict[str, PictureLabel] | None = None, rounds: int = 1, first: int = 0
) -> Camera:
    return FolderCamera(
        list_pictures(folder), labels or {}, pace(), Encoding(), run_ms=1_000_000, rounds=rounds, first=first
    )


def test_a_folder_is_read_in_order_of_names_and_untouched(folder: Path) -> None:
    shots = drained(folder_camera(folder))
    assert [shot.picture.data for shot in shots if isinstance(shot.picture, EncodedPicture)] == [
        png(n) for n in range(3)
    ]
    assert [shot.index for shot in shots] == [0, 1, 2]


def test_a_folder_goes_on_where_it_was_and_repeats(folder: Path) -> None:
    assert [shot.index for shot in drained(folder_camera(folder, rounds=2, first=4))] == [4, 5]


def test_an_unreadable_file_is_a_shot_without_picture(folder: Path) -> None:
    (folder / "a.bmp").write_bytes(b"BM nothing")
    first = drained(folder_camera(folder))[0]
    assert (first.picture, first.loss) == (None, Loss.UNREADABLE)


def test_a_file_of_several_pictures_is_lost_and_says_how_many_it_holds(folder: Path) -> None:
    assert cv2.imwritemulti(str(folder / "a.tiff"), [np.full((64, 64), 9, np.uint8)] * 3)
    first = drained(folder_camera(folder))[0]
    assert (first.picture, first.loss) == (None, Loss.UNREADABLE)
    assert "a.tiff" in (first.loss_detail or "")
    assert "3 pictures" in (first.loss_detail or "")


def test_a_file_that_vanished_is_a_fault_that_knows_its_trigger(folder: Path) -> None:
    camera = folder_camera(folder)
    (folder / "part0_top.png").unlink()
    with pytest.raises(CameraFault) as fault:
        camera.poll(1.0)
    assert fault.value.shot is not None
    assert (fault.value.shot.index, fault.value.shot.picture) == (0, None)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no picture"):
        list_pictures(tmp_path)


def test_a_rate_makes_pictures_due_one_after_the_other(folder: Path) -> None:
    clock = ManualClock(1_000_000)
    camera = FolderCamera(list_pictures(folder), {}, pace(clock, rate=2.0), Encoding(), run_ms=1)
    assert [shot.captured_ms - 1_000_000 for shot in drained(camera)] == [0, 500, 1000]


def test_labels_come_from_names(folder: Path) -> None:
    pattern = compile_pattern(r"(?P<part_id>part\d)_(?P<view>\w+)\.")
    label = label_from_name("part7_top.png", pattern)
    assert (label.part.part_id, label.view_id, label.visit) == ("part7", "top", None)
    with pytest.raises(ConfigurationError, match="does not match"):
        label_from_name("x.png", pattern)
    with pytest.raises(ConfigurationError, match="names"):
        compile_pattern("(?P<colour>.)")


def test_views_of_one_visit_share_their_trigger_by_sidecar_also_in_a_second_round(folder: Path) -> None:
    sidecar = folder / "parts.csv"
    sidecar.write_text(
        "file,visit,view,part_id\npart0_top.png,0,top,A\npart1_top.png,0,side,A\npart2_top.png,1,top,B\n"
    )
    shots = drained(folder_camera(folder, read_sidecar(sidecar), rounds=2))
    assert [shot.trigger.counter for shot in shots if shot.trigger] == [0, 0, 1, 2, 2, 3]
    assert [shot.view_id for shot in shots][:3] == ["top", "side", "top"]
    assert shots[1].part.part_id == "A"


@pytest.mark.parametrize("visit", ["-1", "1000000000", "9" * 40])
def test_a_label_whose_visit_would_make_no_id_is_refused_with_its_line(tmp_path: Path, visit: str) -> None:
    sidecar = tmp_path / "parts.csv"
    sidecar.write_text(f"file,visit\na.png,{visit}\n")
    with pytest.raises(ConfigurationError, match=r"line 2: visit .* is no number from 0 to 999999999"):
        read_sidecar(sidecar)


def test_a_label_whose_view_would_make_no_id_is_refused_when_its_camera_is_opened(folder: Path) -> None:
    sidecar = folder / "parts.csv"
    sidecar.write_text(f"file,view\na.png,{'v' * 100}\n")
    options = FolderOptions(camera_id="cam0", view_id="view0", path=folder, sidecar=sidecar)
    place = CameraPlace("line1", "st1", "cam0", "view0")
    with pytest.raises(ConfigurationError, match=r"view v+ are \d+ characters too long together"):
        options.open(CameraRun(place, ManualClock(), threading.Event(), start_ms=0))


def test_a_bad_sidecar_is_refused_with_its_line(tmp_path: Path) -> None:
    sidecar = tmp_path / "parts.csv"
    sidecar.write_text("file,part_id\na.png,not an id\n")
    with pytest.raises(ConfigurationError, match=r"line 2.*not an id"):
        read_sidecar(sidecar)
    sidecar.write_text("name\na.png\n")
    with pytest.raises(ConfigurationError, match="columns are"):
        read_sidecar(sidecar)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 64))
    for number in range(6):
        writer.write(np.full((64, 64, 3), 40 * number, np.uint8))
    writer.release()
    return path


def test_a_video_gives_every_stride_th_frame_and_goes_on_where_it_was(video: Path) -> None:
    def greys(first: int) -> list[int]:
        shots = drained(VideoCamera(video, pace(), stride=2, first=first))
        return [round(float(np.mean(np.asarray(shot.picture))) / 40) for shot in shots]

    assert greys(0) == [0, 2, 4]
    assert greys(1) == [2, 4]


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a video"):
        VideoCamera(tmp_path / "none.avi", pace())


def test_a_video_that_announces_more_than_it_holds_fails_once_and_has_then_ended(video: Path) -> None:
    data = bytearray(video.read_bytes())
    for place in (data.index(b"avih") + 24, data.index(b"strh") + 40):
        data[place : place + 4] = (600).to_bytes(4, "little")
    video.write_bytes(data)
    camera = VideoCamera(video, pace())
    camera._frames = 600  # where OpenCV counts for itself instead of believing the header
    for number in range(6):
        shot = camera.poll(1.0)
        assert shot is not None
        assert shot.index == number
    with pytest.raises(CameraFault, match="frame 6 of 600"):
        camera.poll(1.0)
    again = VideoCamera(video, pace(), first=6)
    again._frames = 600
    assert drained(again) == []


PLAN = LinePlan(seed=7, size=64, missing_share=0.1, defect_rate=0.3, return_after=5)


def line_camera(view: int, folder: Path | None = None, visits: int = 40, first: int = 0) -> LineCamera:
    gallery = Gallery(PLAN, Encoding(), folder)
    return LineCamera(
        PLAN, gallery, pace(rate=5.0), lambda t: visit_id(PLACE, t), view=view, visits=visits, first=first
    )


def test_cameras_of_a_line_agree_on_visits_and_parts_without_talking() -> None:
    first, second = ({s.trigger: s.part for s in drained(line_camera(view, visits=30))} for view in (0, 1))
    shared = first.keys() & second.keys()
    assert len(shared) > 20
    assert all(first[trigger] == second[trigger] for trigger in shared)


def test_a_view_that_does_not_fire_is_missing_from_one_camera_only() -> None:
    missing = {v.number: v.missing_view for v in (plan_visit(PLAN, n) for n in range(40)) if v.missing_view is not None}
    assert missing
    seen = [{shot.index for shot in drained(line_camera(view))} for view in range(3)]
    for number, view in missing.items():
        assert [number in one for one in seen] == [view != other for other in range(3)]


def test_a_part_that_comes_back_is_a_new_visit_linked_to_the_old() -> None:
    shots = {shot.index: shot for shot in drained(line_camera(0, visits=200))}
    back = [s for s in shots.values() if s.part.returned and s.index - PLAN.return_after in shots]
    assert back
    for shot in back:
        before = shots[shot.index - PLAN.return_after]
        assert shot.part.part_id == before.part.part_id
        assert isinstance(before.trigger, Trigger)
        assert shot.part.returned is not None
        assert shot.part.returned.previous_visit_id == visit_id(PLACE, before.trigger)


def test_a_line_opens_with_the_defective_parts_that_it_was_told_and_goes_on_as_it_would() -> None:
    opening = replace(PLAN, opens_with=(41, 42))
    first = [plan_visit(opening, number) for number in range(3)]
    assert [(one.part_id, one.part_seed, one.defective) for one in first[:2]] == [
        ("P0000000", 41, True),
        ("P0000001", 42, True),
    ]
    assert first[0].missing_view is None
    assert first[2] == plan_visit(PLAN, 2)


def test_most_returned_parts_have_an_authority_and_a_few_do_not() -> None:
    back = [visit for visit in (plan_visit(PLAN, n) for n in range(2000)) if visit.previous is not None]
    without = sum(visit.authority is None for visit in back)
    assert 0 < without < len(back) / 4
    assert len({visit.previous for visit in back}) == len(back)


def test_kept_pictures_are_the_drawn_ones(tmp_path: Path) -> None:
    drawn = [s.picture for s in drained(line_camera(1, visits=4))]
    for _ in range(2):
        assert [s.picture for s in drained(line_camera(1, tmp_path, visits=4))] == drawn


def test_the_first_camera_of_a_line_draws_the_pool_for_all_before_they_start(tmp_path: Path) -> None:
    line = LineOptions(camera_id="cam1", view_id="view1", view=1, size=64, visits=50, pool=2, gallery=tmp_path)
    line.prepare(lambda: False)
    assert not list(tmp_path.iterdir())
    line.model_copy(update={"view": 0}).prepare(lambda: True)
    assert not list(tmp_path.iterdir())
    line.model_copy(update={"view": 0}).prepare(lambda: False)
    assert {path.stem.rpartition("-")[2] for path in tmp_path.iterdir()} == {"0", "1", "2"}


def test_a_line_begins_each_run_anew_and_sends_from_its_own_process_and_a_file_does_neither(tmp_path: Path) -> None:
    line, video = LineOptions(camera_id="a", view_id="a"), VideoOptions(camera_id="a", view_id="a", path=tmp_path)
    assert (line.brings_visits, line.begins_anew, line.sends_apart) == (True, True, False)
    assert (video.brings_visits, video.begins_anew, video.sends_apart) == (False, False, True)


def test_the_supervisor_reads_the_cameras_without_opencv() -> None:
    script = "import sys, linewarden_ingest.bootstrap; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_pool_bounds_how_many_parts_are_drawn(tmp_path: Path) -> None:
    plan = LinePlan(size=64, pool=3, defect_rate=0.0, rework_share=0.0)
    assert Gallery(plan, Encoding(), tmp_path).prepare(200) == 3
    assert Gallery(plan, Encoding(), tmp_path).prepare(200) == 0
