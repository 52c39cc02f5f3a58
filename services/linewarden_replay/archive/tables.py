"""JSON topics as Parquet: every record as it was, and beside it the ids that people ask for, as columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linewarden_runtime.records import InRecord

ASKED = ("visit_id", "frame_id", "line_id", "part_id", "lot_id", "product_id")
"""Fields of messages that become columns; null where a message has none."""
_ROWS = 128
_HEADER = pa.struct([("name", pa.string()), ("value", pa.binary())])
_SCHEMA = pa.schema(
    [
        ("offset", pa.int64()),
        ("timestamp_ms", pa.int64()),
        ("leader_epoch", pa.int32()),
        ("key", pa.binary()),
        ("headers", pa.list_(_HEADER)),
        ("value", pa.binary()),
        ("type", pa.string()),
        *((name, pa.string()) for name in ASKED),
    ]
)
_WHOLE = ["offset", "timestamp_ms", "leader_epoch", "key", "headers", "value"]


def write_table(records: Sequence[InRecord]) -> bytes:
    """One Parquet file of records of one partition, in their order."""
    rows = [_row(record) for record in records]
    out = BytesIO()
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    pq.write_table(table, out, row_group_size=_ROWS, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def read_table(content: bytes, topic: str, partition: int) -> list[InRecord]:
    """The records of a file; raises ValueError where it is not whole."""
    try:
        table = pq.read_table(BytesIO(content), columns=_WHOLE, page_checksum_verification=True, use_threads=False)
        return [_record(row, topic, partition) for row in table.to_pylist()]
    except (pa.ArrowException, OSError) as error:
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
            rows = file.read_row_group(number, columns=_WHOLE, use_threads=False).to_pylist()
            records += [_record(row, topic, partition) for row in rows]
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            continue  # the caller names the records that are not there
    return records


def told_by(record: InRecord) -> dict[str, str | None]:
    """The ids that a record's message tells; all None where it is none of ours."""
    try:
        document = json.loads(record.value or b"")
    except ValueError:
        document = None
    found = document if isinstance(document, dict) else {}
    return {name: found[name] if isinstance(found.get(name), str) else None for name in ASKED}


def _row(record: InRecord) -> dict[str, Any]:
    kind = next((value for name, value in record.headers if name == "ce_type"), b"")
    return {
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "leader_epoch": record.leader_epoch,
        "key": record.key,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
        "value": record.value,
        "type": kind.decode(errors="replace"),
    } | told_by(record)


def _record(row: dict[str, Any], topic: str, partition: int) -> InRecord:
    return InRecord(
        topic=topic,
        partition=partition,
        offset=row["offset"],
        timestamp_ms=row["timestamp_ms"],
        key=row["key"],
        value=row["value"],
        headers=tuple((one["name"], one["value"]) for one in row["headers"]),
        leader_epoch=row["leader_epoch"],
    )
