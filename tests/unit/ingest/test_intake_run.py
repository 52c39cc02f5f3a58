"""A run waits for room where there is none, and for nothing else; the camera is asked with patience."""

from __future__ import annotations

import threading

import pytest

from linewarden_ingest.cameras.interface import Shot
from linewarden_ingest.intake import Intake, Level
from linewarden_ingest.metrics import Losses
from linewarden_ingest.settings import Overload
from linewarden_ingest.spool.spool import Spool
from tests.unit.ingest.test_intake import Script, Wrong, counted, intake, shot, spool

__all__ = ["spool"]


class Patience(threading.Event):
    """A stop that is never set, of a run that must not go round for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = 0

    def is_set(self) -> bool:
        self.rounds += 1
        assert self.rounds < 200, "it goes round without waiting for room"
        return False


class Slow(Script):
    """A camera that has no shot at first, and notes how long it was given."""

    def __init__(self, *steps: Shot | Exception) -> None:
        super().__init__(*steps)
        self.asked: list[float] = []

    def poll(self, timeout_s: float) -> Shot | None:
        self.asked.append(timeout_s)
        return None if len(self.asked) <= 3 else super().poll(timeout_s)


@pytest.fixture
def waits(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many shots were taken whenever a run waited for room; everything is acknowledged then."""
    found: list[int] = []

    def wait_room() -> None:
        found.append(spool.next_sequence)
        spool.sync()
        spool.acknowledge(spool.durable_next)

    monkeypatch.setattr(spool, "wait_room", wait_room)
    return found


def test_a_run_waits_for_room_where_the_spool_is_full_and_only_there(spool: Spool, waits: list[int]) -> None:
    assert intake(spool, Script(*map(shot, range(10))), stop=Patience()).run()
    assert waits == []
    spool.sync()
    spool.acknowledge(10)
    assert intake(spool, Script(*map(shot, range(40))), stop=Patience()).run()
    assert waits
    assert len(set(waits)) == len(waits), "it waits once where it was full, for there is room then"
    assert spool.next_sequence == 50


def test_a_camera_that_has_no_shot_is_asked_again_with_patience_and_no_room_is_waited_for(
    spool: Spool, waits: list[int]
) -> None:
    camera = Slow(shot(0))
    assert intake(spool, camera, stop=Patience()).run()
    assert waits == []
    assert len(camera.asked) == 5
    assert min(camera.asked) > 0
    assert spool.next_sequence == 1


def test_a_camera_that_is_held_by_its_clock_waits_for_its_clock_alone(
    spool: Spool, waits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, stop = Wrong(), Patience()
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        node.why = None if len(waited) == 3 else node.why

    monkeypatch.setattr(stop, "wait", wait)
    assert intake(spool, Script(shot(0)), stop=stop, node=node).run()
    assert len(waited) == 3
    assert min(waited) > 0
    assert waits == []
    assert spool.next_sequence == 1


def filled(taking: Intake) -> None:
    """Take until there is no room."""
    for _ in range(200):
        if not taking.step():
            return
    raise AssertionError("it never holds")


def test_a_hold_is_counted_when_it_begins_and_once(spool: Spool) -> None:
    before = counted("holds_total")
    taking = intake(spool, Script(*map(shot, range(60))))
    found = []
    for _ in range(2):
        filled(taking)
        found.append(counted("holds_total") - before)
        for _ in range(3):
            assert not taking.step()
        found.append(counted("holds_total") - before)
        spool.sync()
        spool.acknowledge(spool.durable_next)
    assert found == [1, 1, 2, 2]


def test_where_older_pictures_gave_way_the_camera_is_not_held(spool: Spool) -> None:
    before = counted("holds_total")
    losses = Losses("cam0")
    taking = intake(spool, Script(*map(shot, range(25))), overload=Overload.DROP_OLDEST, losses=losses)
    for _ in range(25):
        assert taking.step()
    assert counted("holds_total") == before
    assert losses.by_cause()["dropped_oldest"] > 0
    assert spool.next_sequence == 25


def test_a_line_is_not_held_any_more_as_soon_as_the_clock_is_right_though_no_part_comes(spool: Spool) -> None:
    node = Wrong()
    taking = intake(spool, Slow(), node=node)
    taking.step()
    assert counted("spool_level") == Level.HOLD
    node.why = None
    taking.step()
    assert counted("spool_level") == Level.NORMAL
    assert spool.next_sequence == 0


def test_each_change_of_level_is_told_with_its_reason_as_a_warning_where_it_rises(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str, str]] = []

    class Log:
        def warning(self, event: str, *, level: str, why: str, **_: object) -> None:
            told.append(("warning", level, why))

        def info(self, event: str, *, level: str, why: str, **_: object) -> None:
            told.append(("info", level, why))

    monkeypatch.setattr("linewarden_ingest.intake._log", Log())
    taking = intake(spool, Script(*map(shot, range(60))))
    filled(taking)
    spool.sync()
    spool.acknowledge(spool.durable_next)
    assert taking.step()
    assert [(how, level) for how, level, _ in told] == [
        ("warning", "warn"),
        ("warning", "slow"),
        ("warning", "hold"),
        ("info", "normal"),
    ]
    assert "do not fit" in told[2][2]
