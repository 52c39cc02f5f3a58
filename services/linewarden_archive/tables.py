"""JSON topics as Parquet: every record as it was, and beside it the fields of its message as columns."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from linewarden_runtime.records import InRecord

from .columns import TIME, columns_of, document_of, event_of

_ROWS = 128
_HEADER = pa.struct([("name", pa.string()), ("value", pa.binary())])
_RECORD = [
    ("record_offset", pa.int64()),
    ("record_time", TIME),
    ("leader_epoch", pa.int32()),
    ("record_key", pa.binary()),
    ("record_headers", pa.list_(_HEADER)),
    ("record_value", pa.binary()),
]
"""What makes the record again, byte for byte."""
_FIRST_LAYOUT = ("offset", "timestamp_ms", "leader_epoch", "key", "headers", "value")
_BEFORE = {name: before for (name, _), before in zip(_RECORD, _FIRST_LAYOUT, strict=True)}
"""The names of these columns in files of the first layout, which are read still."""
_EVENT = "event_type"


def write_table(records: Sequence[InRecord], topic: str) -> bytes:
    """One Parquet file of records of one partition, in their order; `topic` is the logical one."""
    columns = columns_of(topic)
    documents = [document_of(record.value) for record in records]
    told = {
        column.name: pa.array([column.cell(document) for document in documents], _stored(column.type)).cast(column.type)
        for column in columns
    }
    table = pa.table({**_whole(records), _EVENT: pa.array([_kind(record) for record in records], pa.string()), **told})
    out = BytesIO()
    pq.write_table(table, out, row_group_size=_ROWS, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def _stored(kind: pa.DataType) -> pa.DataType:
    """Times come in as numbers, since Python has no years beyond 9999."""
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def _whole(records: Sequence[InRecord]) -> dict[str, pa.Array]:
    headers = [[{"name": name, "value": value} for name, value in record.headers] for record in records]
    values = {
        "record_offset": [record.offset for record in records],
        "record_time": [record.timestamp_ms for record in records],
        "leader_epoch": [record.leader_epoch for record in records],
        "record_key": [record.key for record in records],
        "record_headers": headers,
        "record_value": [record.value for record in records],
    }
    return {name: pa.array(values[name], _stored(kind)).cast(kind) for name, kind in _RECORD}


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
    return [name if name in known else _BEFORE[name] for name, _ in _RECORD]


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
