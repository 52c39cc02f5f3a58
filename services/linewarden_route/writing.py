"""From what follows of a step to records, all of them in the visit's own partition."""

from __future__ import annotations

from dataclasses import dataclass

from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot

FORGET_HEADER = "ce_forgetms"
"""Extension attribute of a final visit's state: a restore keeps such a record unread until it is needed."""


def camera_key(progress: CameraProgress) -> str:
    """Key of a camera's progress in `route-state`; a colon is in no visit's id."""
    return f"camera:{progress.line_id}:{progress.camera_id}"


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

    def state(self, visit_id: str, visit: VisitSnapshot | None, now_ms: int) -> OutRecord:
        """The state of a visit; its tombstone where it is forgotten."""
        if visit is None:
            return self._tombstone("route-state", visit_id)
        record = self._record("route-state", visit_id, visit, f"{visit_id}.s{now_ms}", now_ms, None)
        if not visit.final or visit.forget_at_ms is None:
            return record
        header = (FORGET_HEADER, str(visit.forget_at_ms).encode())
        return OutRecord(record.topic, record.key, record.value, (*record.headers, header), record.partition)

    def camera(self, progress: CameraProgress, now_ms: int) -> OutRecord:
        """How far a camera came in this partition."""
        name = f"{progress.camera_id}.{progress.spool_epoch}.{progress.highest_sequence}"
        return self._record("route-state", camera_key(progress), progress, name, now_ms, None)

    def _record(
        self, logical: str, key: str, message: Message, name: str, now_ms: int, traceparent: str | None
    ) -> OutRecord:
        source = f"/{self.namespace.name}/route"
        encoded = encode(message, id=name, source=source, time_ms=now_ms, traceparent=traceparent)
        topic = self.namespace.topic(logical)
        return OutRecord(topic, key.encode(), encoded.value, encoded.headers, self.partition)

    def _tombstone(self, logical: str, key: str) -> OutRecord:
        return OutRecord(self.namespace.topic(logical), key.encode(), None, (), self.partition)
