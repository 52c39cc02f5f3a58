"""A camera that is joined to a side channel, the pipe by which its process is told, and what is published."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from linewarden_ingest.cameras.codes import CodeOptions, CodeReadingCamera
from linewarden_ingest.cameras.folder import FolderOptions
from linewarden_ingest.cameras.interface import CameraFault, EndOfPictures, PartInfo, Shot, Trigger
from linewarden_ingest.cameras.joined import JoinedCamera
from linewarden_ingest.cameras.options import CameraRun
from linewarden_ingest.captures import CameraPlace
from linewarden_ingest.metrics import JOINS, TRIGGERS_DROPPED
from linewarden_ingest.settings import IngestOptions, with_cameras
from linewarden_ingest.testing import TrialLine
from linewarden_ingest.triggers.feed import TriggerFeed, TriggerPipe
from linewarden_ingest.triggers.joining import CounterJoin, JoinCause, TimeJoin
from linewarden_ingest.triggers.parsing import LineFormat
from linewarden_ingest.triggers.signal import ChannelState, PartSignal
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import CameraCondition, Loss, PartIdSource
from tests.support.ingest_line import write_pictures

PART = PartInfo("SN-1", PartIdSource.TRACKED, "L-7", "plate", encoder_position=40)
TRIGGER: dict[str, object] = {"kind": "tcp", "address": "127.0.0.1:1"}


class Scripted:
    """Gives its shots, and waits where one is None; then what it is told to raise."""

    def __init__(self, clock: ManualClock, shots: Iterable[Shot | None], end: Exception | None = None) -> None:
        self._clock, self._shots, self._end = clock, list(shots), end

    def poll(self, timeout_s: float) -> Shot | None:
        shot = self._shots.pop(0) if self._shots else None
        if shot is None and not self._shots and self._end is not None:
            raise self._end
        if shot is None:
            self._clock.advance(timeout_s)
        return shot

    def close(self) -> None:
        """Nothing is held."""


def picture(index: int, at_ms: int, counter: int | None = None) -> Shot:
    return Shot(index, at_ms, picture=None, loss=Loss.UNREADABLE, counter=counter)


def told(counter: int, at_ms: int, doubt: str | None = None) -> PartSignal:
    return PartSignal(counter, at_ms, at_ms, PART, doubt)


def joins(cause: JoinCause) -> float:
    return float(JOINS.labels(camera="cam0", cause=cause.value)._value.get())


def camera(
    feed: TriggerFeed,
    *shots: Shot | None,
    join: TimeJoin | CounterJoin | None = None,
    end: Exception | None = None,
    first: int = 0,
) -> JoinedCamera:
    clock = ManualClock(10_000)
    run = CameraRun(CameraPlace("line1", "st1", "cam0", "top"), clock, threading.Event(), 0, first)
    return JoinedCamera(Scripted(clock, shots, end), (join or TimeJoin()).joiner(), feed, run)


def fed(*signals: PartSignal, away: str | None = None) -> TriggerFeed:
    feed = TriggerFeed()
    feed.tell(ChannelState(away))
    for one in signals:
        feed.tell(one)
    return feed


def test_a_picture_gets_its_triggers_visit_and_part_and_is_counted() -> None:
    before = joins(JoinCause.JOINED)
    shot = camera(fed(told(7, 10_000)), picture(3, 10_020)).poll(1.0)
    assert shot == replace(picture(3, 10_020), trigger=Trigger(7, 10_000), part=PART)
    assert joins(JoinCause.JOINED) == before + 1


def test_without_trigger_a_picture_is_told_as_a_doubt_with_the_state_of_the_channel() -> None:
    before = joins(JoinCause.NO_TRIGGER)
    shot = camera(fed(away="no route"), picture(3, 10_000)).poll(1.0)
    assert shot is not None
    assert shot.trigger is None
    why = "a picture without trigger: none came within its window; the side channel is away: no route"
    assert shot.doubt == why
    assert joins(JoinCause.NO_TRIGGER) == before + 1


def test_without_picture_a_trigger_is_a_shot_of_its_visit_that_lost_its_picture() -> None:
    before = joins(JoinCause.NO_PICTURE)
    shot = camera(fed(told(7, 9_990)), first=5).poll(1.0)
    assert shot == Shot(
        index=4,
        captured_ms=9_990,
        picture=None,
        loss=Loss.CAMERA_FAULT,
        loss_detail="trigger 7 without picture: none came within its window",
        trigger=Trigger(7, 9_990),
        part=PART,
        conditions=(CameraCondition.LOST,),
    )
    assert joins(JoinCause.NO_PICTURE) == before + 1


def test_counters_that_jump_on_either_side_are_told_with_the_joined_picture_and_counted() -> None:
    before = joins(JoinCause.COUNTER_JUMP)
    feed = fed(told(7, 0), told(9, 0, "jumped from 7 to 9"), told(10, 0), told(12, 0, "jumped from 10 to 12"))
    taken = camera(feed, *(picture(n, 10_000, n) for n in (7, 9, 10, 12)), join=CounterJoin())
    doubts = [shot.doubt for shot in (taken.poll(1.0) for _ in range(4)) if shot]
    assert doubts == [
        None,
        "the camera's counter jumped from 7 to 9; jumped from 7 to 9",
        None,
        "the camera's counter jumped from 10 to 12; jumped from 10 to 12",
    ]
    assert joins(JoinCause.COUNTER_JUMP) == before + 2


def test_a_serial_that_came_with_the_picture_and_another_that_was_told_divert() -> None:
    own = replace(picture(0, 10_000), part=PartInfo("SN-9", PartIdSource.READ))
    shot = camera(fed(told(7, 10_000)), own).poll(1.0)
    assert shot is not None
    assert (shot.part.part_id, shot.part.lot_id) == (None, "L-7")
    assert shot.doubt == "the picture came with SN-9, the side channel told SN-1"


def test_what_is_held_comes_before_the_end_and_before_a_death() -> None:
    ends = camera(fed(told(7, 10_000)), picture(0, 10_020), end=EndOfPictures())
    assert ends.poll(1.0) == replace(picture(0, 10_020), trigger=Trigger(7, 10_000), part=PART)
    with pytest.raises(EndOfPictures):
        ends.poll(1.0)
    fault = CameraFault("unplugged", Shot(1, 10_030, picture=None))
    dies = camera(fed(told(7, 10_010)), end=fault)
    shot = dies.poll(1.0)
    assert shot is not None
    assert (shot.trigger, shot.loss, shot.loss_detail) == (Trigger(7, 10_010), Loss.CAMERA_FAULT, "unplugged")
    with pytest.raises(CameraFault, match="unplugged") as died:
        dies.poll(1.0)
    assert died.value.shot is None


def test_a_camera_that_holds_several_pictures_gives_them_all_before_one_of_them_is_decided() -> None:
    held = [picture(0, 9_000), picture(1, 9_010)]
    taken = camera(fed(told(7, 9_000)), *held)
    doubts = [shot.doubt or shot.loss_detail for shot in (taken.poll(1.0) for _ in range(3)) if shot]
    assert all("two of one" in (doubt or "") for doubt in doubts)


class Waiting(Scripted):
    """A camera that tells the trigger whose picture it waits for."""

    in_hand = picture(4, 10_000)


def test_what_a_camera_waits_for_is_told_through_the_joining_and_the_reading() -> None:
    clock = ManualClock(10_000)
    run = CameraRun(CameraPlace("line1", "st1", "cam0", "top"), clock, threading.Event(), 0)
    for inner, told_of in ((Waiting(clock, ()), Waiting.in_hand), (Scripted(clock, ()), None)):
        joined = JoinedCamera(inner, TimeJoin().joiner(), TriggerFeed(), run)
        assert joined.in_hand == told_of
        assert CodeReadingCamera(joined, CodeOptions(), "cam0").in_hand == told_of


def test_it_gives_nothing_where_nothing_is_decided_in_time() -> None:
    assert camera(fed(told(7, 10_000))).poll(0.1) is None


@pytest.fixture
def pipe() -> Iterable[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_into(feed: TriggerFeed, end: int) -> None:
    os.set_blocking(end, False)
    for line in os.read(end, 1 << 20).splitlines():
        feed.line(line)


def test_a_camera_whose_process_was_dead_is_told_what_came_and_how_the_channel_is(pipe: tuple[int, int]) -> None:
    sender, feed = TriggerPipe("cam0"), TriggerFeed()
    sender.tell(ChannelState("no route"))
    sender.tell(told(7, 1))
    sender.attach(pipe[1])
    sender.tell(told(8, 2))
    read_into(feed, pipe[0])
    assert feed.away == "no route"
    assert [one.counter for one in feed.taken()] == [7, 8]


def test_what_a_process_was_told_and_had_not_made_safe_is_told_to_the_next_before_what_came_since(
    pipe: tuple[int, int],
) -> None:
    sender, first, second = TriggerPipe("cam0"), TriggerFeed(), TriggerFeed()
    sender.attach(pipe[1])
    for number in range(3):
        sender.tell(told(number, 10 * number))
    read_into(first, pipe[0])
    sender.safe(told(1, 10).key)
    sender.detach()
    sender.tell(told(3, 30))
    sender.attach(pipe[1])
    read_into(second, pipe[0])
    assert [one.counter for one in second.taken()] == [0, 2, 3]
    sender.safe(told(0, 0).key)
    sender.attach(pipe[1])
    read_into(second, pipe[0])
    assert [one.counter for one in second.taken()] == [2, 3]


def test_a_camera_that_does_not_read_never_blocks_the_others_and_is_told_the_rest_later(pipe: tuple[int, int]) -> None:
    sender, feed = TriggerPipe("cam0"), TriggerFeed()
    before = TRIGGERS_DROPPED.labels(camera="cam0")._value.get()
    sender.attach(pipe[1])
    for number in range(5_000):
        sender.tell(told(number, number))
    counters: list[int] = []
    for _ in range(20):
        read_into(feed, pipe[0])
        counters += [one.counter for one in feed.taken()]
        sender.tell(told(9_999, 0))
    dropped = TRIGGERS_DROPPED.labels(camera="cam0")._value.get() - before
    assert dropped > 0
    whole = [one for one in counters if one != 9_999]
    assert whole == sorted(set(whole))
    assert len(whole) + dropped == 5_000


def folder(path: Path, **more: object) -> FolderOptions:
    return FolderOptions.model_validate({"camera_id": "cam0", "view_id": "top", "path": path, **more})


def test_each_is_a_capture_that_diverts(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 2, 100)
    options = folder(tmp_path / "pictures", join={"by": "time", "latest_ms": 60_000})
    line = TrialLine(options, tmp_path / "spool", trigger=TRIGGER)
    line.feed.tell(ChannelState())
    line.feed.tell(PartSignal(7, 1_000, 1_000, PART))
    line.run()
    assert [(one.part_id, one.lost, one.doubt is not None) for one in line.captures()] == [
        ("SN-1", Loss.CAMERA_FAULT, False),
        (None, None, True),
        (None, None, True),
    ]
    [lone, *_] = line.captures()
    assert (lone.visit_id, lone.encoder_position) == ("line1.st1.0000000001000.000007", 40)
    assert lone.conditions == (CameraCondition.LOST,)
    line.run(2_000)
    assert len(line.captures()) == 5, "the trigger's capture does not move the place in the source"


def test_a_station_of_several_cameras_may_be_joined_to_one_side_channel() -> None:
    joined = [{**vars(folder(Path("p"))), "camera_id": f"cam{n}", "join": {"by": "counter"}} for n in range(2)]
    assert len(with_cameras(IngestOptions.model_validate({"cameras": joined, "trigger": TRIGGER})).cameras) == 2


@pytest.mark.parametrize(
    ("camera", "trigger", "why"),
    [
        ({"join": {"by": "time"}}, None, "has a 'join' and the station no 'trigger'"),
        ({}, TRIGGER, "read for no camera"),
        ({"join": {"by": "time"}, "pattern": r"(?P<visit>\d+)"}, TRIGGER, "brings its visits by itself"),
        ({"join": {"by": "counter"}}, TRIGGER | {"format": {"counts": False}}, "lines bring none"),
    ],
)
def test_a_side_channel_that_does_not_fit_the_cameras_is_refused(
    camera: dict[str, object], trigger: dict[str, object] | None, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        with_cameras(IngestOptions.model_validate({"cameras": [folder(Path("p"), **camera)], "trigger": trigger}))


def test_the_guide_shows_settings_that_are_taken(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/connect-a-camera.md").read_text(encoding="utf-8")
    section = guide.partition("## Trigger and part data")[2].partition("\n## ")[0]
    file = tmp_path / "line.toml"
    file.write_text(section.partition("```toml\n")[2].partition("```")[0])
    taken = with_cameras(IngestOptions(config=file))
    assert taken.trigger is not None
    assert taken.trigger.format.read(b"counter=7 serial=SN-7 encoder=3500\n").counter == 7
    [camera] = taken.cameras
    assert camera.join is not None
    assert camera.read_code is not None
    for line in re.findall(r"`(\{\"counter.*?\})`", section):
        assert LineFormat().read(line.encode()).part.lot_id == "L-7"
    for pattern in re.findall(r"`pattern = '(.*?)'`", section):
        assert LineFormat(form="pattern", pattern=pattern).pattern
