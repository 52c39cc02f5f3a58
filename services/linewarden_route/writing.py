"""From what follows of a step to records, all of them in the visit's own partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linewarden_runtime.events import event_record
from linewarden_runtime.records import OutRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot

FORGET_HEADER = "ce_forgetms"
"""Extension attribute of a final visit's state: a restore keeps such a record unread until it is needed."""

FIRST_HEADER = "ce_firstrevision"
"""Extension attribute beside it where one transaction made several revisions: the first of them."""

REVISED_HEADER = "ce_revisedfrom"
"""Extension attribute of a state that came with a new revision: the offset from which its disposition must be found."""

READ_TO_KEY = "read:to"
"""Key of the record that tells what a transaction read to. It has headers and no value, so that readers that do not
know it take it for a tombstone of nothing."""

PROBE_KEY = "clock:probe"
"""Key of a record that is written for its append time alone; a tombstone of nothing too."""

PROBE_NODE, PROBE_ERROR = "node", "clock-error-ms"
"""Its headers: whose clock was compared with the broker's, and by how much it was ahead."""

SAID_FROM = "said-from"
"""Its header with the offset of `dispositions` from which this owner's records are found."""

UNSEEN = "pass:"
"""Begins its headers with the decide-by of each pass that nobody has seen to be in time; a visit's id follows."""


def camera_key(record: CameraProgress | Capture | Inspection) -> str:
    """Key of a camera's progress in `route-state`; a colon is in no visit's id."""
    return f"camera:{record.line_id}:{record.camera_id}"


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes the records of one partition."""

    namespace: Namespace
    partition: int

    def published(self, message: Disposition | SlotOpen | SlotClose, now_ms: int, traceparent: str | None) -> OutRecord:
        """A disposition or a slot's record."""
        if isinstance(message, Disposition):
            name = f"{message.visit_id}.d{message.revision}"
            return self._record("dispositions", message.visit_id, message, name, now_ms, traceparent)
        act = "open" if isinstance(message, SlotOpen) else "close"
        name = f"{message.slot_id}.{act}.{now_ms}"
        return self._record("reinspections", message.slot_id, message, name, now_ms, traceparent)

    def no_slot(self, slot_id: str) -> OutRecord:
        """The tombstone of a slot."""
        return self._tombstone("reinspections", slot_id)

    def state(
        self, visit_id: str, visit: VisitSnapshot | None, now_ms: int, revised: tuple[int, int] | None
    ) -> OutRecord:
        """The state of a visit; its tombstone where it is forgotten.

        `revised`: the offset from which the dispositions that come with it are found, and the first one's revision.
        """
        if visit is None:
            return self._tombstone("route-state", visit_id)
        record = self._record("route-state", visit_id, visit, f"{visit_id}.s{now_ms}", now_ms, None)
        # What awaits its gate has to be looked at before it is forgotten, so a restore reads it.
        forget_at_ms = visit.forget_at_ms if visit.final and visit.gate_due_ms is None else None
        from_offset, first = (None, None) if revised is None else revised
        several = first if first is not None and first < visit.revision else None
        told = ((FORGET_HEADER, forget_at_ms), (REVISED_HEADER, from_offset), (FIRST_HEADER, several))
        more = tuple((name, str(value).encode()) for name, value in told if value is not None)
        return OutRecord(record.topic, record.key, record.value, (*record.headers, *more), record.partition)

    def read_to(
        self, offsets: Mapping[Position, int], said_from: int, unseen: Iterable[tuple[str, int]] = ()
    ) -> OutRecord:
        """How far a transaction read, in one partition with the state that came of it.

        `unseen` are passes, with their decide-by, of which it has to be seen yet whether they are visible in time.
        """
        told = {self.namespace.logical(place.topic): offset for place, offset in offsets.items()} | {
            SAID_FROM: said_from,
            **{f"{UNSEEN}{visit_id}": decide_by_ms for visit_id, decide_by_ms in unseen},
        }
        headers = tuple((name, str(offset).encode()) for name, offset in told.items())
        return OutRecord(self.namespace.topic("route-state"), READ_TO_KEY.encode(), None, headers, self.partition)

    def probe(self, node: str, error_ms: int | None) -> OutRecord:
        """A record whose append time tells the broker's time; others read from it how wrong this node's clock is."""
        headers = ((PROBE_NODE, node.encode()), (PROBE_ERROR, b"" if error_ms is None else str(error_ms).encode()))
        return OutRecord(self.namespace.topic("route-state"), PROBE_KEY.encode(), None, headers, self.partition)

    def camera(self, progress: CameraProgress, now_ms: int) -> OutRecord:
        """How far a camera came in this partition."""
        name = f"{progress.camera_id}.{progress.spool_epoch}.{progress.highest_sequence}.s{now_ms}"
        return self._record("route-state", camera_key(progress), progress, name, now_ms, None)

    def _record(
        self, logical: str, key: str, message: Message, name: str, now_ms: int, traceparent: str | None
    ) -> OutRecord:
        return event_record(
            self.namespace.topic(logical),
            key,
            message,
            id=name,
            source=self.namespace.source("route"),
            time_ms=now_ms,
            partition=self.partition,
            traceparent=traceparent,
        )

    def _tombstone(self, logical: str, key: str) -> OutRecord:
        return OutRecord(self.namespace.topic(logical), key.encode(), None, (), self.partition)
