"""What a camera let pass before it was recognised that something was wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden_history.containment import suspected
from linewarden_history.index.following import catch_up
from linewarden_history.index.store import StoryIndex
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.vocabulary import CameraCondition, Cause, Loss, Routing
from tests.support.shift import AT, capture, disposition, visit
from tests.unit.history.test_index import publish
from tests.unit.inspect.harness import NAMESPACE, memory_line

FROZEN, MOVED = (CameraCondition.FROZEN,), (CameraCondition.MOVED,)


def passage(
    number: int, conditions: tuple[CameraCondition, ...] = (), *, camera: str = "cam1", lost: Loss | None = None
) -> list[Message]:
    """A visit of one camera, which passes where nothing is wrong."""
    if conditions or lost:
        routed = disposition(number, Routing.DIVERTED, Cause.FAULT, final=False)
    else:
        routed = disposition(number, Routing.TRUSTED_PASS)
    return [capture(number, conditions=conditions, camera_id=camera, lost=lost), routed]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[StoryIndex]:
    """Moved once; later a lost picture and two that are frozen; another camera is well all the time."""
    broker: MemoryBroker = memory_line()
    for number, (conditions, camera, lost) in enumerate(
        [
            ((), "cam1", None),
            (MOVED, "cam1", None),
            ((), "cam1", None),
            ((), "cam1", None),
            ((), "cam2", None),
            ((), "cam1", Loss.SPOOL_CORRUPT),
            (FROZEN, "cam1", None),
            (FROZEN, "cam1", None),
            ((), "cam1", None),
        ]
    ):
        publish(broker, *passage(number, conditions, camera=camera, lost=lost))
    with StoryIndex(tmp_path / "index.sqlite", NAMESPACE.name) as opened:
        catch_up(broker, NAMESPACE, opened)
        yield opened


def test_what_passed_since_the_last_sure_picture_before_the_newest_stretch_is_listed(index: StoryIndex) -> None:
    found = suspected(index, "cam1")
    assert [one["visit_id"] for one in found.visits] == [visit(3)]
    assert (found.from_ms, found.to_ms, found.conditions, found.is_sure) == (AT + 3, AT + 7, ("camera_frozen",), True)


def test_whoever_says_since_when_gets_everything_that_passed_from_then_on(index: StoryIndex) -> None:
    found = suspected(index, "cam1", AT + 2)
    assert [one["visit_id"] for one in found.visits] == [visit(2), visit(3), visit(8)]
    assert [one["visit_id"] for one in suspected(index, "cam1", AT, AT + 3).visits] == [visit(0), visit(2), visit(3)]


def test_an_earlier_stretch_is_named_by_its_end(index: StoryIndex) -> None:
    found = suspected(index, "cam1", to_ms=AT + 2)
    assert ([one["visit_id"] for one in found.visits], found.conditions) == ([visit(0)], ("camera_moved",))


def test_without_a_sure_capture_before_everything_that_is_known_is_meant_and_said_so(index: StoryIndex) -> None:
    broker = memory_line()
    publish(broker, *passage(0, FROZEN))
    with StoryIndex(None, NAMESPACE.name) as opened:
        catch_up(broker, NAMESPACE, opened)
        assert not suspected(opened, "cam1").is_sure


def test_a_camera_that_nobody_knows_and_one_without_a_condition_are_told(index: StoryIndex) -> None:
    with pytest.raises(ValueError, match="no capture of camera cam9 is known"):
        suspected(index, "cam9")
    with pytest.raises(ValueError, match="say since when by --from"):
        suspected(index, "cam2")
    assert [one["visit_id"] for one in suspected(index, "cam2", 0).visits] == [visit(4)]


def test_the_picture_of_a_known_bad_is_no_sure_picture_of_the_camera() -> None:
    broker = memory_line()
    publish(broker, *passage(0), *passage(1), capture(2, known_bad=True), *passage(3, FROZEN))
    with StoryIndex(None, NAMESPACE.name) as opened:
        catch_up(broker, NAMESPACE, opened)
        assert suspected(opened, "cam1").from_ms == AT + 1
