"""What a person is asked about can be looked at, and is forgotten in the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linewarden_inspect import metrics
from linewarden_inspect.keeper.bootstrap import keep
from linewarden_inspect.keeper.fetching import RecordFetcher
from linewarden_inspect.keeper.forgetting import Forgetter
from linewarden_inspect.keeper.kept import KeptEvidence, Remembered
from linewarden_inspect.keeper.saving import EvidenceSaver, RememberingProducer
from linewarden_inspect.settings import KeeperSettings
from linewarden_runtime.books import RecipeBook
from linewarden_runtime.broker_time import BrokerTime
from linewarden_runtime.clock import Clock, ManualClock
from linewarden_runtime.consume import ConsumeLoop
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.health import Health
from linewarden_runtime.loop import LoopLimits
from linewarden_runtime.ports import Consumer
from linewarden_runtime.provision import provision_topics, recipe_record
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotFrame, SlotOpen, ViewResult
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import digest, slot_id
from linewarden_schemas.inspection import Evidence, Maps, SourceRef
from linewarden_schemas.recipe import ReviewRules, TimeBudget
from linewarden_schemas.vocabulary import Cause, Outcome, Routing, Verdict
from tests.support.bundles import digest_in, random_picture
from tests.support.frames import AT, RECIPE, frame_record, metadata, picture_bytes, recipe
from tests.unit.inspect.harness import (
    FAR_MS,
    NAMESPACE,
    CountingStop,
    answer,
    inspections,
    memory_line,
)
from tests.unit.inspect.test_worker import good

KEEP_MS, HORIZON_MS = 3_600_000, 600_000


def line(bundle_digest: str = "0" * 64, keep_ms: int = KEEP_MS) -> MemoryBroker:
    broker = MemoryBroker(ManualClock(AT))
    with broker.admin() as admin:
        provision_topics(admin, NAMESPACE, partitions=2)
    kept = recipe(
        bundle_digest, review=ReviewRules(evidence_keep_ms=keep_ms), time=TimeBudget(spool_horizon_ms=HORIZON_MS)
    )
    broker.append(recipe_record(NAMESPACE, kept, "/line1/cli"))
    return broker


def append(broker: MemoryBroker, topic: str, key: str, message: Message) -> None:
    encoded = encode(message, id=key, source="/line1/test", time_ms=AT)
    broker.append(OutRecord(NAMESPACE.topic(topic), key.encode(), encoded.value, encoded.headers, 0))


def capture(broker: MemoryBroker, record: OutRecord) -> SourceRef:
    offset = broker.append(record)
    return SourceRef(topic=record.topic, partition=record.partition or 0, offset=offset)


def ask(broker: MemoryBroker, *frames: SlotFrame, number: int = 0) -> None:
    """Open the slot of visit `number` about some frames."""
    visit = metadata(b"", number).visit_id
    slot = SlotOpen(
        slot_id=slot_id(visit, 0, 0),
        visit_id=visit,
        round=0,
        generation=0,
        causes=(Cause.LOW_TRUST,),
        risk=0.5,
        opened_ms=AT,
        due_ms=AT + 60_000,
        line_id="line1",
        recipe=RECIPE,
        frames=frames,
    )
    append(broker, "reinspections", slot.slot_id, slot)


def about(number: int, frame: SourceRef | None, inspection: SourceRef | None = None) -> SlotFrame:
    frame_id = metadata(b"", number).frame_id
    return SlotFrame(frame_id=frame_id, view_id="top", doubtful=True, frame=frame, inspection=inspection)


def run(broker: MemoryBroker, done: Callable[[], bool], store: Path | None = None) -> None:
    keep(
        broker,
        NAMESPACE,
        KeeperSettings(bundles=store, torch_threads=1),
        CountingStop(done),
        instance="0",
        clock=broker.clock,
        health=Health(),
    )


def asked_and_committed(broker: MemoryBroker) -> bool:
    return asked_and_committed_by(broker, NAMESPACE.group("keeper"))


def asked_and_committed_by(broker: MemoryBroker, group: str) -> bool:
    with broker.admin() as admin:
        committed = admin.committed(group)
    place = Position(NAMESPACE.topic("reinspections"), 0)
    return committed.get(place) == broker.log(place).end


def evidence(broker: MemoryBroker) -> list[Evidence]:
    records = broker.records(NAMESPACE.topic("evidence"))
    found = [decode(record.headers, record.value).message for record in records if record.value is not None]
    return [message for message in found if isinstance(message, Evidence)]


def tombstones(broker: MemoryBroker) -> list[str]:
    records = broker.records(NAMESPACE.topic("evidence"))
    return [(record.key or b"").decode() for record in records if record.value is None]


def test_picture_and_maps_of_a_requested_frame_are_kept(bundle_store: Path) -> None:
    broker = memory_line(recipe(digest_in(bundle_store, "a")))
    answer(broker, bundle_store, good(3))
    [record] = broker.records(NAMESPACE.topic("inspections"))
    [inspection] = inspections(broker)
    where = SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)
    ask(broker, about(3, inspection.source, where), number=3)
    run(broker, lambda: asked_and_committed(broker))
    [kept] = evidence(broker)
    assert kept.picture == good(3).value
    assert kept.sha256 == inspection.frame_sha256
    assert kept.maps == inspection.maps
    assert kept.missing is None
    assert broker.records(NAMESPACE.topic("evidence"))[0].key == kept.frame_id.encode()


def test_maps_that_the_inspection_lacks_are_computed(bundle_store: Path) -> None:
    broker = line(digest_in(bundle_store, "a"))
    ask(broker, about(1, capture(broker, good(1, decide_by_ms=1))), number=1)
    run(broker, lambda: asked_and_committed(broker), bundle_store)
    [kept] = evidence(broker)
    assert kept.maps is not None
    assert kept.maps.mask_png.startswith(b"\x89PNG")


def test_a_slot_sent_again_costs_only_the_frame_that_joined() -> None:
    broker = line()
    first, second = (about(number, capture(broker, good(number))) for number in (0, 1))
    ask(broker, first)
    ask(broker, first, second)
    ask(broker, first, second)
    run(broker, lambda: asked_and_committed(broker))
    assert [kept.frame_id for kept in evidence(broker)] == [first.frame_id, second.frame_id]


@pytest.mark.parametrize(("picture_mib", "has_picture"), [(4, True), (7, False)])
def test_evidence_that_does_not_fit_its_topic_goes_without_maps_and_at_last_without_picture(
    picture_mib: int, has_picture: bool
) -> None:
    broker = line()
    payload = picture_bytes(random_picture(0))
    padded = payload + bytes((picture_mib << 20) - len(payload))
    heat = bytes(4 << 20)
    maps = Maps(mask_png=heat, class_specific_png=b"", class_agnostic_png=b"")
    frame = frame_record(NAMESPACE, padded, 0)
    where = SourceRef(topic=frame.topic, partition=0, offset=0)
    kept_already = KeptEvidence(broker, NAMESPACE, Remembered(1), broker.clock, 1)
    fetched: Any = Fetched(frame)
    saver = EvidenceSaver(NAMESPACE, fetched, Remembered(1), kept_already, lambda *_: maps, broker.clock)
    ask(broker, about(0, where))
    [record] = broker.records(NAMESPACE.topic("reinspections"))
    [saved] = saver.handle([record])
    broker.append(saved)
    [kept] = evidence(broker)
    assert kept.maps is None
    assert (kept.picture == padded) is has_picture
    assert has_picture or "too large" in (kept.missing or "")


class Fetched:
    """Finds the same frame wherever it is looked for."""

    def __init__(self, frame: OutRecord) -> None:
        self._frame = frame

    def fetch(self, source: SourceRef) -> InRecord:
        return InRecord(source.topic, 0, 0, 0, self._frame.key, self._frame.value, self._frame.headers)


def test_evidence_that_was_not_acknowledged_is_written_again() -> None:
    broker = line()
    broker.faults.order(Fault.DELIVERY)
    ask(broker, about(0, capture(broker, good(0))))
    run(broker, lambda: asked_and_committed(broker))
    assert len(evidence(broker)) == 1


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (None, "no picture of this view was received"),
        (SourceRef(topic="line1.frames", partition=0, offset=99), "ends before offset 99"),
        (SourceRef(topic="line1.frames", partition=9, offset=0), "does not exist"),
        (SourceRef(topic="line1.unheard", partition=0, offset=0), "does not exist"),
    ],
    ids=["never", "beyond", "partition", "topic"],
)
def test_a_picture_that_is_not_there_is_evidence_with_its_reason(place: SourceRef | None, why: str) -> None:
    broker = line()
    ask(broker, about(0, place))
    run(broker, lambda: asked_and_committed(broker))
    [kept] = evidence(broker)
    assert kept.picture is None
    assert why in (kept.missing or "")


def test_a_picture_past_its_retention_is_missing_and_its_neighbour_is_kept() -> None:
    broker = line()
    places = [capture(broker, good(number, visit_id="same")) for number in range(3)]
    broker.log(Position(places[0].topic, places[0].partition)).delete_before(places[1].offset)
    ask(broker, *(about(number, place) for number, place in enumerate(places)))
    run(broker, lambda: asked_and_committed(broker))
    assert ["retention" in (kept.missing or "") for kept in evidence(broker)] == [True, False, False]


def test_a_damaged_picture_is_shown_for_what_it_is() -> None:
    broker = line()
    payload = picture_bytes(random_picture(0))
    damaged = payload[:-20] + bytes(20)
    junk = frame_record(NAMESPACE, b"GIF89a", 1, decide_by_ms=FAR_MS)
    bare = replace(good(2), headers=())
    places = [
        capture(broker, record)
        for record in (frame_record(NAMESPACE, payload, 0, sent=damaged, decide_by_ms=FAR_MS), junk, bare)
    ]
    ask(broker, *(about(number, place) for number, place in enumerate(places)))
    run(broker, lambda: asked_and_committed(broker))
    first, second, third = evidence(broker)
    assert (first.picture, first.sha256) == (damaged, digest(damaged))
    assert "digest differs" in (first.missing or "")
    assert (second.picture, second.missing) == (None, "what was received is no picture")
    assert third.picture is None
    assert "cannot be read" in (third.missing or "")


def final(number: int, routing: Routing, *, revision: int = 1, is_final: bool = True) -> Disposition:
    meta = metadata(b"", number)
    return Disposition(
        visit_id=meta.visit_id,
        revision=revision,
        routing=routing,
        outcome=Outcome.ACCEPT if revision and is_final else None,
        final=is_final,
        causes=(Cause.LOW_TRUST,),
        views=(ViewResult(view_id="top", frame_id=meta.frame_id, verdict=Verdict.OK), ViewResult(view_id="side")),
        line_id="line1",
        recipe=RECIPE,
        first_captured_ms=AT,
        decide_by_ms=AT + 10_000,
        decided_ms=AT,
    )


def forgetting(broker: MemoryBroker, consumer: Consumer, clock: Clock | None = None) -> Forgetter:
    time = BrokerTime(clock or broker.clock, "keeper", stamps=broker.append_time)
    return Forgetter(consumer, broker.producer(), NAMESPACE, RecipeBook(broker, NAMESPACE).get, time)


class SteppedClock:
    """A machine's own clock: its wall clock is so much ahead of the broker's."""

    def __init__(self, broker: Clock) -> None:
        self._broker = broker
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return self._broker.now_ms() + self.ahead_ms

    def monotonic(self) -> float:
        return self._broker.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return self._broker.wait(event, seconds)


def test_evidence_ends_its_time_after_the_final_disposition_and_not_before() -> None:
    broker = line()
    assert isinstance(broker.clock, ManualClock)
    append(broker, "dispositions", "v0", final(0, Routing.TRUSTED_PASS, revision=0))
    append(broker, "dispositions", "v1", final(1, Routing.DIVERTED, revision=0, is_final=False))
    append(broker, "dispositions", "v1", final(1, Routing.DIVERTED))
    append(broker, "dispositions", "v2", final(2, Routing.DIVERTED))
    forgetter = forgetting(broker, broker.consumer(group="forget", topics=[NAMESPACE.topic("dispositions")]))
    for _ in range(3):
        forgetter.turn(0)
    assert tombstones(broker) == []
    broker.clock.advance(KEEP_MS / 1000 - 1)
    forgetter.turn(0)
    assert tombstones(broker) == []
    broker.faults.order(Fault.DELIVERY)
    broker.clock.advance(2)
    for _ in range(3):
        forgetter.turn(0)
    assert set(tombstones(broker)) == {metadata(b"", number).frame_id for number in (1, 2)}
    with broker.admin() as admin:
        assert admin.committed("forget")[Position(NAMESPACE.topic("dispositions"), 0)] == 4


def test_evidence_whose_partition_went_and_came_back_while_it_waited_is_forgotten_too() -> None:
    broker = line()
    assert isinstance(broker.clock, ManualClock)
    append(broker, "dispositions", "v1", final(1, Routing.DIVERTED))
    dispositions = NAMESPACE.topic("dispositions")
    consumer = broker.consumer(group="forget", topics=[dispositions])
    forgetter = forgetting(broker, consumer)
    forgetter.turn(0)
    consumer.resume(consumer.paused())  # what a client that lost a partition knows of it when it comes back
    consumer.seek(Position(dispositions, 0), 0)
    forgetter.turn(0)
    broker.clock.advance(KEEP_MS / 1000)
    forgetter.turn(0)
    assert tombstones(broker) == [metadata(b"", 1).frame_id]


class Ends:
    """Dispositions of visits, and what the forgetting of evidence makes of them; a turn reads a single record."""

    def __init__(self, keep_ms: int = KEEP_MS) -> None:
        self.broker = line(keep_ms=keep_ms)
        self.own = SteppedClock(self.broker.clock)
        self.start()

    def restart(self) -> None:
        self.consumer.close()
        self.start()

    def start(self) -> None:
        self.consumer = self.broker.consumer(group="forget", topics=[NAMESPACE.topic("dispositions")], max_records=1)
        self.forgetter = forgetting(self.broker, self.consumer, self.own)

    def tell(self, number: int, revision: int, *, is_final: bool) -> None:
        told = final(number, Routing.DIVERTED, revision=revision, is_final=is_final)
        told = told.model_copy(update={"decided_ms": self.broker.clock.now_ms()})
        append(self.broker, "dispositions", f"v{number}", told)

    def wait(self, ms: int = 0) -> list[str]:
        """What is forgotten some time later."""
        self.turn()
        self.pass_time(ms)
        self.turn()
        return tombstones(self.broker)

    def pass_time(self, ms: int) -> None:
        assert isinstance(self.broker.clock, ManualClock)
        self.broker.clock.advance(ms / 1000)

    def turn(self) -> None:
        for _ in range(20):
            self.forgetter.turn(0)


@pytest.mark.parametrize("restarts", [False, True])
def test_evidence_of_a_visit_that_is_open_again_stays_until_its_latest_final_disposition(restarts: bool) -> None:
    ends = Ends()
    ends.tell(1, 1, is_final=True)
    ends.tell(2, 1, is_final=True)
    assert ends.wait(KEEP_MS - 2) == []
    ends.tell(1, 2, is_final=False)
    if restarts:
        ends.restart()
    assert ends.wait(2) == [metadata(b"", 2).frame_id], "the visit beside it waits for nothing"
    assert ends.wait(10 * KEEP_MS) == [metadata(b"", 2).frame_id]
    ends.tell(1, 3, is_final=True)
    assert len(ends.wait(KEEP_MS - 1)) == 1
    if restarts:
        ends.restart()
    ends.tell(3, 0, is_final=False)
    assert ends.wait(1) == [metadata(b"", 2).frame_id, metadata(b"", 1).frame_id]


def test_evidence_stays_as_long_as_its_visit_may_be_opened_again_however_short_its_keeping_time() -> None:
    ends = Ends(keep_ms=0)
    ends.tell(1, 1, is_final=True)
    decide_by_in_ms = 10_000
    assert ends.wait(decide_by_in_ms + HORIZON_MS - 1) == []
    ends.tell(1, 2, is_final=False)
    assert ends.wait(10 * HORIZON_MS) == []
    ends.tell(1, 3, is_final=True)
    assert ends.wait(HORIZON_MS - 1) == []
    assert ends.wait(1) == [metadata(b"", 1).frame_id]


def test_a_keeper_that_comes_late_forgets_nothing_before_it_has_read_to_the_end() -> None:
    ends = Ends()
    ends.tell(1, 1, is_final=True)
    ends.pass_time(2 * KEEP_MS)
    for number in range(2, 9):
        ends.tell(number, 0, is_final=False)
    ends.tell(1, 2, is_final=False)
    assert ends.wait() == []
    with ends.broker.admin() as admin:
        assert admin.committed("forget")[Position(NAMESPACE.topic("dispositions"), 0)] == 9


def test_a_visit_that_was_opened_and_closed_again_long_ago_is_forgotten_once() -> None:
    ends = Ends()
    ends.tell(1, 1, is_final=True)
    ends.tell(1, 2, is_final=False)
    ends.tell(1, 3, is_final=True)
    assert ends.wait(2 * KEEP_MS) == [metadata(b"", 1).frame_id]


def test_nothing_is_forgotten_while_the_end_of_the_log_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Ends()
    ends.tell(1, 1, is_final=True)

    def unknown(_positions: object) -> dict[Position, int]:
        raise BrokerUnavailable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(ends.consumer, "end_offsets", unknown)
        assert ends.wait(2 * KEEP_MS) == []
    assert ends.wait() == [metadata(b"", 1).frame_id]


@pytest.mark.parametrize("is_step", [True, False], ids=["steps", "wrong from the beginning"])
@pytest.mark.parametrize("ahead_ms", [-30 * KEEP_MS, 2 * KEEP_MS])
def test_what_ends_goes_by_the_brokers_time_whatever_the_wall_clock_says(ahead_ms: int, is_step: bool) -> None:
    ends = Ends()
    if not is_step:
        ends.own.ahead_ms = ahead_ms
        ends.restart()
    ends.tell(1, 1, is_final=True)
    assert ends.wait() == []
    ends.own.ahead_ms = ahead_ms
    assert ends.wait(KEEP_MS - 1) == []
    assert ends.wait(1) == [metadata(b"", 1).frame_id], "a quiet line forgets too"


class PassingClock(SteppedClock):
    """A millisecond goes by at each look."""

    def monotonic(self) -> float:
        assert isinstance(self._broker, ManualClock)
        self._broker.advance(0.001)
        return super().monotonic()


def many_at_once(broker: MemoryBroker, clock: Clock) -> tuple[Consumer, Forgetter]:
    """A keeper that reads all that there is in one turn."""
    consumer = broker.consumer(group="forget", topics=[NAMESPACE.topic("dispositions")])
    return consumer, forgetting(broker, consumer, clock)


@pytest.mark.parametrize("apart_ms", range(1, 16))
def test_evidence_whose_time_runs_out_while_what_follows_it_is_looked_at_is_not_passed_over(apart_ms: int) -> None:
    ends = Ends()
    ends.tell(1, 1, is_final=True)
    ends.pass_time(apart_ms)
    ends.tell(2, 1, is_final=True)
    ends.tell(3, 0, is_final=False)
    ends.consumer.close()
    _, ends.forgetter = many_at_once(ends.broker, PassingClock(ends.broker.clock))
    ends.turn()
    ends.pass_time(
        ends.broker.records(NAMESPACE.topic("dispositions"))[0].timestamp_ms + KEEP_MS - ends.own.now_ms() - 20
    )
    ends.turn()
    assert set(tombstones(ends.broker)) == {metadata(b"", number).frame_id for number in (1, 2)}


def test_evidence_whose_time_runs_out_while_a_commit_is_answered_ends_at_the_next_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = Ends()
    ends.tell(1, 1, is_final=True)
    ends.pass_time(1_000)
    ends.tell(2, 1, is_final=True)
    ends.consumer.close()
    consumer, ends.forgetter = many_at_once(ends.broker, ends.own)
    commit = consumer.commit

    def slow(offsets: Mapping[Position, int]) -> None:
        commit(offsets)
        ends.pass_time(2_000)

    monkeypatch.setattr(consumer, "commit", slow)
    assert ends.wait(KEEP_MS - 1_000) == [metadata(b"", number).frame_id for number in (1, 2)]


class Saving:
    """A keeper's saving, a step at a time."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.start()

    def start(self) -> None:
        broker, remembered = self.broker, Remembered(100)
        kept = KeptEvidence(broker, NAMESPACE, remembered, broker.clock, 1)
        fetcher = RecordFetcher(broker, broker.clock, 1)
        saver = EvidenceSaver(NAMESPACE, fetcher, remembered, kept, lambda *_: None, broker.clock)
        self.requests = broker.consumer(group="keeper", topics=[NAMESPACE.topic("reinspections")])
        self.loop = ConsumeLoop(
            self.requests,
            lambda: RememberingProducer(broker.producer(), remembered),
            saver.handle,
            DeadLetters("keeper", NAMESPACE, broker.clock),
            clock=broker.clock,
            limits=LoopLimits(idle_poll_s=0),
        )

    def restart(self) -> None:
        self.requests.close()
        self.start()

    def asked(self, *frames: SlotFrame) -> list[Evidence]:
        """What lies there after a slot asked for these."""
        ask(self.broker, *frames)
        for _ in range(10):
            self.loop.step()
        assert asked_and_committed_by(self.broker, "keeper")
        return evidence(self.broker)


def lose(broker: MemoryBroker, place: SourceRef) -> None:
    broker.log(Position(place.topic, place.partition)).delete_before(place.offset + 1)


def end(broker: MemoryBroker, frame: SlotFrame) -> None:
    """Another keeper ends the evidence of a frame."""
    broker.append(OutRecord(NAMESPACE.topic("evidence"), frame.frame_id.encode(), None))


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_frame_whose_evidence_was_ended_is_saved_again_or_told_missing_when_a_slot_asks_again(is_lost: bool) -> None:
    broker = line()
    place = capture(broker, good(0))
    saving, frame = Saving(broker), about(0, place)
    assert len(saving.asked(frame)) == 1
    end(broker, frame)
    if is_lost:
        lose(broker, place)
    first, second = saving.asked(frame)
    assert first.picture is not None
    assert (second.picture is None) is is_lost
    assert ("past the retention" in (second.missing or "")) is is_lost
    assert len(saving.asked(frame)) == 2


@pytest.mark.parametrize("is_known", [False, True], ids=["whose place is unknown", "whose place is known"])
def test_a_restarted_keeper_never_writes_over_evidence_that_a_picture_is_missing(is_known: bool) -> None:
    broker = line()
    place = capture(broker, good(0))
    saving, never = Saving(broker), about(1, None)
    assert len(saving.asked(about(0, place))) == 1
    lose(broker, place)
    saving.restart()
    again = about(0, place if is_known else None)
    before = metrics.EVIDENCE.labels("kept")._value.get()
    found = {one.frame_id: one for one in saving.asked(again, never)}
    assert len(evidence(broker)) == 2
    assert found[again.frame_id].picture is not None
    assert found[never.frame_id].picture is None
    assert metrics.EVIDENCE.labels("kept")._value.get() == before + 1
    end(broker, again)
    told = [one.missing for one in saving.asked(again) if one.frame_id == again.frame_id]
    assert told[1:] != [], "once it was ended it is told missing"


def test_evidence_that_is_not_read_to_its_end_in_time_is_read_on_at_the_next_try() -> None:
    broker = line()
    frames = [about(number, None) for number in range(600)]
    for frame in frames:
        broker.append(OutRecord(NAMESPACE.topic("evidence"), frame.frame_id.encode(), b"x"))
    kept = KeptEvidence(broker, NAMESPACE, Remembered(1), HastyClock(), 1)
    names = [frame.frame_id for frame in frames]
    with pytest.raises(BrokerUnavailable, match="not read to its end"):
        kept.among(names)
    tries = 1
    while True:
        tries += 1
        try:
            found = kept.among(names)
        except BrokerUnavailable:
            continue
        break
    assert found == set(names)
    assert tries < 10
    kept.close()


class HastyClock(ManualClock):
    """Two seconds go by at each look."""

    def monotonic(self) -> float:
        self.advance(2)
        return super().monotonic()


def test_a_topic_of_evidence_that_was_made_anew_keeps_nothing() -> None:
    broker = line()
    remembered, name, topic = Remembered(1), about(0, None).frame_id, NAMESPACE.topic("evidence")
    kept = KeptEvidence(broker, NAMESPACE, remembered, broker.clock, 1)
    broker.append(OutRecord(topic, name.encode(), b"x"))
    remembered.add(name)
    assert kept.among([name]) == {name}
    spec = broker.specs[topic]
    broker.drop(topic)
    broker.create(spec)
    with pytest.raises(BrokerUnavailable, match="looked at again"):
        kept.refresh([name])
    assert name not in remembered
    assert kept.among([name]) == frozenset()


def test_a_keeper_stands_back_for_those_who_decide_and_never_comes_forward() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    program = "import os; from linewarden_inspect.keeper.bootstrap import stand_back as back; "
    program += "back(12); back(3); print(os.getpriority(os.PRIO_PROCESS, 0))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(told) == max(own, 12)


def test_an_idle_keeper_has_no_lag() -> None:
    broker = line()
    ask(broker, about(0, None))
    metrics.KEEPER_LAG_SECONDS.set(99)
    turns = iter(range(10))
    run(broker, lambda: asked_and_committed(broker) and next(turns) > 3)
    assert metrics.KEEPER_LAG_SECONDS._value.get() == 0
