"""What becomes of a transaction that only some of its partitions show: each subset of them, for each kind of step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import combinations

import pytest

from linewarden_reinspect.projector.projector import Projector, ProjectorPace
from linewarden_route.plan import RouteDesk
from linewarden_route.restore import Restored, restore
from linewarden_route.settings import RouterLimits
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_runtime.testing import Fault, MemoryBroker
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.envelope import decode
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.vocabulary import Outcome, Routing, Verdict
from tests.support.queue_model.memory import MemoryQueue
from tests.support.route_line import RouteLine, turn_until_owned

PARTS = {"D": "dispositions", "R": "reinspections", "S": "route-state", "L": "dead-letters", "O": "offsets"}
UNDO_MS, HORIZON_MS = 20_000, 86_400_000


class Line(RouteLine):
    """One partition, one visit, and a router that is turned by hand."""

    def __init__(self, known_s: float = 600.0) -> None:
        self.memory = MemoryBroker(ManualClock(1_700_000_000_000))
        super().__init__(self.memory, "line1", 1, review={"undo_window_ms": UNDO_MS}, time={"commit_margin_ms": 500})
        limits = RouterLimits(gather_s=0.0, idle_poll_s=0.0, backoff_s=0.0, mark_s=0.0, known_s=known_s)
        self.member = self.router(limits=limits)
        turn_until_owned(self, self.member)
        self.view = MemoryQueue(self.memory.clock)
        self.projector = self.projecting(self.view)
        self.projector.synchronise()

    def projecting(self, view: MemoryQueue) -> Projector:
        """Who fills a view from `reinspections`, reading what is committed."""
        topic = self.namespace.topic("reinspections")
        reader, admin = self.memory.reader({Position(topic, 0): 0}), self.memory.admin()
        return Projector(view, reader, admin, topic, self.memory.clock, pace=ProjectorPace(poll_s=0.0, beat_s=0.0))

    def turn(self, times: int = 4) -> None:
        for _ in range(times):
            self.member.step()
            self.projector.step()

    def rebuilt(self) -> MemoryQueue:
        """The view as it is built from the topic as it is now."""
        view = MemoryQueue(self.memory.clock)
        self.projecting(view).rebuild()
        return view

    def tear(self, shown: Collection[str], act: Callable[[Line], None]) -> None:
        """Let the next transaction be shown in some parts alone; then turn until all is quiet."""
        topics = {self.namespace.topic(name) for name in shown}
        self.memory.faults.torn = lambda written: [place for place in written if place.topic in topics]
        self.memory.faults.torn_offsets = "offsets" in shown
        act(self)
        self.memory.faults.order(Fault.TORN)
        self.turn()

    def stray(self) -> None:
        self.memory.append(OutRecord(self.namespace.topic("captures"), b"v1", b"stray", (), 0))

    def open_in_topic(self) -> set[str]:
        """Slots whose last record is an open."""
        last = {record.key: record for record in self.memory.records(self.namespace.topic("reinspections"))}
        opened = [decode(one.headers, one.value).message for one in last.values() if one.value is not None]
        return {message.slot_id for message in opened if isinstance(message, SlotOpen)}

    def dead(self) -> list[DeadLetter]:
        return [message for message in self.read("dead-letters") if isinstance(message, DeadLetter)]


def diverted(line: Line) -> None:
    line.capture("v1")
    line.inspect("v1", suspicion=0.9)
    line.stray()


def passed(line: Line) -> None:
    line.capture("v1")
    line.inspect("v1")
    line.stray()


def gathering(line: Line) -> None:
    line.capture("v1")
    line.stray()


def reject_after_pass(line: Line) -> None:
    line.inspect("v1", "side", verdict=Verdict.NG, frame_id="v1.side.again")
    line.stray()


def accepted(line: Line) -> None:
    line.decide("v1.r0.g0")
    line.stray()


def unsure(line: Line) -> None:
    line.decide("v1.r0.g0", "UNSURE")
    line.stray()


def undone(line: Line) -> None:
    line.decide("v1.r0.g0", None, act="undo", undoes="d-v1.r0.g0-ann", decision_id="d-undo")
    line.stray()


def late_is_over(line: Line) -> None:
    line.pass_time(10_000)


def undo_is_over(line: Line) -> None:
    line.pass_time(UNDO_MS)


def horizon_is_over(line: Line) -> None:
    line.pass_time(2 * HORIZON_MS)


def late_and_worse(line: Line) -> None:
    """Both in one transaction: timers come first."""
    line.pass_time(10_000)
    reject_after_pass(line)


STEPS: dict[str, tuple[Sequence[Callable[[Line], None]], str]] = {
    "a capture alone": ((gathering,), "SLO"),
    "a first pass": ((passed,), "DSLO"),
    "a first diversion": ((diverted,), "DRSLO"),
    "a deadline": ((gathering, late_is_over), "DRS"),
    "an alarm after a pass": ((passed, reject_after_pass), "DRSLO"),
    "a deadline and an alarm": ((gathering, late_and_worse), "DRSLO"),
    "an answer": ((diverted, accepted), "RSLO"),
    "a doubt": ((diverted, unsure), "RSLO"),
    "an undo": ((diverted, accepted, undone), "RSLO"),
    "an outcome": ((diverted, accepted, undo_is_over), "DS"),
    "the end": ((diverted, accepted, undo_is_over, horizon_is_over), "RS"),
}
"""What happens, the last of it in the transaction that is torn, and what that one writes."""


@pytest.mark.parametrize("known_s", [600.0, -1.0], ids=["heir in the process", "heir that knows nothing"])
@pytest.mark.parametrize("name", STEPS)
def test_whatever_part_of_a_transaction_is_shown_all_topics_and_the_memory_agree_in_the_end(
    name: str, known_s: float
) -> None:
    (*before, last), letters = STEPS[name]
    parts = [PARTS[letter] for letter in letters]
    for shown in [one for count in range(len(parts) + 1) for one in combinations(parts, count)]:
        line = Line(known_s)
        for act in before:
            act(line)
            line.turn()
        line.tear(shown, last)
        _assert_whole(line, name, shown)
        _assert_nothing_is_stranded(line, name, shown)
        line.close()


def test_an_heir_in_the_process_reads_what_was_written_since_and_knows_all(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    for number in range(1, 30):
        line.whole_visits(f"v{number}", suspicion=0.9)
        line.turn()
    (old,) = line.member._lanes.values()
    line.pass_time(31_000)
    line.turn()
    read: list[bytes | None] = []
    learn = Restored.learn

    def learned(self: Restored, records: Iterable[InRecord], desk: RouteDesk) -> None:
        found = list(records)
        read.extend(record.key for record in found)
        learn(self, found, desk)

    monkeypatch.setattr(Restored, "learn", learned)
    line.tear(["route-state"], lambda line: line.whole_visits("v30"))
    (heir,) = line.member._lanes.values()
    assert heir is not old
    assert b"v30" in read
    assert len(read) < 10
    monkeypatch.undo()
    restored = restore(line.memory, line.member.desk, 0).visits
    assert set(heir._visits.open_ids()) == set(restored.open_ids()) == {f"v{number}" for number in range(1, 30)}
    assert "v30" in heir._visits
    line.close()


def _assert_whole(line: Line, name: str, shown: Sequence[str]) -> None:
    where = (name, shown)
    revisions = [one.revision for one in line.dispositions("v1")]
    assert revisions == list(range(len(revisions))), where
    restored = restore(line.memory, line.member.desk, 0).visits
    (lane,) = line.member._lanes.values()
    remembered, found = lane._visits.get("v1"), restored.get("v1")
    assert remembered == found, where
    assert lane._visits.next_due_ms() == restored.next_due_ms(), where
    by_state = {slot.slot_id for slot in remembered.slots if slot.open} if remembered else set()
    assert line.open_in_topic() == by_state, where
    line.projector.step()
    assert set(line.view.dump()) == by_state, where
    assert line.view.dump() == line.rebuilt().dump(), where
    assert line.projector.is_current, where
    if remembered is not None and remembered.revision >= 0:
        last = line.dispositions("v1")[-1]
        told = (last.revision, last.routing, last.outcome, last.final)
        assert told == (remembered.revision, remembered.routing, remembered.outcome, remembered.final), where
    strays = Counter(record.value for record in line.memory.records(line.namespace.topic("captures")))[b"stray"]
    assert len({letter.source.offset for letter in line.dead() if letter.cause == "bad-envelope"}) == strays, where


def _assert_nothing_is_stranded(line: Line, name: str, shown: Sequence[str]) -> None:
    """People answer what is asked, time passes, and the visit comes to its end."""
    if name == "the end":
        assert line.member._lanes[0]._visits.get("v1") is None
        return
    line.pass_time(10_000)
    line.turn()
    for actor in "ben", "cid", "dan":
        for slot in sorted(line.open_in_topic()):
            covers = ("v1.top", "v1.side", "v1.side.again")
            line.decide(slot, "OK", actor, role="lead", covers=covers, decision_id=f"d-{slot}-{actor}")
        line.turn()
    line.pass_time(UNDO_MS)
    line.turn()
    last = line.dispositions("v1")[-1]
    assert last.final, (name, shown)
    assert last.outcome is Outcome.ACCEPT or last.routing is Routing.TRUSTED_PASS, (name, shown)
    _assert_whole(line, name, shown)
