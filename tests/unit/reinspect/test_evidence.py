"""The station's evidence: index, cache, and fetching again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from linewarden_reinspect.evidence.cache import RecordCache
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_runtime.testing import MemoryBroker
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.rig import Rig, rig
from tests.unit.reinspect.slots import AT


@pytest.fixture
def made() -> Iterator[Rig]:
    clock = ManualClock(AT)
    with rig(MemoryBroker(clock), MemoryQueue(clock), clock) as one:
        yield one


def held(name: str, size: int) -> InRecord:
    return InRecord("evidence", 0, 0, AT, name.encode(), b"x" * (size - len(name)))


def test_the_cache_gives_up_what_was_longest_unused() -> None:
    cache = RecordCache(100)
    for name in ("a", "b"):
        cache.put(name, held(name, 40))
    cache.get("a")
    cache.put("c", held("c", 40))
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]
    assert cache.size_bytes == 80


def test_a_record_larger_than_the_cache_is_not_kept() -> None:
    cache = RecordCache(100)
    cache.put("a", held("a", 101))
    assert cache.get("a") is None
    assert cache.size_bytes == 0


def test_what_fell_out_of_the_cache_is_fetched_by_its_offset(made: Rig) -> None:
    slots = [made.open_slot(number, size=96) for number in (1, 2)]
    made.settle()
    made.evidence._cache = RecordCache(0)
    for slot in slots:
        for frame in slot.frames:
            kept = made.evidence.get(frame.frame_id)
            assert kept is not None
            assert kept.sha256 == frame.sha256


def test_a_tombstone_ends_a_frames_evidence(made: Rig) -> None:
    frame = made.open_slot(1, size=96, views=1).frames[0]
    made.settle()
    partition = made.read_records("evidence")[0].partition
    made.producer.send(OutRecord(made.topic("evidence"), frame.frame_id.encode(), None, (), partition))
    made.settle()
    assert made.evidence.get(frame.frame_id) is None


def test_an_unreadable_record_is_as_good_as_none(made: Rig) -> None:
    made.producer.send(OutRecord(made.topic("evidence"), b"frame-1", b"{}", (), 0))
    made.settle()
    assert made.evidence.get("frame-1") is None


def test_the_follower_reaches_the_end_of_the_topic(made: Rig) -> None:
    frame = made.open_slot(1, size=96, views=1).frames[0]
    stop = threading.Event()
    follower = threading.Thread(target=made.evidence.run, args=(stop,))
    follower.start()
    with made.broker.changed:  # type: ignore[attr-defined]  # the in-memory broker
        made.broker.changed.wait_for(lambda: made.evidence.is_current, 10)  # type: ignore[attr-defined]  # the same
    stop.set()
    follower.join()
    assert made.evidence.get(frame.frame_id) is not None
