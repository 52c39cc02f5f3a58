"""From records of `reinspections` to changes of the view; pure."""

from __future__ import annotations

from linewarden_reinspect.queue.types import Change
from linewarden_runtime.errors import Poison
from linewarden_runtime.records import InRecord
from linewarden_schemas.disposition import SlotClose, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, decode


def change_of(record: InRecord) -> Change:
    """What one record changes. A tombstone takes its slot out, should its close never have been seen.

    Raises:
        Poison: where the record is not an open or a close; the slot then stays with the machine's diversion.
    """
    if record.value is None:
        slot_id = None if record.key is None else record.key.decode(errors="replace")
        return Change(record.partition, record.offset, closed=slot_id)
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError as error:
        raise Poison("unreadable_slot", str(error), record) from error
    if isinstance(message, SlotOpen):
        return Change(record.partition, record.offset, opened=message)
    if isinstance(message, SlotClose):
        by = message.actor or "route"
        return Change(record.partition, record.offset, closed=message.slot_id, by=by, why=message.reason.value)
    raise Poison("not_a_slot", f"{message.TYPE} in reinspections", record)
