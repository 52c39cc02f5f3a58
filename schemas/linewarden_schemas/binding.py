"""Attributes of an event to and from headers, as the `cloudevents` package binds them, without asking it each time.

The package checks the names of all attributes of every event anew, which costs more than the rest of an envelope. A set
of names that it let pass once passes again; what else can be wrong with an event of that shape is looked at here, and
whatever does not pass goes to the package, whose answer counts.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.v1.event import CloudEvent
from pydantic_core import from_json, to_json

Attributes = dict[str, Any]

_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_STRUCTURED = "application/cloudevents"

_NEVER_EMPTY = ("id", "source", "type", "datacontenttype")

_shapes: set[frozenset[str]] = set()


class _NoData:
    """The data is the value as it is, and never passes through here."""

    def write_data(self, data: bytes | None, datacontenttype: str | None) -> bytes:  # noqa: ARG002 - its protocol
        return data or b""

    def read_data(self, body: bytes, datacontentype: str | None) -> bytes:  # noqa: ARG002 - its protocol
        return body


def to_headers(attributes: Attributes) -> tuple[tuple[str, bytes], ...]:
    """Headers of an event that this program made.

    Raises:
        cloudevents.core.exceptions.CloudEventValidationError: where an attribute may not be.
    """
    if not _is_plain(attributes):
        return bound(attributes)
    return tuple(
        (_CONTENT_TYPE if name == "datacontenttype" else _PREFIX + name, _text(value))
        for name, value in attributes.items()
    )


def bound(attributes: Attributes) -> tuple[tuple[str, bytes], ...]:
    """The same by the package; what it lets pass is remembered."""
    event = CloudEvent(attributes, b"")
    headers = to_binary(event, _NoData()).headers  # type: ignore[arg-type]  # only the two methods are used
    _remember(attributes)
    return tuple(headers.items())


def from_headers(headers: dict[str, bytes]) -> Attributes:
    """Attributes of an event that somebody sent.

    Raises:
        cloudevents.core.exceptions.CloudEventValidationError: where they are no event's.
        ValueError: where a header is not text, or the time is none.
    """
    attributes: Attributes = {}
    for name, raw in headers.items():
        known = name.lower()
        if known.startswith(_PREFIX):
            attributes[known[len(_PREFIX) :]] = raw.decode()
        elif known == _CONTENT_TYPE:
            attributes["datacontenttype"] = raw.decode()
    # The package would make up an id that is missing, another one at each reading.
    missing = [name for name in ("specversion", "id") if name not in attributes]
    if missing:
        raise ValueError(f"{_PREFIX}{missing[0]} is missing")
    attributes["time"] = _time(attributes.get("time"))
    if _is_plain(attributes):
        return attributes
    parsed = from_binary(KafkaMessage(headers, None, b""), _NoData(), CloudEvent)  # type: ignore[arg-type]
    attributes = parsed.get_attributes()
    _remember(attributes)
    return attributes


def structured_type(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The content type of a record in structured mode, where the whole event is the value; None in binary mode."""
    told = next((raw for name, raw in headers if name.lower() == _CONTENT_TYPE), b"")
    kind = told.decode(errors="replace").partition(";")[0].strip().lower()
    return kind if kind.startswith(_STRUCTURED) else None


def from_structured(kind: str, value: bytes) -> tuple[Attributes, bytes]:
    """Attributes and data of an event in structured mode, as other tools write it; extension attributes as text.

    Raises:
        cloudevents.core.exceptions.CloudEventValidationError: where the attributes are no event's.
        ValueError: where the value is no such event, or in another format than JSON.
    """
    if kind != f"{_STRUCTURED}+json":
        raise ValueError(f"{kind} is not read; write binary mode, or {_STRUCTURED}+json with one event a record")
    event = from_json(value, allow_inf_nan=False)
    if not isinstance(event, dict):
        raise ValueError("the value is no JSON object")  # noqa: TRY004 - wrong in the record
    told = {name: one for name, one in event.items() if one is not None}
    if "data" in told and "data_base64" in told:
        raise ValueError("the event has data and data_base64")
    encoded = told.pop("data_base64", None)
    data = to_json(told.pop("data", None)) if encoded is None else b64decode(encoded, validate=True)
    attributes: Attributes = {"datacontenttype": "application/json"} | {name: _plain(one) for name, one in told.items()}
    missing = [name for name in ("specversion", "id") if name not in attributes]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    attributes["time"] = _time(attributes.get("time"))
    return CloudEvent(attributes, None).get_attributes(), data


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int):
        raise ValueError("an attribute is neither text nor a number")  # noqa: TRY004 - wrong in the record
    return str(value)


def _is_plain(attributes: Attributes) -> bool:
    """Whether the package let such names pass before, and nothing is wrong with the values."""
    time = attributes.get("time")
    return (
        frozenset(attributes) in _shapes
        and attributes.get("specversion") == "1.0"
        and all(isinstance(attributes.get(name), str) and attributes[name] for name in _NEVER_EMPTY)
        and isinstance(time, datetime)
        and time.utcoffset() == timedelta(0)
    )


def _remember(attributes: Attributes) -> None:
    names = frozenset(attributes)
    # Bounded, since whoever may write to a topic may name attributes as he likes; optional ones that only the
    # package checks are never taken here.
    if len(_shapes) < 256 and not names & {"subject", "dataschema"} and names >= {"time", *_NEVER_EMPTY}:
        _shapes.add(names)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _text(value: object) -> bytes:
    if isinstance(value, datetime):
        return value.isoformat().removesuffix("+00:00").encode() + b"Z"
    return str(value).encode()
