"""A camera node measures its clock against the broker's, tells the error, and holds the line while it is wrong."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.bootstrap import clock_error_s
from linewarden_ingest.cameras.interface import EncodedPicture, EndOfPictures, Shot
from linewarden_ingest.cameras.pictures import Encoding
from linewarden_ingest.intake import Intake
from linewarden_ingest.metrics import Losses
from linewarden_ingest.node_clock import NodeClock
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.publisher import Publisher
from linewarden_ingest.settings import Overload
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.testing import MemoryBroker
from tests.unit.ingest.lines import NAMESPACE, PINS, PLACE, captures, frames, heartbeats, set_up_line, watch_of

HOUR = 3_600_000
NOW = 1_700_000_000_000
PICTURE = EncodedPicture(b"\x89PNG" + bytes(100), "image/png")


class Endless:
    """A camera that has a picture whenever it is asked."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.polled = clock, 0

    def poll(self, timeout_s: float) -> Shot | None:
        self.polled += 1
        if self.polled > 1_000:
            raise EndOfPictures
        return Shot(self.polled, self.clock.now_ms(), PICTURE)

    def close(self) -> None:
        pass


class Node:
    """A camera's node with a clock of its own, and the broker with another."""

    def __init__(self, folder: Path, wrong_ms: int) -> None:
        self.clock, self.broker = ManualClock(NOW + wrong_ms), MemoryBroker(ManualClock(NOW))
        set_up_line(self.broker)
        self.node = NodeClock(self.clock, "cam0")
        self.spool = Spool(folder, SpoolLimits(capacity_bytes=1 << 20, segment_bytes=8_000), self.clock)
        self.camera = Endless(self.clock)
        losses = Losses("cam0")
        self.intake = Intake(
            self.camera,
            self.spool,
            lambda _at_ms: PINS,
            place=PLACE,
            encoding=Encoding(),
            max_picture_bytes=5_000,
            overload=Overload.BLOCK,
            losses=losses,
            run_ms=3,
            stop=threading.Event(),
            watch=watch_of(self.clock),
            node=self.node,
        )
        self.publisher = Publisher(
            self.spool,
            self.broker.producer,
            Outbound(NAMESPACE, PLACE, self.spool.epoch, 4),
            place=PLACE,
            losses=losses,
            clock=self.clock,
            node=self.node,
        )

    def turn(self, seconds: float = 0.0) -> None:
        """Time goes by, a picture is asked for, and what is durable is published."""
        self.clock.advance(seconds)
        assert isinstance(self.broker.clock, ManualClock)
        self.broker.clock.advance(seconds)
        self.intake.step()
        self.spool.sync()
        self.publisher.step(0.0)

    def close(self) -> None:
        self.publisher.close()
        self.spool.close()


def checked(node: Node) -> bool:
    return node.node.is_checked


@pytest.mark.parametrize("wrong_ms", [HOUR, -HOUR, 30 * 24 * HOUR, 5_001, -NOW])
def test_a_node_whose_clock_is_wrong_holds_its_camera_and_tells_by_how_much(tmp_path: Path, wrong_ms: int) -> None:
    node = Node(tmp_path, wrong_ms)
    node.turn()
    taken = node.camera.polled
    for _ in range(5):
        node.turn(6.0)
    assert taken == node.camera.polled == 1
    assert heartbeats(node.broker)[-1].clock_error_ms == wrong_ms
    assert "this node's clock is" in (node.node.why_held() or "")
    node.close()


def test_what_was_taken_before_the_clock_was_known_to_be_wrong_is_published_and_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path, -NOW)
    node.turn()
    (capture,) = captures(node.broker)
    assert not capture.clock_checked
    assert capture.captured_ms == 0
    assert not frames(node.broker)[0].meta.clock_checked
    node.close()


def test_a_clock_within_the_skew_takes_pictures_and_its_captures_say_that_it_was_checked(tmp_path: Path) -> None:
    node = Node(tmp_path, 4_900)
    for _ in range(3):
        node.turn(1.0)
    assert [one.clock_checked for one in captures(node.broker)] == [False, True, True]
    assert sorted(one.meta.clock_checked for one in frames(node.broker)) == [False, True, True]
    node.close()


def test_the_line_goes_on_within_seconds_after_the_clock_was_set(tmp_path: Path) -> None:
    node = Node(tmp_path, HOUR)
    node.turn()
    node.turn(6.0)
    node.clock.set_wall(node.clock.now_ms() - HOUR)
    node.turn(6.0)
    node.turn()
    assert node.camera.polled > 1
    assert node.node.why_held() is None
    node.close()


def test_a_clock_that_was_stepped_is_not_checked_until_it_was_compared_again(tmp_path: Path) -> None:
    node = Node(tmp_path, 0)
    node.turn()
    assert checked(node)
    node.clock.set_wall(node.clock.now_ms() - 2_000)
    assert not checked(node)
    node.turn(6.0)
    node.turn()
    assert checked(node)
    node.close()


def test_an_outage_holds_no_line_and_a_clock_that_was_checked_stays_so(tmp_path: Path) -> None:
    node = Node(tmp_path, 0)
    node.turn()
    node.clock.advance(HOUR / 1000)
    assert node.node.error_ms() is None
    assert node.node.why_held() is None
    assert checked(node)
    node.close()


def test_the_supervisor_reads_the_error_from_the_metrics_of_the_cameras_process(tmp_path: Path) -> None:
    node = Node(tmp_path, HOUR)
    node.turn()
    node.turn(6.0)
    assert clock_error_s(REGISTRY, "cam0") == HOUR / 1000
    node.clock.set_wall(node.clock.now_ms() - HOUR)
    node.turn(6.0)
    node.turn()
    assert clock_error_s(REGISTRY, "cam0") is None
    node.close()
