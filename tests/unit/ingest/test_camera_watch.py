"""What is told of a camera beside its pictures: gauges, the heartbeat, and a call of it that hangs."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY

from linewarden_ingest.bootstrap import conditions
from linewarden_ingest.camera_watch import CameraWatch
from linewarden_ingest.cameras.conditions import CameraLimits, ConditionJudge
from linewarden_ingest.cameras.interface import EncodedPicture, Shot
from linewarden_ingest.metrics import SPOOL_LEVEL
from linewarden_runtime.clock import ManualClock, SystemClock
from linewarden_schemas.vocabulary import CameraCondition
from tests.unit.ingest.lines import watch_of

FROZEN, SLOW = CameraCondition.FROZEN, CameraCondition.SLOW


def shot(at_ms: int, fill: int = 0) -> tuple[Shot, EncodedPicture]:
    picture = EncodedPicture(b"\x89PNG\r\n\x1a\n" + bytes([fill]) * 40, "image/png")
    return Shot(0, at_ms, picture), picture


def test_a_condition_of_one_picture_is_told_by_one_heartbeat_and_one_that_stays_by_each() -> None:
    watch = watch_of(ManualClock(1_000), is_live=True)
    for fill in (1, 1, 2):
        watch.judged(*shot(1_000, fill), None)
    assert [watch.untold(), watch.untold()] == [(FROZEN,), ()]
    watch.judged(*shot(1_000, 2), None)
    assert [watch.untold(), watch.untold()] == [(FROZEN,), (FROZEN,)]


def test_a_camera_that_falls_silent_is_slow_without_a_picture_and_its_reads_are_dated() -> None:
    clock = ManualClock(1_000)
    watch = watch_of(clock, camera="silent", gap_s=1.0)
    watch.judged(*shot(1_000), None)
    clock.advance(0.5)
    with watch.reading():
        clock.advance(0.25)
    assert (watch.last_read_ms, watch.untold()) == (1_750, ())
    clock.advance(1.0)
    with watch.reading():
        pass
    assert (watch.untold(), conditions(REGISTRY, 2.75)["silent"]) == ((SLOW,), "camera_slow")
    watch.judged(*shot(2_800), None)
    watch.judged(*shot(2_900), None)
    assert watch.untold() == (SLOW,)
    assert "silent" not in conditions(REGISTRY, 2.75)


def test_a_camera_whose_process_stands_still_is_told_by_the_supervisor_unless_the_spool_holds_it() -> None:
    clock = ManualClock(1_000)
    watch = watch_of(clock, camera="still")
    with watch.reading():
        pass
    assert "still" not in conditions(REGISTRY, 6.0)
    assert conditions(REGISTRY, 6.1)["still"] == "not read for 5 s"
    SPOOL_LEVEL.labels(camera="still").set(3)
    assert "still" not in conditions(REGISTRY, 6.1)


@pytest.mark.parametrize("words_hang", [False, True])
def test_a_call_that_hangs_ends_the_process_after_its_last_words_which_cannot_keep_it(
    words_hang: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linewarden_ingest.camera_watch._LAST_WORDS_S", 0.05)
    told: list[str] = []
    hangs = threading.Event()

    def end(what: str) -> None:
        told.append(what)
        hangs.set()

    def last_words() -> None:
        if words_hang:
            hangs.wait()
        told.append("words")

    judge = ConditionJudge(CameraLimits(), is_live=False)
    watch = CameraWatch("cam0", judge, SystemClock(), 0.01, end=end)
    watch.last_words = last_words
    with watch.reading():
        assert hangs.wait(60)
    watch.close()
    assert told[:1] == (["a read of camera cam0"] if words_hang else ["words"])
    assert "a read of camera cam0" in told


def test_without_a_limit_a_call_may_take_any_time() -> None:
    clock = ManualClock(0)
    watch = CameraWatch("cam0", ConditionJudge(CameraLimits(), is_live=False), clock, None, end=pytest.fail)
    with watch.reading():
        clock.advance(1e6)
    watch.close()
