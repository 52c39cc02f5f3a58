"""The binding: one CloudEvents 1.0 event in Kafka binary mode is one record.

Attributes are headers `ce_*`, the data is the value as it is: JSON for messages, the encoded picture for frames.
The `cloudevents` package does the mapping; here the data passes through untouched and types meet their classes. Other
tools may write structured mode, the whole event as JSON in the value: it is read, never written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudevents.core.exceptions import CloudEventValidationError
from pydantic import ValidationError

from linewarden_schemas.base import Message
from linewarden_schemas.binding import Attributes, from_headers, from_structured, structured_type, to_headers
from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.ids import digest
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.registry import MESSAGE_TYPES, upcast

FRAME_TYPE = "linewarden.frame.v1"
JSON = "application/json"
Headers = tuple[tuple[str, bytes], ...]


class EnvelopeError(ValueError):
    """A record that is not one of our events; `str()` says which rule it breaks."""


class Unwritable(EnvelopeError):
    """A message that nobody could read; it is not written."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Value and headers of a record, ready to send."""

    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded record: its message, or of a frame the metadata, with the attributes of the event."""

    id: str
    source: str
    type: str
    time_ms: int
    message: Message
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame record: metadata of the headers and the picture's bytes as sent."""

    meta: FrameMetadata
    picture: bytes
    traceparent: str | None


def encode(
    message: Message,
    *,
    id: str,  # noqa: A002 - CloudEvents' word
    source: str,
    time_ms: int,
    traceparent: str | None = None,
) -> Encoded:
    """One message as value and headers. `source` is the writer, e.g. `/line1/route`; `time_ms` is epoch ms.

    The event's id is `id` and a digest of the value: whoever drops events whose source and id he has seen drops
    repetitions, and neither another message about the same thing nor a newer state of it.

    Raises:
        Unwritable: where its own reader would refuse it; a copy with changes is not validated when it is made.
    """
    value = message.to_json()
    try:
        type(message).from_json(value)
    except ValidationError as error:
        raise Unwritable(f"{message.TYPE}: {_first(error)}") from error
    unique = f"{id}.{digest(value)[:16]}" if id else id  # an empty one is refused below
    attributes = _attributes(unique, source, message.TYPE, time_ms, JSON, traceparent)
    return Encoded(value, to_headers(attributes))


def encode_frame(meta: FrameMetadata, picture: bytes, *, source: str, traceparent: str | None = None) -> Encoded:
    """One picture as value, untouched, with its metadata as extension attributes in the headers."""
    attributes = _attributes(meta.frame_id, source, FRAME_TYPE, meta.captured_ms, meta.content_type, traceparent)
    attributes |= {
        "visitid": meta.visit_id,
        "viewid": meta.view_id,
        "lineid": meta.line_id,
        "stationid": meta.station_id,
        "cameraid": meta.camera_id,
        "recipeid": meta.recipe.recipe_id,
        "recipeversion": str(meta.recipe.version),
        "capturedms": str(meta.captured_ms),
        "decidebyms": str(meta.decide_by_ms),
        "sha256": meta.sha256,
        "simulated": "true" if meta.is_simulated else "false",
    }
    if meta.recipe.digest is not None:
        attributes["recipedigest"] = meta.recipe.digest
    if meta.clock_checked:
        attributes["clockchecked"] = "true"
    return Encoded(picture, to_headers(attributes))


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Event:
    """Read one JSON event, bringing old versions up to the newest.

    Raises:
        EnvelopeError: where headers are missing or doubled, the type is unknown, or the value does not fit it.
    """
    event, data = _parse(headers, value)
    kind = event["type"]
    if kind not in MESSAGE_TYPES:
        raise EnvelopeError(f"unknown type {kind!r}")
    try:
        message = upcast(MESSAGE_TYPES[kind].from_json(data))
    except ValidationError as error:
        raise EnvelopeError(f"{kind}: {_first(error)}") from error
    time: datetime | None = event.get("time")
    if time is None:
        raise EnvelopeError("the event has no time")
    time_ms = round(time.timestamp() * 1000)
    return Event(event["id"], event["source"], kind, time_ms, message, event.get("traceparent"))


def decode_frame(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Frame:
    """Read one frame record. The picture is not looked at.

    Raises:
        EnvelopeError: where headers are missing or doubled, or metadata do not fit.
    """
    event, data = _parse(headers, value)
    if event["type"] != FRAME_TYPE:
        raise EnvelopeError(f"type is {event['type']!r}, not {FRAME_TYPE}")
    try:
        meta = _frame_metadata(event)
    except KeyError as error:
        raise EnvelopeError(f"{FRAME_TYPE}: {error} is missing") from error
    except ValueError as error:
        detail = _first(error) if isinstance(error, ValidationError) else str(error)
        raise EnvelopeError(f"{FRAME_TYPE}: {detail}") from error
    return Frame(meta, data, event.get("traceparent"))


def _frame_metadata(event: Attributes) -> FrameMetadata:
    return FrameMetadata(
        frame_id=event["id"],
        visit_id=event["visitid"],
        view_id=event["viewid"],
        line_id=event["lineid"],
        station_id=event["stationid"],
        camera_id=event["cameraid"],
        recipe=RecipeRef(
            recipe_id=event["recipeid"], version=int(event["recipeversion"]), digest=event.get("recipedigest")
        ),
        captured_ms=int(event["capturedms"]),
        decide_by_ms=int(event["decidebyms"]),
        sha256=event["sha256"],
        content_type=event["datacontenttype"],
        clock_checked=event.get("clockchecked") == "true",
        is_simulated=event["simulated"] == "true",
    )


def _attributes(
    id: str,  # noqa: A002 - CloudEvents' word
    source: str,
    kind: str,
    time_ms: int,
    content_type: str,
    traceparent: str | None,
) -> Attributes:
    attributes: Attributes = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": kind,
        "time": datetime.fromtimestamp(time_ms / 1000, UTC),
        "datacontenttype": content_type,
    }
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    return attributes


def _parse(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> tuple[Attributes, bytes]:
    listed = list(headers)
    unique = dict(listed)
    if len(unique) != len(listed):
        raise EnvelopeError("a header is doubled")
    kind = structured_type(listed)
    try:
        return (from_headers(unique), value or b"") if kind is None else from_structured(kind, value or b"")
    except (CloudEventValidationError, ValueError, AttributeError, TypeError) as error:
        raise EnvelopeError(f"not a CloudEvent: {error}") from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
