"""A small real history: what the production route makes of visits of every kind, on the broker in memory."""

from __future__ import annotations

from typing import Any

from linewarden_history.reading import visit_of
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.capture import CameraHeartbeat, Returned
from linewarden_schemas.disposition import SlotOpen
from linewarden_schemas.envelope import decode, encode
from linewarden_schemas.inspection import SourceRef
from linewarden_schemas.line import LineState
from linewarden_schemas.operations import DeadLetter
from linewarden_schemas.recipe import Recipe, Thresholds
from linewarden_schemas.vocabulary import Act, Loss, Outcome, Role, Routing, Verdict
from tests.support.reading import write
from tests.support.route_line import Member, RouteLine, turn_until_owned

TOPICS = (
    *("captures", "inspections", "dispositions", "reinspections", "decisions", "actuations", "recipes", "dead-letters"),
    "line-state",
)
LIMITS = Thresholds(defect=0.5, suspicion=0.4)
UNDO_MS = 2_000


class History:
    """Visits happen one after the other; `records` are what lies in the topics then."""

    def __init__(self, **recipe: Any) -> None:
        self.broker = MemoryBroker(ManualClock())
        fields: dict[str, Any] = {"review": {"undo_window_ms": UNDO_MS}, "thresholds": LIMITS}
        self.line = RouteLine(self.broker, "line1", **(fields | recipe))
        self.router: Member = self.line.router()
        turn_until_owned(self.line, self.router)
        self._numbers: dict[tuple[str, str], int] = {}
        self._epochs: dict[str, int] = {}

    def turn(self, times: int = 3) -> None:
        """Let route take what lies there."""
        for _ in range(times):
            self.router.step()

    def pass_time(self, ms: int) -> None:
        """Let time pass, and route look at its timers."""
        self.line.pass_time(ms)
        self.turn()

    def capture(self, visit: str, *views: str, **more: Any) -> None:
        """Views of a visit are captured, each with its camera's next number; each visit in a spool epoch of its own."""
        epoch = self._epochs.setdefault(visit, len(self._epochs))
        for view in views or ("top", "side"):
            number = self._numbers[visit, view] = self._numbers.get((visit, view), -1) + 1
            fields: dict[str, Any] = {"sequence": number, "spool_epoch": epoch, "recipe": self.line.recipe.ref()}
            self.line.capture(visit, view, **(fields | more))

    def inspect(self, visit: str, *views: str, **more: Any) -> None:
        """Views of a visit are inspected."""
        self.line.inspect(visit, *views, **({"recipe": self.line.recipe.ref()} | more))

    def visit(self, visit: str, capture: dict[str, Any] | None = None, **inspection: Any) -> None:
        """A whole visit is captured, inspected and routed."""
        self.capture(visit, **capture or {})
        self.inspect(visit, **inspection)
        self.turn()

    def decide(self, slot: str, judgement: str | None = "OK", actor: str = "ann", **more: Any) -> None:
        """Somebody decides, and route answers."""
        self.line.decide(slot, judgement, actor, **more)
        self.turn()

    def act(self, visit: str, actual: Routing | None, told: Routing = Routing.TRUSTED_PASS) -> None:
        """A gate reports, and route hears it."""
        self.line.act(visit, actual, told)
        self.turn()

    def heartbeat(self) -> None:
        """Each camera tells the last number of each of its epochs."""
        for (visit, view), number in self._numbers.items():
            beat = CameraHeartbeat(
                line_id="line1",
                station_id="s1",
                camera_id=f"cam-{view}",
                spool_epoch=self._epochs[visit],
                last_sequence=number,
                at_ms=self.line.clock.now_ms(),
            )
            sent = encode(beat, id=f"beat.{view}", source="/test", time_ms=beat.at_ms)
            topic = self.line.namespace.topic("captures")
            write(self.broker, [OutRecord(topic, view.encode(), sent.value, sent.headers, home(visit))])

    def dead_letter(self, frame_id: str) -> None:
        """The picture of a frame could not be handled by inspect."""
        source = SourceRef(topic=self.line.namespace.topic("frames"), partition=0, offset=41)
        letter = DeadLetter(
            service="inspect",
            cause="bad-metadata",
            detail="a header is doubled",
            source=source,
            at_ms=self.line.clock.now_ms(),
            frame_id=frame_id,
        )
        sent = encode(letter, id="letter", source="/test", time_ms=letter.at_ms)
        write(self.broker, [OutRecord(self.line.namespace.topic("dead-letters"), b"s", sent.value, sent.headers, 0)])

    def records(self) -> list[InRecord]:
        """Everything that a balance reads."""
        return [record for name in TOPICS for record in self.broker.records(self.line.namespace.topic(name))]

    def of_visits(self) -> dict[str, list[InRecord]]:
        """The same by visit, each with recipes and line states: every visit can be balanced alone."""
        recipes, found = [], dict[str, list[InRecord]]()
        by_epoch = {epoch: visit for visit, epoch in self._epochs.items()}
        for record in self.records():
            message = decode(record.headers, record.value).message
            if isinstance(message, Recipe | LineState):
                recipes.append(record)
            elif isinstance(message, CameraHeartbeat):
                found.setdefault(by_epoch[message.spool_epoch], []).append(record)
            elif isinstance(message, DeadLetter):
                found.setdefault((message.frame_id or "").split(".")[0], []).append(record)
            else:
                found.setdefault(str(visit_of(message)), []).append(record)
        return {visit: [*recipes, *records] for visit, records in found.items()}

    def counts(self) -> dict[str, int]:
        """How many partitions each topic has."""
        return self.broker.counts()

    def now_ms(self) -> int:
        """What the clock shows."""
        return self.line.clock.now_ms()

    def close(self) -> None:
        """Close route's clients."""
        self.line.close()


def whole_history() -> History:
    """Visits of every end: passed, rejected, accepted, used as is, scrapped by two, undone, lost, late, waiting."""
    made = History()
    made.visit("passed", {"part_id": "p1", "lot_id": "l1", "product_id": "tile", "bin_slot": "b1"})
    made.visit("rejected", verdict=Verdict.NG)
    made.visit("accepted", suspicion=0.9)
    made.decide("accepted.r0.g0")
    made.visit("scrapped", suspicion=0.9)
    made.decide("scrapped.r0.g0", "NG")
    made.visit("used", suspicion=0.9)
    made.decide("used.r0.g0", "NG", "queen", role=Role.QUALITY, outcome=Outcome.USE_AS_IS, concession="c-1")
    made.visit("undone", suspicion=0.9)
    made.decide("undone.r0.g0")
    made.decide("undone.r0.g0", None, act=Act.UNDO, undoes="d-undone.r0.g0-ann", decision_id="u1")
    made.decide("undone.r0.g1", "NG", "bob")
    made.visit("unsure", {"bin_slot": "b2"}, suspicion=0.9)
    made.decide("unsure.r0.g0", "UNSURE")
    made.decide("unsure.r0.g1", "OK", "lea", role=Role.LEAD)
    made.visit("refused", suspicion=0.9)
    made.decide("refused.r0.g0", "OK", covers=())
    made.decide("refused.r0.g1", "OK", "bob")
    made.visit("known", {"known_bad": True})
    made.visit("back", {"returned": Returned(previous_visit_id="scrapped")})
    made.capture("lost", "top", lost=Loss.OVERSIZE)
    made.capture("lost", "side")
    made.inspect("lost", "side")
    made.capture("dead")
    made.inspect("dead", "top")
    made.dead_letter("dead.side")
    made.capture("late", "top")
    made.inspect("late", "top")
    made.turn()
    made.pass_time(12_000)
    made.visit("waiting", {"bin_slot": "b3"}, verdict=Verdict.NOT_DECIDABLE)
    made.visit("alarmed")
    made.capture("alarmed", "side", frame_id="alarmed.again")
    made.inspect("alarmed", "side", frame_id="alarmed.again", verdict=Verdict.NG)
    made.turn()
    made.heartbeat()
    made.pass_time(UNDO_MS + 1_000)
    return made


def open_slots(made: History) -> list[SlotOpen]:
    """Requests that were ever sent."""
    return [one for one in made.line.slots() if isinstance(one, SlotOpen)]


def home(visit: str, partitions: int = 2) -> int:
    """The partition of a visit."""
    return partition_of(visit, partitions)
