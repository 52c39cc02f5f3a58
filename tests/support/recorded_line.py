"""A short shift of a real line: drawn parts whose pictures lie in Kafka, people's answers, a notary's seals.

Its services run on with nothing to do, so that commands are answered as on any line.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from linewarden.commands.context import publish
from linewarden.demo import line
from linewarden.demo.figures import Figures, Follower
from linewarden.demo.running import RunningLine
from linewarden.demo.servers import servers
from linewarden_audit.notary.signing import make_key
from linewarden_ingest.cameras.simulation import LinePlan, plan_visit
from linewarden_runtime.alarm_book import AlarmBook
from linewarden_runtime.events import event_record
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotOpen
from linewarden_schemas.envelope import decode
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import ReviewRules, Thresholds
from linewarden_schemas.vocabulary import Judgement, Role, Routing
from tests.support.processes import wait_for
from tests.support.reading import visible

PARTS, PATIENCE_S = 14, 240.0
NOTARY = "LINEWARDEN_NOTARY__"
_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """What a person at its command line knows: its environment, the notary's public key, a part of each kind."""

    running: RunningLine
    public_key: str

    @property
    def environment(self) -> dict[str, str]:
        """What the line's settings file says."""
        return self.running.env

    def first_routings(self) -> dict[str, Routing]:
        """Where each part was sent first, by its serial."""
        return {one.part_id or "": one.routing for one in self._told("dispositions", Disposition) if not one.revision}

    def finals(self) -> int:
        """How many visits are decided for good."""
        return len({one.visit_id for one in self._told("dispositions", Disposition) if one.final})

    def answer(self, plan: LinePlan) -> None:
        """People say of each part that waits what it is."""
        serials = {one.visit_id: one.part_id or "" for one in self._told("dispositions", Disposition)}
        records = []
        for slot in self._told("reinspections", SlotOpen):
            defective = plan_visit(plan, int(serials[slot.visit_id].lstrip("P"))).defective
            at_ms = time.time_ns() // 1_000_000
            said = Decision(
                decision_id=f"said-{slot.slot_id}",
                slot_id=slot.slot_id,
                visit_id=slot.visit_id,
                judgement=Judgement.NG if defective else Judgement.OK,
                actor="ada",
                role=Role.OPERATOR,
                decided_ms=at_ms,
                covers=tuple(one.frame_id for one in slot.frames),
            )
            topic, place = line.NAMESPACE.topic("decisions"), partition_of(slot.visit_id, line.PARTITIONS)
            records.append(
                event_record(
                    topic, slot.visit_id, said, id=said.decision_id, source="/test", time_ms=at_ms, partition=place
                )
            )
        publish(self.running.broker, records, client="people")

    def recipe_json(self) -> str:
        """The first version of the line's recipe, as its file."""
        return line.recipe(self.running.source, time.time_ns() // 1_000_000).model_dump_json()

    def await_alarm(self, alarm_id: str) -> None:
        """Wait until the line's process has raised it."""
        with AlarmBook(self.running.broker, line.NAMESPACE, time.time_ns() // 1_000_000) as book:

            def stands() -> bool:
                book.refresh()
                return any(one.alarm_id == alarm_id for one in book.alarms())

            wait_for(stands, f"{alarm_id} is raised", PATIENCE_S)

    def _told(self, logical: str, kind: type[_M]) -> list[_M]:
        records = visible(self.running.broker, line.NAMESPACE.topic(logical))
        found = [decode(one.headers, one.value).message for one in records if one.value is not None]
        return [one for one in found if isinstance(one, kind)]


@contextmanager
def recorded_line(folder: Path) -> Iterator[RecordedLine]:
    """A line whose last part is decided and answered; its services live until the block ends."""
    plan = replace(line.demo_plan(1), defect_rate=0.3, missing_share=0.0, return_after=1_000_000)
    source = line.simulated(plan, PARTS, 4.0, 60_000)
    public_key = make_key(folder / "notary.pem")
    extra = {
        f"{NOTARY}KEY_FILE": str(folder / "notary.pem"),
        f"{NOTARY}ANCHOR_FILE": str(folder / "anchors.jsonl"),
        f"{NOTARY}EVERY_S": "1",
        "LINEWARDEN_LINE__ALARMS__BINS": '{"rejected": 200}',
        "LINEWARDEN_LINE__ALARMS__CAMERA_SILENT_S": "5",
        "LINEWARDEN_INGEST__HEARTBEAT_S": "1",
        "LINEWARDEN_STATION__PORT": str(free_port()),
    }
    with servers("embedded", folder) as under:
        running = RunningLine(source, under, folder, extra, beside=("notary",))
        for name in ("keeper", "projector", "station"):  # no command asks them, and starting one takes its time
            del running.services[name]
        try:
            running.set_up()
            _publish_versions(running, source)
            running.start()
            made = RecordedLine(running, public_key)
            _follow(running)
            made.answer(plan)
            wait_for(lambda: made.finals() == PARTS, "every answer is taken", PATIENCE_S)
            yield made
        finally:
            running.kill()


def _publish_versions(running: RunningLine, source: line.PictureSource) -> None:
    """Version 2 is in force, with many audits; version 3, which trusts less, nobody has activated yet."""
    now_ms = time.time_ns() // 1_000_000
    review = ReviewRules(audit_share_of_passes=0.3, reject_review_share=0.2, undo_window_ms=1_000)
    second = line.recipe(source, now_ms).model_copy(
        update={"version": 2, "review": review, "max_defect_rate_of_passes": 0.05, "created_by": "eve"}
    )
    third = second.model_copy(update={"version": 3, "thresholds": Thresholds(defect=0.29, suspicion=0.1)})
    active = Activation(
        line_id=line.LINE, recipe=second.ref(), bundle_digest=second.bundle_digest, from_ms=now_ms, actor="eve"
    )
    records = [recipe_record(line.NAMESPACE, one, "/test") for one in (second, third)]
    publish(running.broker, [*records, activation_record(line.NAMESPACE, active, "/test")], client="eve")


def _follow(running: RunningLine) -> None:
    figures = Figures()
    with Follower(running.broker, line.NAMESPACE, figures) as follower:

        def all_routed() -> bool:
            follower.follow(0.2)
            running.tend()
            return len(figures.routings) == PARTS and not figures.lag

        wait_for(all_routed, "every part is routed", PATIENCE_S)
