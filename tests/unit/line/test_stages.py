"""Stages by what their groups committed: a record that waits, marks that nobody commits past, and what is gone."""

from __future__ import annotations

from linewarden_line.alarms.alarm_list import Sighting
from linewarden_line.alarms.stages import StageWatch
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord, Position
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.ids import Namespace

NS = Namespace("line1")
TOPIC = NS.topic("inspections")
PLACE = Position(TOPIC, 0)


class Stage:
    """A stage that reads what transactions write."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = MemoryBroker(self.clock)
        with self.broker.admin() as admin:
            provision_topics(admin, NS, 1)
        self.writer = self.broker.transactional_producer("line1.inspect-0", [PLACE])
        self.writer.init()
        self.reader = self.broker.consumer(group=NS.group("route"), topics=[TOPIC])
        self.watch = StageWatch(self.broker, NS, {"route": 30.0})

    def write(self) -> None:
        self.writer.transact([OutRecord(TOPIC, b"k", b"v", (), 0)])

    def handle(self) -> None:
        for record in self.reader.poll(0.1):
            self.reader.commit({record.position: record.offset + 1})

    def look(self, seconds: float = 0.0) -> list[Sighting]:
        self.clock.advance(seconds)
        return [one for one in self.watch.look(self.clock.now_ms()) if one.holds]


def started() -> Stage:
    stage = Stage()
    stage.handle()
    stage.write()
    stage.handle()
    assert stage.look() == []
    return stage


def test_marks_of_transactions_are_nothing_that_waits() -> None:
    stage = started()
    assert stage.look(40) == []
    assert stage.look(4_000) == []


def test_a_record_that_comes_behind_a_mark_has_not_waited_since_the_mark() -> None:
    stage = started()
    assert stage.look(40) == []
    stage.write()
    assert stage.look(5) == []
    assert stage.look(20) == []
    (behind,) = stage.look(20)
    assert behind.subject == "route"
    stage.handle()
    assert stage.look(5) == []


def test_what_is_deleted_before_it_was_handled_has_waited() -> None:
    stage = started()
    stage.write()
    stage.look()
    stage.broker.log(PLACE).delete_before(stage.broker.log(PLACE).end)
    assert len(stage.look(40)) == 1


def test_a_stage_that_never_committed_is_not_known() -> None:
    clock = ManualClock()
    broker = MemoryBroker(clock)
    with broker.admin() as admin:
        provision_topics(admin, NS, 1)
    with StageWatch(broker, NS, {"route": 30.0}) as watch:
        assert list(watch.look(clock.now_ms())) == []
