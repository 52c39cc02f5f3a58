"""Records of the topics that route writes, read back."""

from __future__ import annotations

from linewarden_route.plan import RouteDesk
from linewarden_runtime.records import InRecord
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import decode


class Stray(ValueError):
    """A record that is none of route's, in a topic that is."""


def disposition_in(record: InRecord, desk: RouteDesk) -> Disposition:
    """What a record of `dispositions` says. Raises ValueError for a stray."""
    message = decode(record.headers, record.value).message
    if not isinstance(message, Disposition):
        raise Stray(f"{message.TYPE} does not belong into dispositions")
    require_place(message.visit_id, desk, record)
    return message


def slot_in(record: InRecord, desk: RouteDesk) -> SlotOpen | SlotClose:
    """What a record of `reinspections` says that is no tombstone. Raises ValueError for a stray."""
    message = decode(record.headers, record.value).message
    if not isinstance(message, SlotOpen | SlotClose):
        raise Stray(f"{message.TYPE} does not belong into reinspections")
    require_place(message.visit_id, desk, record)
    return message


def require_place(visit_id: str, desk: RouteDesk, record: InRecord) -> None:
    """Raises Stray for a record that lies in another partition than its visit's."""
    if desk.partition_of(visit_id) != record.partition:
        raise Stray(f"visit {visit_id} belongs into partition {desk.partition_of(visit_id)}")
