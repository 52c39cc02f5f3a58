"""JSON topics as Parquet: every record as it was, and beside it the fields of its message as columns, for SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from io import BytesIO
from typing import Annotated, Any, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from linewarden_runtime.records import InRecord
from linewarden_schemas.base import EPOCH, Message
from linewarden_schemas.topics import CATALOGUE

_TIME = pa.timestamp("ms", tz="UTC")
_RECORD = [
    ("record_offset", pa.int64()),
    ("record_time", _TIME),
    ("leader_epoch", pa.int32()),
    ("record_key", pa.binary()),
    ("record_headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ("record_value", pa.binary()),
]
"""What makes the record again, byte for byte."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a message by its name in the JSON, and the column that shows it."""

    field: str
    name: str
    type: pa.DataType
    is_json: bool = False

    def cell(self, document: Mapping[str, Any]) -> object:
        """What stands in the column; None where the record has no such value, or one of another type."""
        value = document.get(self.field)
        if value is None:
            return None
        if self.is_json:
            return json.dumps(value, separators=(",", ":"))
        if pa.types.is_boolean(self.type):
            return value if isinstance(value, bool) else None
        if pa.types.is_string(self.type):
            return value if isinstance(value, str) else None
        is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1 << 53
        if pa.types.is_floating(self.type):
            return float(value) if is_number or isinstance(value, float) else None
        return value if is_number else None


@cache
def columns_of(topic: str) -> tuple[Column, ...]:
    """The columns of a topic of the catalogue; fields that hold bytes, such as maps, stay in the value alone."""
    found: dict[str, Column] = {}
    for message in CATALOGUE[topic].messages:
        if not issubclass(message, Message):
            continue
        for field, info in message.model_fields.items():
            column = _column(field, Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation)
            if column is not None:
                known = found.setdefault(field, column)
                if known != column:
                    found[field] = Column(field, _name_of(field), pa.string(), is_json=True)
    return tuple(found.values())


def document_of(value: bytes | None) -> Mapping[str, Any]:
    """The message of a record as JSON, also where the value is a whole event; empty where it is none."""
    told = event_of(value)
    return told["data"] if "specversion" in told and isinstance(told.get("data"), dict) else told


def event_of(value: bytes | None) -> Mapping[str, Any]:
    """The JSON object of a record's value; empty where it is none."""
    try:
        document = json.loads(value or b"")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _column(field: str, annotation: object) -> Column | None:
    kinds = list(_leaves(annotation))
    if any(_holds_bytes(kind) for kind, _ in kinds):
        return None
    if all(is_epoch for _, is_epoch in kinds):
        return Column(field, f"{field.removesuffix('_ms')}_time", _TIME)
    types: dict[object, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    simple = {types.get(str if _is_text(kind) else kind) for kind, _ in kinds}
    (only,) = simple if len(simple) == 1 else (None,)
    return Column(field, _name_of(field), only or pa.string(), is_json=only is None)


def _name_of(field: str) -> str:
    """Fields named like a word of SQL, or like a part of the record, get a suffix."""
    return f"{field}_told" if field in {"check", "position", "precision", "time", "value", "key", "source"} else field


def _is_text(kind: object) -> bool:
    return isinstance(kind, str) or (isinstance(kind, type) and issubclass(kind, StrEnum))


def _leaves(annotation: object, *, is_epoch: bool = False) -> Iterable[tuple[object, bool]]:
    """What a field may be, None apart, and whether it counts from the epoch: of `Id | None` it is `str`."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _leaves(inner, is_epoch=is_epoch or EPOCH in more)
        return
    arguments = get_args(annotation)
    if annotation is type(None):
        return
    if arguments and get_origin(annotation) not in {tuple, dict, list}:
        for one in arguments:
            yield from _leaves(one, is_epoch=is_epoch)
        return
    yield annotation, is_epoch


def _holds_bytes(kind: object) -> bool:
    """Whether it is bytes, or a part with a field of bytes; deeper ones are few, and told as JSON has them."""
    if kind is bytes:
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return any(leaf is bytes for info in kind.model_fields.values() for leaf, _ in _leaves(info.annotation))
    return any(_holds_bytes(leaf) for inner in get_args(kind) for leaf, _ in _leaves(inner))


def write_table(records: Sequence[InRecord], topic: str) -> bytes:
    """One Parquet file of records of one partition, in their order; `topic` is the logical one."""
    columns = columns_of(topic)
    documents = [document_of(record.value) for record in records]
    told = {
        column.name: pa.array([column.cell(document) for document in documents], _stored(column.type)).cast(column.type)
        for column in columns
    }
    whole = {
        "record_offset": [record.offset for record in records],
        "record_time": [record.timestamp_ms for record in records],
        "leader_epoch": [record.leader_epoch for record in records],
        "record_key": [record.key for record in records],
        "record_headers": [[{"name": name, "value": value} for name, value in record.headers] for record in records],
        "record_value": [record.value for record in records],
    }
    made = {name: pa.array(whole[name], _stored(kind)).cast(kind) for name, kind in _RECORD}
    table = pa.table({**made, "event_type": pa.array([_kind(record) for record in records], pa.string()), **told})
    out = BytesIO()
    pq.write_table(table, out, row_group_size=128, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def _stored(kind: pa.DataType) -> pa.DataType:
    """Times come in as numbers, since Python has no years beyond 9999."""
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def read_table(content: bytes, topic: str, partition: int) -> list[InRecord]:
    """The records of a file; raises ValueError where it is not whole."""
    try:
        file = pq.ParquetFile(BytesIO(content), page_checksum_verification=True)
        return _records(file.read(columns=_names(file), use_threads=False), topic, partition)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ValueError(f"no whole Parquet file: {error}") from error


def salvage_table(content: bytes, topic: str, partition: int) -> list[InRecord]:
    """What can still be read of a file that is damaged, a group of rows at a time."""
    records: list[InRecord] = []
    try:
        file = pq.ParquetFile(BytesIO(content), page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError):
        return records
    for number in range(file.num_row_groups):
        try:
            records += _records(file.read_row_group(number, columns=_names(file), use_threads=False), topic, partition)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            continue  # the caller names the records that are not there
    return records


def _kind(record: InRecord) -> str:
    named = next((value for name, value in record.headers if name == "ce_type"), None)
    if named is not None:
        return named.decode(errors="replace")
    told = event_of(record.value).get("type")
    return told if isinstance(told, str) else ""


def _names(file: pq.ParquetFile) -> list[str]:
    known = file.schema_arrow.names
    first_layout = ("offset", "timestamp_ms", "leader_epoch", "key", "headers", "value")  # such files are read still
    return [name if name in known else before for (name, _), before in zip(_RECORD, first_layout, strict=True)]


def _records(table: pa.Table, topic: str, partition: int) -> list[InRecord]:
    whole = table.rename_columns([name for name, _ in _RECORD])
    times = whole.column("record_time").cast(pa.int64())
    rows = whole.set_column(whole.column_names.index("record_time"), "record_time", times).to_pylist()
    return [
        InRecord(
            topic=topic,
            partition=partition,
            offset=row["record_offset"],
            timestamp_ms=row["record_time"],
            key=row["record_key"],
            value=row["record_value"],
            headers=tuple((one["name"], one["value"]) for one in row["record_headers"]),
            leader_epoch=row["leader_epoch"],
        )
        for row in rows
    ]
