"""From a message to the record that carries it: every event of every stage is written here."""

from __future__ import annotations

from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import encode


def event_record(
    topic: str,
    key: str,
    message: Message,
    *,
    id: str,  # noqa: A002 - CloudEvents' word
    source: str,
    time_ms: int,
    partition: int | None = None,
    traceparent: str | None = None,
) -> OutRecord:
    """One message as a record of a physical topic; the rest as `linewarden_schemas.envelope.encode` has it.

    Raises:
        Unwritable: where its own reader would refuse it.
    """
    encoded = encode(message, id=id, source=source, time_ms=time_ms, traceparent=traceparent)
    return OutRecord(topic, key.encode(), encoded.value, encoded.headers, partition)
