"""The fields of a topic's messages as typed columns, for tools that ask by SQL; what a record was lies beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from linewarden_schemas.base import EPOCH, Message
from linewarden_schemas.topics import CATALOGUE

TIME = pa.timestamp("ms", tz="UTC")
_KEYWORDS = frozenset({"position", "precision", "time", "value", "key", "source"})
"""Fields named like a word of SQL, or like a part of the record; they get the suffix `_told`."""
_MOST = 1 << 53


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
        is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST
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
                    found[field] = Column(field, _name(field), pa.string(), is_json=True)
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
        return Column(field, f"{field.removesuffix('_ms')}_time", TIME)
    simple = {_TYPES.get(kind) if kind in _TYPES else _text_or_none(kind) for kind, _ in kinds}
    (only,) = simple if len(simple) == 1 else (None,)
    return Column(field, _name(field), only or pa.string(), is_json=only is None)


_TYPES: dict[object, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def _text_or_none(kind: object) -> pa.DataType | None:
    is_text = isinstance(kind, str) or (isinstance(kind, type) and issubclass(kind, StrEnum))
    return pa.string() if is_text else None


def _name(field: str) -> str:
    return f"{field}_told" if field in _KEYWORDS else field


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
    if kind is bytes:
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return any(_holds_bytes(leaf) for info in kind.model_fields.values() for leaf, _ in _leaves(info.annotation))
    return any(_holds_bytes(leaf) for inner in get_args(kind) for leaf, _ in _leaves(inner))
