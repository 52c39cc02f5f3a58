"""Whether a record fits: into what the client may send, and into its own topic, whose limit is mostly lower."""

from __future__ import annotations

from linewarden_runtime.errors import TooLarge
from linewarden_runtime.records import OutRecord
from linewarden_schemas.topics import CATALOGUE

RECORD_OVERHEAD = 1024
"""More than a batch of one record takes beside key, value and headers, with the lengths of some thirty headers."""


def room_in(topic: str) -> int | None:
    """Bytes of key, value and headers that a record of a physical topic may have; None for one of no catalogue."""
    known = CATALOGUE.get(topic.rpartition(".")[2])
    return None if known is None else int(known.config()["max.message.bytes"]) - RECORD_OVERHEAD


def fits(record: OutRecord) -> bool:
    """Whether the broker would take the record into its topic."""
    room = room_in(record.topic)
    return room is None or record.size <= room


def require_fit(record: OutRecord, client_limit: int) -> None:
    """Raise TooLarge, before anything is sent, for a record that the client or its topic would refuse."""
    limit = client_limit - RECORD_OVERHEAD
    room = room_in(record.topic)
    allowed = limit if room is None else min(limit, room)
    if record.size > allowed:
        raise TooLarge(f"{record.size} bytes to {record.topic}; {allowed} are allowed")
