"""The projector over the in-memory broker and the model of the queue."""

from __future__ import annotations

import pytest

from linewarden_reinspect.projector.plan import Log, why_rebuild
from linewarden_reinspect.projector.projector import Projector, ProjectorPace
from linewarden_reinspect.queue.errors import NotLive
from linewarden_reinspect.queue.types import Claimant, Standing
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import Poison
from linewarden_runtime.ports import TopicSpec
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.ids import Namespace
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.slots import AT, PARTITIONS, TOPIC, closed, opened, record, tombstone

LOG = Log("t-1", {0: 0, 1: 0}, {0: 10, 1: 4})
HOUR_MS = 3_600_000


class Setting:
    """A broker with the topic, an empty queue and a projector between them."""

    def __init__(self) -> None:
        self.clock = ManualClock(AT)
        self.broker = MemoryBroker(self.clock)
        self.spec = TopicSpec(TOPIC, PARTITIONS)
        self.broker.create_topics([self.spec])
        self.queue = MemoryQueue(self.clock)
        self.poisoned: list[Poison] = []
        self.projector = self.make()

    def make(self, batch: int = 500) -> Projector:
        positions = [Position(TOPIC, number) for number in range(PARTITIONS)]
        reader = self.broker.reader(dict.fromkeys(positions, 0))
        pace = ProjectorPace(poll_s=0.0, beat_s=0.0, identity_s=0.0, batch=batch)
        return Projector(
            self.queue, reader, self.broker.admin(), TOPIC, self.clock, pace=pace, poisoned=self.poisoned.append
        )

    def send(self, *records: OutRecord) -> None:
        for one in records:
            self.broker.append(one)

    def settle(self) -> None:
        for _ in range(PARTITIONS + 2):
            self.projector.step()


@pytest.fixture
def setting() -> Setting:
    one = Setting()
    one.projector.synchronise()
    return one


def test_a_view_that_was_never_filled_is_built_from_the_start_of_the_topic() -> None:
    assert why_rebuild(Standing(None, False, 0), LOG, HOUR_MS) == "empty"


def test_a_view_of_this_topic_is_followed_from_its_own_offsets() -> None:
    assert why_rebuild(Standing("t-1", True, 0, {0: 7, 1: 4}), LOG, HOUR_MS) is None


@pytest.mark.parametrize(
    ("standing", "cause"),
    [
        (Standing("t-0", True, 0, {0: 7, 1: 4}), "other_topic"),
        (Standing("t-1", True, 0, {0: 7}), "other_partitions"),
        (Standing("t-1", True, 0, {0: 11, 1: 4}), "beyond_end"),
        (Standing("t-1", True, HOUR_MS + 1, {0: 7, 1: 4}), "too_old"),
    ],
)
def test_a_view_that_cannot_be_followed_is_built_anew(standing: Standing, cause: str) -> None:
    assert why_rebuild(standing, LOG, HOUR_MS) == cause


@pytest.mark.parametrize(
    "standing", [Standing("t-1", True, HOUR_MS, {0: 8, 1: 4}), Standing("t-1", True, 0, {0: 7, 1: 0})]
)
def test_a_view_at_the_bounds_is_followed(standing: Standing) -> None:
    assert why_rebuild(standing, Log("t-1", {0: 7, 1: 0}, {0: 10, 1: 4}), HOUR_MS) is None


def test_a_view_that_retention_overtook_is_built_anew() -> None:
    log = Log("t-1", {0: 8, 1: 0}, LOG.ends)
    assert why_rebuild(Standing("t-1", True, 0, {0: 7, 1: 4}), log, HOUR_MS) == "before_begin"


def test_open_slots_are_in_the_queue_and_closed_ones_are_not(setting: Setting) -> None:
    first, second = opened(1), opened(2)
    setting.send(record(first), record(second), record(closed(first)))
    setting.settle()
    assert set(setting.queue.dump()) == {second.slot_id}


def test_a_tombstone_takes_a_slot_out_whose_close_was_never_seen(setting: Setting) -> None:
    slot = opened(1)
    setting.send(record(slot))
    setting.settle()
    setting.send(tombstone(slot))
    setting.settle()
    assert setting.queue.dump() == {}


def test_a_slot_that_is_sent_again_takes_over_the_new_frames(setting: Setting) -> None:
    slot = opened(1)
    later = slot.model_copy(update={"missing_views": ("side",)})
    setting.send(record(slot), record(later))
    setting.settle()
    assert setting.queue.dump()[slot.slot_id].slot == later


def test_nobody_gets_a_slot_before_the_end_of_the_topic_is_reached(setting: Setting) -> None:
    setting.send(record(opened(1)))
    with pytest.raises(NotLive):
        setting.queue.claim(Claimant("ada"), "t1")
    setting.settle()
    assert setting.queue.claim(Claimant("ada"), "t1").lease is not None


def test_the_gate_stays_closed_until_all_that_was_there_is_taken_in(setting: Setting) -> None:
    projector = setting.make(batch=1)
    setting.send(*(record(opened(number)) for number in range(3)))
    projector.synchronise()
    assert projector.step() == 1
    with pytest.raises(NotLive):
        setting.queue.claim(Claimant("ada"), "t1")


def test_an_end_that_was_seen_too_long_ago_confirms_nothing(setting: Setting) -> None:
    setting.projector.synchronise()
    setting.clock.advance(ProjectorPace().gate_ms / 1000 + 1)
    setting.send(record(opened(1)))
    setting.projector.step()
    with pytest.raises(NotLive):
        setting.queue.claim(Claimant("ada"), "t1")


def test_a_view_that_is_looked_at_anew_or_emptied_is_not_current_before_it_is_confirmed(setting: Setting) -> None:
    for leave in (setting.projector.synchronise, lambda: setting.projector._empty(setting.projector._look(), "test")):
        setting.settle()
        assert setting.projector.is_current
        leave()
        assert not setting.projector.is_current


def test_the_gate_closes_by_itself_when_nobody_confirms_the_view(setting: Setting) -> None:
    setting.send(record(opened(1)))
    setting.settle()
    setting.clock.advance(ProjectorPace().gate_ms / 1000)
    with pytest.raises(NotLive):
        setting.queue.claim(Claimant("ada"), "t1")


def test_a_record_that_is_no_slot_is_told_of_and_stops_nothing(setting: Setting) -> None:
    slot = opened(1)
    setting.send(OutRecord(TOPIC, b"x", b"{}", (), 0), record(slot))
    setting.settle()
    assert [poison.cause for poison in setting.poisoned] == ["unreadable_slot"]
    assert set(setting.queue.dump()) == {slot.slot_id}
    setting.send(OutRecord(TOPIC, b"x", b"{}", (), 0))
    setting.settle()
    ends = setting.projector._look().ends
    assert dict(setting.queue.standing().offsets) == ends


def test_an_emptied_view_fills_itself_again(setting: Setting) -> None:
    setting.send(*(record(opened(number)) for number in range(9)))
    setting.settle()
    before = setting.queue.dump()
    setting.queue.clear()
    setting.settle()
    assert setting.queue.dump() == before


def test_an_older_copy_of_the_view_is_brought_up_to_date(setting: Setting) -> None:
    setting.send(*(record(opened(number)) for number in range(4)))
    setting.settle()
    copy = setting.queue.snapshot()
    setting.send(record(closed(opened(0))), record(opened(8)))
    setting.settle()
    before = setting.queue.dump()
    setting.queue.restore(copy)
    setting.settle()
    assert setting.queue.dump() == before


def test_a_topic_made_anew_gives_a_new_view(setting: Setting) -> None:
    setting.send(record(opened(1)))
    setting.settle()
    setting.broker.drop(TOPIC)
    setting.broker.create(setting.spec)
    setting.send(record(opened(2)))
    setting.settle()
    assert set(setting.queue.dump()) == {opened(2).slot_id}


def test_a_topic_made_anew_is_noticed_though_it_reaches_as_far_as_the_one_before(setting: Setting) -> None:
    setting.send(record(opened(1)))
    setting.settle()
    setting.broker.drop(TOPIC)
    setting.broker.create(setting.spec)
    slot = opened(2)
    setting.send(OutRecord(TOPIC, *_value(slot), record(opened(1)).partition))
    setting.settle()
    assert set(setting.queue.dump()) == {slot.slot_id}


def _value(slot: SlotOpen) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]:
    made = record(slot)
    return made.key, made.value, made.headers


def test_any_number_of_strays_is_told_of_and_stops_neither_following_nor_a_rebuild(setting: Setting) -> None:
    letters = DeadLetters("projector", Namespace("line1"), setting.clock)
    slot = opened(1)
    told: list[str] = []

    def poisoned(poison: Poison) -> None:
        assert poison.record is not None
        told.append(letters.letter(poison.record, poison.cause, poison.detail).topic)

    setting.projector._poisoned = poisoned
    setting.send(*(OutRecord(TOPIC, b"x", b"stray", (), number % PARTITIONS) for number in range(1200)))
    setting.send(record(slot))
    setting.settle()
    assert told == ["line1.dead-letters"] * 1200
    assert set(setting.queue.dump()) == {slot.slot_id}
    assert setting.projector.rebuild() == 1201
    assert set(setting.queue.dump()) == {slot.slot_id}


def test_two_projectors_of_one_view_do_no_harm(setting: Setting) -> None:
    other = setting.make()
    other.synchronise()
    for number in range(6):
        setting.send(record(opened(number)))
        (other if number % 2 else setting.projector).step()
    setting.settle()
    for _ in range(PARTITIONS + 2):
        other.step()
    assert set(setting.queue.dump()) == {opened(number).slot_id for number in range(6)}


def test_a_rebuild_on_demand_ends_with_an_open_gate(setting: Setting) -> None:
    setting.send(*(record(opened(number)) for number in range(5)))
    assert setting.projector.rebuild() == 5
    assert setting.queue.claim(Claimant("ada"), "t1").lease is not None
