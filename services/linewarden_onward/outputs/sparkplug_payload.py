"""Payloads of Sparkplug B 3.0: the fields that are written and read here, by their numbers in the specification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_MESSAGES = {
    "Payload": ("timestamp 1 uint64", "metrics 2 *Metric", "seq 3 uint64"),
    "Metric": (
        *("name 1 string", "alias 2 uint64", "timestamp 3 uint64", "datatype 4 uint32", "is_null 7 bool"),
        *("long_value 11 uint64", "boolean_value 14 bool", "string_value 15 string"),
        "dataset_value 17 DataSet",
    ),
    "DataSet": ("num_of_columns 1 uint64", "columns 2 *string", "types 3 *uint32", "rows 4 *Row"),
    "Row": ("elements 1 *DataSetValue",),
    "DataSetValue": ("long_value 2 uint64", "boolean_value 5 bool", "string_value 6 string"),
}
"""Name, number and type of each field; a star says that it is repeated, a name with a capital that it is a message."""


class DataType(IntEnum):
    """Types of values, by their codes."""

    INT64 = 4
    UINT64 = 8
    BOOLEAN = 11
    STRING = 12
    DATA_SET = 16

    @property
    def field(self) -> str:
        """Where a value of this type stands."""
        return _FIELDS[self]


_FIELDS = {
    DataType.INT64: "long_value",
    DataType.UINT64: "long_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.DATA_SET: "dataset_value",
}


@dataclass(frozen=True, slots=True)
class SparkplugRows:
    """The value of a data set: its columns with their types, and its rows."""

    columns: Sequence[tuple[str, DataType]]
    rows: Sequence[Sequence[str | int | bool]] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """A value by its name, or by its alias alone; numbers are unsigned. `at_ms` is since when it holds, epoch ms."""

    name: str | None
    kind: DataType
    value: str | int | bool | SparkplugRows
    at_ms: int
    alias: int | None = None


def encoded(metrics: Iterable[Metric], at_ms: int, seq: int | None = None) -> bytes:
    """A payload sent at `at_ms` (epoch ms) under the number `seq`; a death has none."""
    payload = PAYLOAD(timestamp=at_ms, seq=seq)
    for metric in metrics:
        told = payload.metrics.add(
            name=metric.name, alias=metric.alias, timestamp=metric.at_ms, datatype=int(metric.kind)
        )
        if isinstance(metric.value, SparkplugRows):
            _write(told.dataset_value, metric.value)
        else:
            setattr(told, metric.kind.field, metric.value)
    return bytes(payload.SerializeToString())


def asks_for(body: bytes, name: str) -> bool:
    """Whether a command sets the metric of that name to true; False also for what is no payload."""
    try:
        payload = PAYLOAD.FromString(body)
    except DecodeError:
        return False
    return any(metric.name == name and metric.boolean_value for metric in payload.metrics)


def _write(into: Any, value: SparkplugRows) -> None:  # noqa: ANN401 - made at run time
    into.num_of_columns = len(value.columns)
    into.columns.extend(name for name, _ in value.columns)
    into.types.extend(int(kind) for _, kind in value.columns)
    for row in value.rows:
        elements = into.rows.add().elements
        for (_, kind), cell in zip(value.columns, row, strict=True):
            elements.add(**{kind.field: cell})


def _payload_class() -> Any:  # noqa: ANN401 - made at run time
    """The class of payloads, made from the table in a pool of its own: another library's Sparkplug does no harm."""
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b", package="sparkplug", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for field in fields:
            name, number, kind = field.split()
            one = described.field.add(name=name, number=int(number), label=kinds.LABEL_OPTIONAL)
            if kind.startswith("*"):
                one.label, kind = kinds.LABEL_REPEATED, kind[1:]
            if kind in _MESSAGES:
                one.type, one.type_name = kinds.TYPE_MESSAGE, f".sparkplug.{kind}"
            else:
                one.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sparkplug.Payload"))


PAYLOAD = _payload_class()
"""A payload as protobuf's own message."""
