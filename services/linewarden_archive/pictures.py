"""Frames as MCAP: a picture message for each camera that Foxglove shows, and beside it what else the record was.

The picture of a record that can be read as a frame lies once, in its foxglove.CompressedImage; key, headers, offset
and timestamp lie in the message after it, and so does the value of anything that is no frame.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any

from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, McapRecord, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import CompressionType, Writer
from mcap_protobuf.schema import register_schema

from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import EnvelopeError, Frame, decode_frame

RECORD_TOPIC = "/record"
_NS = 1_000_000
_LARGEST = 64 * 1024 * 1024
_UNREADABLE = (McapError, DecodeError, struct.error, ValueError, KeyError, TypeError)
_SCHEMA = {
    "title": "linewarden.ArchivedRecord",
    "type": "object",
    "description": "Everything of a Kafka record but the picture, which is in the message before; bytes in base64.",
    "properties": {
        "offset": {"type": "integer"},
        "timestamp_ms": {"type": "integer"},
        "leader_epoch": {"type": "integer"},
        "key": {"type": ["string", "null"], "contentEncoding": "base64"},
        "headers": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        "pictured": {"type": "boolean"},
        "value": {"type": ["string", "null"], "contentEncoding": "base64"},
    },
}


def write_pictures(records: Sequence[InRecord]) -> bytes:
    """One MCAP file of records of one partition, in their order."""
    out = BytesIO()
    # Encoded pictures do not get smaller, and what is not compressed can be read around a damaged place.
    writer = Writer(out, chunk_size=256 * 1024, compression=CompressionType.NONE, enable_data_crcs=True)
    writer.start(profile="", library="linewarden")
    image_schema = register_schema(writer, CompressedImage)
    record_schema = writer.register_schema("linewarden.ArchivedRecord", "jsonschema", json.dumps(_SCHEMA).encode())
    beside = writer.register_channel(RECORD_TOPIC, "json", record_schema)
    cameras: dict[str, int] = {}
    for record in records:
        frame: Frame | None = None
        if record.value is not None:
            with suppress(EnvelopeError):
                frame = decode_frame(record.headers, record.value)
        at_ns = max(0, record.timestamp_ms) * _NS
        if frame is not None:
            camera = frame.meta.camera_id
            if camera not in cameras:
                cameras[camera] = writer.register_channel(f"/frames/{camera}", "protobuf", image_schema)
            writer.add_message(cameras[camera], at_ns, _image(frame), frame.meta.captured_ms * _NS)
        writer.add_message(beside, at_ns, _rest(record, pictured=frame is not None), at_ns)
    writer.finish()  # type: ignore[no-untyped-call]  # the package leaves its result open
    return out.getvalue()


def read_pictures(content: bytes, topic: str, partition: int) -> list[InRecord]:
    """The records of a file; raises ValueError where it is not whole."""
    try:
        found = StreamReader(BytesIO(content), validate_crcs=True, record_size_limit=_LARGEST).records
        return list(_records(found, topic, partition))
    except _UNREADABLE as error:
        raise ValueError(f"no whole MCAP file: {error}") from error


def salvage_pictures(content: bytes, topic: str, partition: int) -> list[InRecord]:
    """What can still be read of a file that is damaged, chunk by chunk."""
    found: list[McapRecord] = []
    with suppress(*_UNREADABLE):  # the rest is out of reach then; the caller names what is missing
        for record in StreamReader(BytesIO(content), emit_chunks=True, record_size_limit=_LARGEST).records:
            if not isinstance(record, Chunk):
                found.append(record)
                continue
            with suppress(*_UNREADABLE):
                found += breakup_chunk(record)
    return list(_records(found, topic, partition, strict=False))


def _image(frame: Frame) -> bytes:
    at = Timestamp()
    at.FromMilliseconds(frame.meta.captured_ms)
    kind = frame.meta.content_type.removeprefix("image/")
    image = CompressedImage(timestamp=at, frame_id=frame.meta.camera_id, data=frame.picture, format=kind)
    return bytes(image.SerializeToString(deterministic=True))


def _rest(record: InRecord, *, pictured: bool) -> bytes:
    document = {
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "leader_epoch": record.leader_epoch,
        "key": _text(record.key),
        "headers": [[name, _text(value)] for name, value in record.headers],
        "pictured": pictured,
        "value": None if pictured else _text(record.value),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _records(found: Iterable[McapRecord], topic: str, partition: int, *, strict: bool = True) -> Iterator[InRecord]:
    channels: dict[int, str] = {}
    picture: bytes | None = None
    for one in found:
        if isinstance(one, Channel):
            channels[one.id] = one.topic
        elif isinstance(one, Message) and channels.get(one.channel_id, RECORD_TOPIC) != RECORD_TOPIC:
            try:
                picture = bytes(CompressedImage.FromString(one.data).data)
            except DecodeError:
                if strict:
                    raise
                picture = None
        elif isinstance(one, Message):
            try:
                yield _record(json.loads(one.data), picture, topic, partition)
            except _UNREADABLE:
                if strict:
                    raise
            picture = None


def _record(document: dict[str, Any], picture: bytes | None, topic: str, partition: int) -> InRecord:
    return InRecord(
        topic=topic,
        partition=partition,
        offset=document["offset"],
        timestamp_ms=document["timestamp_ms"],
        key=_bytes(document["key"]),
        value=picture if document["pictured"] else _bytes(document["value"]),
        headers=tuple((name, b64decode(value, validate=True)) for name, value in document["headers"]),
        leader_epoch=document["leader_epoch"],
    )


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
