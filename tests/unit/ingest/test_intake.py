"""Every shot gets a sequence and a capture; what cannot be kept is a counted loss."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.camera_watch import CameraWatch
from linewarden_ingest.cameras.interface import CameraFault, EncodedPicture, EndOfPictures, Shot, Trigger
from linewarden_ingest.cameras.pictures import Encoding
from linewarden_ingest.captures import Pins
from linewarden_ingest.intake import Intake, Level
from linewarden_ingest.metrics import SPOOL_LEVEL, Losses
from linewarden_ingest.node_clock import NodeClock
from linewarden_ingest.settings import Overload
from linewarden_ingest.spool.reader import Gap, Record
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.clock import ManualClock
from linewarden_schemas.vocabulary import Loss
from tests.simulation.filesystem import SimulatedFiles
from tests.unit.ingest.lines import PINS, PLACE, watch_of

PICTURE = EncodedPicture(b"\x89PNG\r\n\x1a\n" + bytes(1000), "image/png")


def shot(index: int, **fields: object) -> Shot:
    return Shot(**({"index": index, "captured_ms": 1_000 + index, "picture": PICTURE} | fields))  # type: ignore[arg-type]


class Script:
    """A camera that plays shots, ends or faults as written."""

    def __init__(self, *steps: Shot | Exception) -> None:
        self._steps = iter(steps)

    def poll(self, timeout_s: float) -> Shot | None:
        step = next(self._steps, EndOfPictures())
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        pass


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    limits = SpoolLimits(capacity_bytes=20_000, segment_bytes=4_000, unsynced_bytes=1 << 20)
    with Spool(tmp_path, limits, ManualClock(77)) as spool:
        yield spool


def intake(
    spool: Spool,
    camera: Script | None = None,
    *,
    overload: Overload = Overload.BLOCK,
    stop: threading.Event | None = None,
    losses: Losses | None = None,
    pins: Callable[[int], Pins] = lambda _at_ms: PINS,
    node: NodeClock | None = None,
    watch: CameraWatch | None = None,
) -> Intake:
    return Intake(
        camera or Script(),
        spool,
        pins,
        place=PLACE,
        encoding=Encoding(),
        max_picture_bytes=5_000,
        overload=overload,
        losses=losses or Losses("cam0"),
        run_ms=3,
        stop=stop or threading.Event(),
        watch=watch or watch_of(ManualClock(1_000)),
        node=node,
    )


def spooled(spool: Spool) -> list[tuple[Record, Ticket]]:
    spool.sync()
    reader = spool.reader()
    found = []
    while (item := reader.next()) is not None:
        assert not isinstance(item, Gap)
        found.append((item, Ticket.from_bytes(item.header)))
    return found


def test_a_shot_is_spooled_with_its_pins_and_its_bytes_untouched(spool: Spool) -> None:
    assert intake(spool, Script(shot(0, trigger=Trigger(9, 500)), shot(1))).run()
    (record, ticket), (_, minted) = spooled(spool)
    capture = ticket.capture
    assert record.payload == PICTURE.data
    assert (capture.visit_id, capture.sequence, capture.spool_epoch) == ("line1.st1.0000000000500.000009", 0, 77)
    assert (capture.recipe, capture.decide_by_ms, capture.lot_id) == (PINS.recipe, 1_000 + 10_000, "L1")
    assert capture.line_state == PINS.line_state.ref()
    assert minted.capture.visit_id == "line1.st1.0000000001001.000001"
    assert minted.index == 1


def test_a_labelled_picture_pins_what_is_in_force_when_it_is_taken(spool: Spool) -> None:
    asked: list[int] = []

    def pins(at_ms: int) -> Pins:
        asked.append(at_ms)
        return PINS

    begin = Trigger(9, 500)  # the same for every labelled visit of a run
    intake(spool, Script(shot(0, trigger=begin), shot(3_600_000, trigger=begin)), pins=pins).run()
    assert asked == [1_000, 3_601_000]


def test_a_raw_picture_is_encoded(spool: Spool) -> None:
    intake(spool, Script(shot(0, picture=np.zeros((8, 8), np.uint8)))).run()
    ((record, ticket),) = spooled(spool)
    assert record.payload is not None
    assert record.payload.startswith(b"\x89PNG")
    assert ticket.content_type == "image/png"


def test_an_oversize_picture_is_a_capture_with_its_loss(spool: Spool) -> None:
    losses = Losses("cam0")
    intake(spool, Script(shot(0, picture=EncodedPicture(bytes(6_000), "image/png"))), losses=losses).run()
    ((record, ticket),) = spooled(spool)
    assert (record.payload, ticket.capture.lost, ticket.capture.sha256) == (None, Loss.OVERSIZE, None)
    assert (ticket.capture.lost_detail or "").startswith("6000 bytes; ")
    assert losses.by_cause() == {"oversize": 1}


def test_a_picture_that_cannot_be_encoded_is_unreadable(spool: Spool) -> None:
    intake(spool, Script(shot(0, picture=np.zeros((8, 8, 7), np.uint8)))).run()
    ((_, ticket),) = spooled(spool)
    assert ticket.capture.lost is Loss.UNREADABLE
    assert "(8, 8, 7)" in (ticket.capture.lost_detail or "")


def test_why_a_source_has_no_picture_stands_in_the_record(spool: Spool) -> None:
    told = {"picture": None, "loss": Loss.UNREADABLE, "loss_detail": "3 pictures in one file" + "." * 3_000}
    intake(spool, Script(shot(0, **told))).run()
    ((_, ticket),) = spooled(spool)
    assert (ticket.capture.lost_detail or "").startswith("3 pictures in one file")


def test_a_camera_that_dies_leaves_the_capture_of_its_last_trigger(spool: Spool) -> None:
    with pytest.raises(CameraFault, match="cable"):
        intake(spool, Script(shot(0), CameraFault("cable", shot(1, picture=None)))).run()
    found = [ticket.capture for _, ticket in spooled(spool)]
    assert [(one.lost, one.lost_detail) for one in found] == [(None, None), (Loss.CAMERA_FAULT, "cable")]


def test_drop_oldest_drops_pictures_and_never_a_capture(spool: Spool) -> None:
    losses = Losses("cam0")
    assert intake(spool, Script(*map(shot, range(20))), overload=Overload.DROP_OLDEST, losses=losses).run()
    found = spooled(spool)
    assert [ticket.capture.sequence for _, ticket in found] == list(range(20))
    dropped = [record.sequence for record, _ in found if record.payload is None]
    assert dropped == list(range(len(dropped)))
    assert losses.by_cause() == {"dropped_oldest": len(dropped)}
    assert found[-1][0].payload == PICTURE.data


def test_block_holds_the_line_until_something_is_acknowledged(spool: Spool) -> None:
    taking = intake(spool, Script(*map(shot, range(14))))
    thread = threading.Thread(target=taking.run)
    thread.start()
    acked = 0
    durable = threading.Event()
    reader = spool.reader(durable.set)
    while acked < 14:
        durable.clear()
        spool.sync()
        if isinstance(reader.next(), Record):
            acked += 1
            spool.acknowledge(acked)
        else:
            durable.wait(0.05)
    thread.join()
    assert spool.next_sequence == 14


def test_a_stop_ends_the_hold_and_the_shot_is_not_counted_as_taken(spool: Spool) -> None:
    stop = threading.Event()
    taking = intake(spool, Script(*map(shot, range(100))), stop=stop)
    thread = threading.Thread(target=taking.run)
    thread.start()
    while spool.used_share < 0.9:
        spool.wait_room()
    stop.set()
    thread.join()
    assert len(spooled(spool)) == spool.next_sequence < 100


def test_the_line_is_warned_slowed_and_held_by_how_full_the_spool_is() -> None:
    assert [Level.of(share) for share in (0.0, 0.69, 0.7, 0.9, 1.0)] == [
        Level.NORMAL,
        Level.NORMAL,
        Level.WARN,
        Level.SLOW,
        Level.HOLD,
    ]


@pytest.mark.parametrize("overload", list(Overload))
def test_a_full_disk_holds_the_camera_which_goes_on_by_itself_and_loses_nothing(overload: Overload) -> None:
    files = SimulatedFiles(5)
    limits = SpoolLimits(capacity_bytes=1 << 20, segment_bytes=4_000)
    spool = Spool(Path("/spool"), limits, ManualClock(77), files=files)
    taking = intake(spool, Script(*map(shot, range(20))), overload=overload)
    for _ in range(7):
        assert taking.step()
    spool.sync()
    files.capacity_bytes = files.used_bytes
    while taking.step():
        pass
    for _ in range(3):
        assert not taking.step()
    assert SPOOL_LEVEL.labels(camera="cam0")._value.get() == Level.HOLD
    before = len(spooled(spool))
    spool.acknowledge(before)  # what was sent meanwhile makes room on the very disk that is full

    def goes_on() -> None:
        while True:
            if not taking.step():
                spool.sync()
                spool.acknowledge(spool.durable_next)

    with pytest.raises(EndOfPictures):
        goes_on()
    assert spool.next_sequence == 20
    assert SPOOL_LEVEL.labels(camera="cam0")._value.get() == Level.NORMAL


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"linewarden_ingest_{name}", {"camera": "cam0"} | labels) or 0.0


def test_what_was_taken_held_and_refused_is_counted(spool: Spool) -> None:
    names = ("taken_total", "taken_bytes_total", "holds_total", "refused_total")
    before = [counted(name) for name in names]
    stop = threading.Event()
    losses = Losses("cam0")
    lost = [shot(0, picture=None), shot(1, picture=EncodedPicture(bytes(6_000), "image/png"))]
    taking = intake(spool, Script(*lost, *map(shot, range(2, 40))), stop=stop, losses=losses)
    while taking.step():
        pass
    assert not taking.step()
    taken = spool.next_sequence
    stop.set()
    assert not taking.run()
    now = [counted(name) for name in names]
    size = len(PICTURE.data)
    assert [one - then for one, then in zip(now, before, strict=True)] == [taken, (taken - 2) * size, 1, 1]
    assert losses.by_cause() == {"camera_fault": 1, "oversize": 1}
    assert counted("spool_used_share") == 1.0
    assert counted("spool_level") == Level.HOLD


def test_a_run_that_is_stopped_with_nothing_in_hand_refused_nothing(spool: Spool) -> None:
    before = counted("refused_total")
    stop = threading.Event()
    stop.set()
    assert not intake(spool, Script(shot(0)), stop=stop).run()
    assert counted("refused_total") == before
    assert spool.next_sequence == 0


def test_a_picture_as_large_as_is_allowed_is_taken(spool: Spool) -> None:
    intake(spool, Script(shot(0, picture=EncodedPicture(bytes(5_000), "image/png")))).run()
    ((record, ticket),) = spooled(spool)
    assert (record.payload, ticket.capture.lost) == (bytes(5_000), None)


def test_a_camera_that_dies_without_a_trigger_leaves_nothing_and_one_with_it_only_where_there_is_room(
    spool: Spool,
) -> None:
    with pytest.raises(CameraFault, match="cable"):
        intake(spool, Script(CameraFault("cable"))).step()
    assert spool.next_sequence == 0
    full = Script(*map(shot, range(14)), CameraFault("cable", shot(14, picture=None)))
    taking = intake(spool, full)
    while taking.step():
        pass
    for _ in range(2):
        assert not taking.step()

    def goes_on() -> None:
        while True:
            spool.sync()
            spool.acknowledge(spool.durable_next)
            taking.step()

    with pytest.raises(CameraFault, match="cable"):
        goes_on()
    found = [ticket.capture for _, ticket in spooled(spool)]
    assert found[-1].lost is Loss.CAMERA_FAULT


class Wrong(NodeClock):
    """A node's clock that is wrong for as long as the test says."""

    def __init__(self) -> None:
        super().__init__(ManualClock(), "cam0")
        self.why: str | None = "its clock is wrong"

    def why_held(self) -> str | None:
        return self.why


def test_a_camera_is_not_asked_while_its_clock_is_wrong_and_goes_on_when_it_is_right(spool: Spool) -> None:
    node, stop = Wrong(), threading.Event()
    asked: list[float] = []
    camera = Script(shot(0), shot(1))
    really = camera.poll

    def poll(timeout_s: float) -> Shot | None:
        asked.append(timeout_s)
        return really(timeout_s)

    camera.poll = poll  # type: ignore[method-assign]
    taking = intake(spool, camera, stop=stop, node=node)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        levels.append(counted("spool_level"))
        node.why = None

    levels: list[float] = []
    stop.wait = wait  # type: ignore[method-assign,assignment]
    assert taking.run()
    assert len(waited) == 1
    assert levels == [Level.HOLD]
    assert counted("spool_level") == Level.NORMAL
    assert len(asked) == 3
    assert spool.next_sequence == 2
