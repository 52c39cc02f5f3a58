"""The topic catalogue as data: topics, documents, AsyncAPI and the flow diagram come from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from linewarden_schemas.alarm import Alarm, AlarmEvent, AlarmRequest, LineWord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture, FrameMetadata
from linewarden_schemas.changeover import Changeover, MasterCheck, WorkerHeartbeat
from linewarden_schemas.decision import Decision, QueueEvent
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.escape import Escape
from linewarden_schemas.inspection import Evidence, Inspection
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.live_limit import LiveLimit
from linewarden_schemas.operations import Actuation, Balance, ChainHead, DeadLetter, OutputState
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot

_HOUR = 3_600_000
FOR_EVER = -1
READ_ALL = ("archive",)
"""Who reads every topic, besides those that each topic names."""
KIB = 1024
MIB = 1024 * KIB


class Cleanup(StrEnum):
    """What the broker does with old records: delete them by age, or keep the newest of each key."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """One logical topic: who writes and reads it, what it holds, how long and how large.

    Who is a service, or a package that reads the log; `cli` is the package `linewarden`: commands, demo and library. Of
    a replay, a shadow and a restored archive only reading counts, since they write in namespaces of their own.
    """

    name: str
    key: str
    messages: tuple[type[Message] | type[FrameMetadata], ...]
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    purpose: str
    retention_ms: int = 365 * 24 * _HOUR
    cleanup: Cleanup = Cleanup.DELETE
    by_visit: bool = True
    is_spread: bool = False
    """Whether its keys spread over as many partitions as those of a visit; what is not by visit has one else."""
    is_timed: bool = False
    """Whether the broker stamps its records although their key is no visit's: the broker's time is learnt from them."""
    max_record_bytes: int = MIB

    @property
    def is_reserved(self) -> bool:
        """Whether nobody writes it yet: its readers find nothing, and its name and form are kept for who will."""
        return not self.written_by

    @property
    def append_time(self) -> bool:
        """Whether the broker stamps its records: on every topic keyed by visit, since no writer's clock is believed."""
        return self.by_visit or self.is_timed

    def config(self) -> dict[str, str]:
        """The topic's settings by Kafka's own names, all as text, as `create_topics` takes them."""
        config = {
            "cleanup.policy": self.cleanup.value,
            "max.message.bytes": str(self.max_record_bytes + 64 * KIB),
            "message.timestamp.type": "LogAppendTime" if self.append_time else "CreateTime",
            "unclean.leader.election.enable": "false",
        }
        if self.cleanup is Cleanup.DELETE:
            config["retention.ms"] = str(self.retention_ms)
        else:
            # A segment is compacted once another one follows it. With the broker's 1 GiB a busy hour of route-state is
            # one segment, and whoever restores reads each state that each visit ever had. It has to hold the largest
            # batch.
            config["segment.bytes"] = str(4 * max(MIB, self.max_record_bytes))
        return config


def _topic(name: str, key: str, *messages: type[Message] | type[FrameMetadata], **more: object) -> Topic:
    return Topic(name, key, messages, **more)  # type: ignore[arg-type]  # the fields are checked by the dataclass


CATALOGUE: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        _topic(
            "line-state",
            "line_id",
            LineState,
            written_by=("cli", "station", "line"),
            read_by=("ingest", "inspect", "route", "line", "station", "audit", "history", "replay", "cli"),
            by_visit=False,
            is_timed=True,
            purpose="changes of state, locks, order, lot, product",
        ),
        _topic(
            "line-acts",
            "line_id",
            Changeover,
            MasterCheck,
            written_by=("cli", "station", "line"),
            read_by=("line", "station", "cli"),
            retention_ms=FOR_EVER,
            by_visit=False,
            is_timed=True,
            purpose="changeovers and checks with master parts, each told anew at every step",
        ),
        _topic(
            "live-limits",
            "line_id|recipe_id@version@digest",
            LiveLimit,
            written_by=("cli",),
            read_by=("inspect",),
            cleanup=Cleanup.COMPACT,
            by_visit=False,
            purpose="how many defects there may be among trusted passes, by line and recipe",
        ),
        _topic(
            "workers",
            "worker",
            WorkerHeartbeat,
            written_by=("inspect",),
            read_by=("line",),
            retention_ms=_HOUR * 24,
            by_visit=False,
            is_timed=True,
            purpose="which inspect workers live, and what they have loaded",
        ),
        _topic(
            "captures",
            "visit_id",
            Capture,
            CameraHeartbeat,
            written_by=("ingest",),
            read_by=("route", "station", "audit", "history", "cli", "line"),
            purpose="metadata of every trigger, with the recipe, line state and decide-by in force",
        ),
        _topic(
            "frames",
            "visit_id",
            FrameMetadata,
            written_by=("ingest",),
            read_by=("inspect", "keeper", "station", "audit", "replay", "cli"),
            retention_ms=6 * _HOUR,
            max_record_bytes=5 * MIB,
            purpose="encoded picture bytes as they are",
        ),
        _topic(
            "inspections",
            "visit_id",
            Inspection,
            written_by=("inspect",),
            read_by=("route", "keeper", "line", "station", "audit", "history", "replay", "cli"),
            purpose="verdict, trust, reasons, small maps",
        ),
        _topic(
            "route-state",
            "visit_id",
            VisitSnapshot,
            CameraProgress,
            written_by=("route",),
            read_by=("route", "cli"),
            cleanup=Cleanup.COMPACT,
            purpose="open visits, open reviews, timers, highest camera sequences seen and forgotten",
        ),
        _topic(
            "dispositions",
            "visit_id",
            Disposition,
            written_by=("route",),
            read_by=("route", "onward", "keeper", "notary", "station", "audit", "history", "replay", "cli", "line"),
            purpose="routing and outcomes by revision",
        ),
        _topic(
            "reinspections",
            "slot_id",
            SlotOpen,
            SlotClose,
            written_by=("route",),
            read_by=("route", "projector", "keeper", "station", "audit", "history", "cli", "line"),
            cleanup=Cleanup.COMPACT,
            purpose="open and close of slots; lies in its visit's partition",
        ),
        _topic(
            "decisions",
            "visit_id",
            Decision,
            written_by=("station",),
            read_by=("route", "notary", "station", "audit", "history"),
            purpose="who decided what, and what was on the screen",
        ),
        _topic(
            "evidence",
            "frame_id",
            Evidence,
            written_by=("keeper",),
            read_by=("keeper", "station", "audit", "history"),
            cleanup=Cleanup.COMPACT,
            by_visit=False,
            is_spread=True,
            max_record_bytes=9 * MIB,
            purpose="picture, mask and heatmaps of requested visits",
        ),
        _topic(
            "recipes",
            "recipe_id@version@digest",
            Recipe,
            written_by=("cli", "station", "line"),
            read_by=("ingest", "inspect", "keeper", "route", "line", "station", "audit", "replay", "cli"),
            cleanup=Cleanup.COMPACT,
            by_visit=False,
            purpose="immutable recipe versions; two contents under one version make it unknown",
        ),
        _topic(
            "activations",
            "line_id",
            Activation,
            written_by=("cli", "station", "line"),
            read_by=("ingest", "inspect", "line", "station", "audit", "replay", "cli"),
            retention_ms=FOR_EVER,
            by_visit=False,
            purpose="which version from when, by whom",
        ),
        _topic(
            "queue-events",
            "slot_id",
            QueueEvent,
            written_by=("station",),
            read_by=("station", "history"),
            by_visit=False,
            is_spread=True,
            purpose="claims, leases and skips for audit",
        ),
        _topic(
            "actuations",
            "visit_id",
            Actuation,
            written_by=("onward",),
            read_by=("route", "audit", "history", "line", "cli"),
            purpose="what a gate did with a visit, as the output to the line's control reports it",
        ),
        _topic(
            "outputs",
            "output_id",
            OutputState,
            written_by=("onward",),
            read_by=("onward", "line"),
            cleanup=Cleanup.COMPACT,
            by_visit=False,
            is_timed=True,
            purpose="who acts for each output to the plant now, and since when; the newest epoch fences those before",
        ),
        _topic(
            "escapes",
            "part_id",
            Escape,
            written_by=("history",),
            read_by=("history",),
            retention_ms=FOR_EVER,
            by_visit=False,
            purpose="parts found defective after they had left, by serial",
        ),
        _topic(
            "balances",
            "line_id",
            Balance,
            written_by=("audit",),
            read_by=("audit", "line"),
            retention_ms=FOR_EVER,
            by_visit=False,
            purpose="closed periods of the conservation audit",
        ),
        _topic(
            "chain-heads",
            "topic",
            ChainHead,
            written_by=("notary",),
            read_by=("notary",),
            retention_ms=FOR_EVER,
            by_visit=False,
            purpose="signed heads of the evidence chain",
        ),
        _topic(
            "alarms",
            "alarm_id",
            Alarm,
            LineWord,
            written_by=("line",),
            read_by=("line", "station", "cli"),
            cleanup=Cleanup.COMPACT,
            by_visit=False,
            is_timed=True,
            purpose="each alarm as it stands, and the word of the process that keeps a line's list, keyed by line",
        ),
        _topic(
            "alarm-events",
            "alarm_id",
            AlarmRequest,
            AlarmEvent,
            written_by=("line", "station", "cli"),
            read_by=("line", "station", "cli"),
            by_visit=False,
            is_timed=True,
            purpose="what people want done with alarms, and every step of each alarm's life",
        ),
        _topic(
            "dead-letters",
            "source",
            DeadLetter,
            written_by=("inspect", "keeper", "route", "onward", "projector"),
            read_by=("audit", "history", "cli", "line"),
            by_visit=False,
            is_spread=True,
            max_record_bytes=8 * MIB,
            purpose="records that could not be handled, with their cause",
        ),
    )
}
CO_PARTITIONED = tuple(name for name, topic in CATALOGUE.items() if topic.by_visit)
"""Topics that share one partitioner on visit_id and one partition count."""
