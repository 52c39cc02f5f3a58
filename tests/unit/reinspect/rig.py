"""A whole station over any broker and queue, with somebody who plays route and keeper."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from socket import create_server
from typing import Any

from argon2 import PasswordHasher

from linewarden_reinspect.bootstrap import beside, evidence_store, sign_in_link, skills_of
from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.projector.projector import Projector, ProjectorPace
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.station.access.access import AccessRules, opened_access
from linewarden_reinspect.station.access.links import LinkKind
from linewarden_reinspect.station.alarm_watch import AlarmWatch
from linewarden_reinspect.station.app import create_app
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.context import StationContext
from linewarden_reinspect.station.desk import ReviewDesk
from linewarden_reinspect.station.insight.insight import opened_insight
from linewarden_reinspect.station.server import WebServer
from linewarden_reinspect.station.watch import QueueWatch
from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker, Producer, TopicSpec
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotFrame, SlotOpen
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.ids import Namespace, frame_id, slot_id
from linewarden_schemas.inspection import Evidence
from linewarden_schemas.vocabulary import Act, CloseReason, Role, Verdict
from tests.support.queue_model.memory import MemoryQueue
from tests.unit.reinspect.pictures import evidence
from tests.unit.reinspect.slots import AT, PARTITIONS, closed, disposition_record, opened, record, routed

LINK, LEAD_LINK = "operator-link-0123456789", "lead-link-0123456789abc"
LINKS = {LINK: Role.OPERATOR, LEAD_LINK: Role.LEAD} | {f"{role.value}-link-of-the-tests": role for role in Role}
"""Links of the tests, good for many uses."""

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
TOPICS = (
    "reinspections", "decisions", "evidence", "queue-events", "inspections", "recipes", "activations", "line-state",
    "captures", "frames", "dispositions", "escapes", "dead-letters",
    "line-acts",
    "alarms", "alarm-events",
)  # fmt: skip
VIEWS = ("top", "side", "face")

AnyQueue = MemoryQueue | RedisQueue


@dataclass(slots=True)
class Rig:
    """The parts, and the acts of those who are not there."""

    broker: Broker
    queue: AnyQueue
    namespace: Namespace
    clock: Clock
    station: StationContext
    evidence: EvidenceStore
    bus: StationBus
    projector: Projector
    producer: Producer
    sent: dict[str, SlotOpen] = field(default_factory=dict)

    def topic(self, name: str) -> str:
        """Physical name."""
        return self.namespace.topic(name)

    def open_slot(
        self, number: int, *, views: int = 3, size: int = 512, with_evidence: bool = True, **more: Any
    ) -> SlotOpen:
        """Route opens a slot, and the keeper saves its pictures."""
        bare = opened(number, opened_ms=self.clock.now_ms(), due_ms=self.clock.now_ms() + 60_000 + number)
        kept = [self.picture(bare.visit_id, number, index, size) for index in range(views)]
        frames = tuple(_frame(one, index) for index, one in enumerate(kept))
        slot = bare.model_copy(update={"frames": frames, "part_id": f"SN-{number:06d}", "product_id": "bracket"} | more)
        self.send_slot(slot)
        if with_evidence:
            for one in kept:
                self.send_evidence(one)
        return slot

    def picture(self, visit_id: str, number: int, index: int, size: int = 512) -> Evidence:
        """Evidence of one view."""
        name = frame_id(visit_id, VIEWS[index], 1, number)
        return evidence(visit_id, name, VIEWS[index], number, index, size=size)

    def send_slot(self, slot: SlotOpen) -> None:
        """One open."""
        self.send_disposition(routed(slot))
        self.send_slot_alone(slot)

    def send_slot_alone(self, slot: SlotOpen) -> None:
        """One open, where somebody else says how its visit was routed."""
        self.sent[slot.slot_id] = slot
        self.producer.send(record(slot, PARTITIONS, self.topic("reinspections"))).result(10)

    def send_close(self, slot: SlotOpen) -> None:
        """One close, with which nothing more is to come of the visit."""
        self.producer.send(record(closed(slot), PARTITIONS, self.topic("reinspections"))).result(10)
        self.send_disposition(routed(slot, final=True))

    def send_disposition(self, one: Disposition) -> None:
        """What route says of a visit."""
        self.producer.send(disposition_record(one, self.topic("dispositions"))).result(10)

    def send_evidence(self, kept: Evidence) -> None:
        """One record of evidence."""
        encoded = encode(kept, id=kept.frame_id, source="/line1/keeper", time_ms=AT)
        key = kept.frame_id.encode()
        self.producer.send(
            OutRecord(self.topic("evidence"), key, encoded.value, encoded.headers, partition_of(key, PARTITIONS))
        ).result(10)

    def decisions(self) -> list[Decision]:
        """Everything that lies in `decisions`."""
        return [message for message in self.read("decisions") if isinstance(message, Decision)]

    def read(self, name: str) -> list[Message]:
        """Messages of a topic from its start to its end."""
        return [decode(one.headers, one.value).message for one in self.read_records(name)]

    def read_records(self, name: str) -> list[InRecord]:
        """Records of a topic from its start to its end."""
        positions = positions_of(self.broker, self.topic(name))
        with self.broker.reader(dict.fromkeys(positions, 0)) as reader:
            ends, found = reader.end_offsets(positions), list[InRecord]()
            while any(reader.position(position) < end for position, end in ends.items()):
                found += reader.poll(0.2)
            return found

    def settle(self) -> None:
        """Project everything, and learn all evidence."""
        self.projector.catch_up()
        for one in self.read_records("evidence"):
            self.evidence.learn(one)


def _frame(kept: Evidence, index: int) -> SlotFrame:
    return SlotFrame(
        frame_id=kept.frame_id,
        view_id=kept.view_id,
        doubtful=index == 0,
        sha256=kept.sha256,
        verdict=Verdict.OK,
        p_defect=(0.31, 0.08, 0.04)[index],
        suspicion=(0.78, 0.35, 0.12)[index],
    )


@contextmanager
def rig(
    broker: Broker, queue: AnyQueue, clock: Clock, namespace: str = "line1", rules: AccessRules | None = None
) -> Iterator[Rig]:
    """A station without its web server; nothing runs by itself."""
    name = Namespace(namespace)
    with ExitStack() as stack:
        admin = stack.enter_context(broker.admin())
        admin.create_topics(TopicSpec(name.topic(topic), PARTITIONS) for topic in TOPICS)
        positions = positions_of(broker, name.topic("reinspections"))
        reader = stack.enter_context(broker.reader(dict.fromkeys(positions, 0)))
        pace = ProjectorPace(poll_s=0.1, beat_s=0.5)
        projector = Projector(queue, reader, admin, name.topic("reinspections"), clock, pace=pace)
        bus = StationBus(lambda: broker.producer(client="station"), name, PARTITIONS, clock, 3.0)
        stack.callback(bus.close)
        access = stack.enter_context(opened_access(rules or AccessRules(), clock, CHEAP))
        desk = ReviewDesk(queue, bus, clock, skills_of(access, {}), access.pseudonyms.name)
        for link, role in LINKS.items():
            access.links.accept(link, LinkKind.SIGN_IN, [role], uses=1000)
        store = evidence_store(broker, name, 64 << 20)
        watch = QueueWatch(queue, clock, every_s=0.2)
        alarms = AlarmWatch(lambda since_ms: AlarmBook(broker, name, since_ms), bus, clock, every_s=0.2)
        insight = stack.enter_context(opened_insight(broker, name, access.book, clock, folder=None))
        station = StationContext(desk, access, insight, store, watch, alarms, clock, name.name)
        producer = stack.enter_context(broker.producer(client="others"))
        made = Rig(broker, queue, name, clock, station, store, bus, projector, producer)
        made.projector.synchronise()
        yield made


@contextmanager
def serving(made: Rig, *others: Callable[[threading.Event], None]) -> Iterator[str]:
    """Serve it, with everything running; the address for operators."""
    stop = Stop()
    with closing(create_server(("127.0.0.1", 0))) as listening, ExitStack() as stack:
        web = WebServer(create_app(made.station), listening)
        follow = made.station.insight.follower.run
        runs = [
            web.run,
            made.evidence.run,
            made.station.watch.run,
            made.station.alarms.run,
            follow,
            lambda event: _project(made, event),
            *others,
        ]
        for number, run in enumerate(runs):
            stack.callback(beside(f"rig-{number}", run, stop).start().result, 10.0)
            stack.callback(stop.set, "finishing")
        stack.callback(made.station.stop.set)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def operator_link(base_url: str, link: str = LINK) -> str:
    """Where a person signs in."""
    return sign_in_link(base_url, link)


def _project(made: Rig, stop: threading.Event) -> None:
    while not stop.is_set():
        made.projector.step()


def route(made: Rig) -> Callable[[threading.Event], None]:
    """Plays route: closes every slot that was decided, and opens one anew whose decision was undone."""

    def run(stop: threading.Event) -> None:
        positions = positions_of(made.broker, made.topic("decisions"))
        with (
            made.broker.reader(dict.fromkeys(positions, 0)) as reader,
            made.broker.producer(client="route") as producer,
        ):
            while not stop.is_set():
                for one in reader.poll(0.1):
                    message = decode(one.headers, one.value).message
                    if not isinstance(message, Decision) or message.slot_id not in made.sent:
                        continue
                    slot, is_undone = made.sent[message.slot_id], message.act is Act.UNDO
                    close = closed(slot, CloseReason.UNDONE if is_undone else CloseReason.DECIDED)
                    producer.send(record(close, PARTITIONS, made.topic("reinspections"))).result(10)
                    if is_undone:
                        number = slot.generation + 1
                        name = slot_id(slot.visit_id, slot.round, number)
                        made.send_slot(slot.model_copy(update={"generation": number, "slot_id": name}))
                    else:
                        made.send_disposition(routed(slot, final=True))

    return run
