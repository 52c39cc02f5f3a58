"""A source that asks for it learns that its shot is about to be spooled, and that it is safe; in this order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from linewarden_ingest.cameras.interface import EndOfPictures, Receipt, Shot
from linewarden_ingest.spool.faults import SpoolFull
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_runtime.clock import ManualClock
from linewarden_schemas.capture import Capture
from tests.unit.ingest.test_intake import Script, intake, shot


class Told:
    """What a receipt was told, beside what the spool had then."""

    def __init__(self, spool: Spool) -> None:
        self._spool, self.words, self.has_room = spool, list[tuple[str, int, int, int]](), True

    def receipt(self, index: int) -> Receipt:
        def given(capture: Capture) -> None:
            self._tell("given", capture.sequence)
            if not self.has_room:
                raise SpoolFull("no room for the journal")

        return Receipt(given, lambda: self._tell("safe", index))

    def _tell(self, word: str, number: int) -> None:
        self.words.append((word, number, self._spool.next_sequence, self._spool.durable_next))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path, SpoolLimits(20_000, 4_000), ManualClock(77)) as spool:
        yield spool


def test_given_comes_before_the_record_and_safe_behind_its_fsync(spool: Spool) -> None:
    told = Told(spool)
    taking = intake(spool, Script(*(replace(shot(n), receipt=told.receipt(n)) for n in range(2)), shot(2)))
    taking.step()
    taking.step()
    assert told.words == [("given", 0, 0, 0), ("given", 1, 1, 0)]
    spool.sync()
    taking.step()
    assert told.words[2:] == [("safe", 0, 2, 2), ("safe", 1, 2, 2)]


@pytest.mark.parametrize("stops", [False, True])
def test_at_the_end_and_at_a_stop_all_that_was_taken_is_made_safe_and_told(spool: Spool, stops: bool) -> None:
    told, stop = Told(spool), threading.Event()
    camera = Script(*(replace(shot(n), receipt=told.receipt(n)) for n in range(3)))
    taking = intake(spool, camera, stop=stop)
    if stops:
        for _ in range(3):
            taking.step()
        stop.set()
    assert taking.run() is not stops
    assert [(word, number) for word, number, *_ in told.words[3:]] == [("safe", 0), ("safe", 1), ("safe", 2)]


def test_where_the_source_finds_no_room_to_remember_the_line_holds_and_goes_on_with_the_same_sequence(
    spool: Spool,
) -> None:
    told = Told(spool)
    told.has_room = False
    taking = intake(spool, Script(replace(shot(0), receipt=told.receipt(0))))
    assert [taking.step(), taking.step()] == [False, False]
    assert spool.next_sequence == 0
    told.has_room = True
    assert taking.step()
    assert [number for _, number, *_ in told.words] == [0, 0, 0]
    with pytest.raises(EndOfPictures):
        taking.step()


def test_while_a_shot_is_not_safe_the_camera_is_asked_for_a_moment_only(spool: Spool) -> None:
    asked: list[float] = []

    class Slow(Script):
        def poll(self, timeout_s: float) -> Shot | None:
            asked.append(timeout_s)
            return super().poll(timeout_s)

    told = Told(spool)
    taking = intake(spool, Slow(replace(shot(0), receipt=told.receipt(0)), shot(1), shot(2)))
    taking.step()
    taking.step()
    spool.sync()
    taking.step()
    assert asked[0] == asked[2]
    assert asked[1] <= 0.01
