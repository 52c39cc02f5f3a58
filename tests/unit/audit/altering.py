"""One thing altered at a time, over everything that records hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from linewarden_runtime.records import InRecord

_OTHER_WORDS = {
    "OK": "NG",
    "NG": "OK",
    "NOT_DECIDABLE": "OK",
    "UNSURE": "OK",
    "trusted_pass": "diverted",
    "diverted": "trusted_pass",
    "rejected": "trusted_pass",
    "production": "setup",
    "accept": "scrap",
    "scrap": "accept",
    "use_as_is": "scrap",
    "judge": "undo",
    "undo": "judge",
    "operator": "quality",
    "lead": "operator",
    "quality": "operator",
    "decided": "withdrawn",
    "escalated": "decided",
    "undone": "withdrawn",
    "refused": "decided",
    "withdrawn": "decided",
    "low_trust": "not_decidable",
    "not_decidable": "low_trust",
    "known_bad": "low_trust",
    "fault": "known_bad",
    "late": "known_bad",
    "oversize": "camera_fault",
    "unreadable": "late",
    "classifier": "either",
}


@dataclass(frozen=True)
class Alteration:
    """What was done to which record, and the records afterwards. `path` is e.g. `inspection.p_defect`."""

    act: str
    path: str
    place: str
    records: list[InRecord]

    def __str__(self) -> str:
        return f"{self.act} {self.path} at {self.place}"


def alterations(records: list[InRecord], places: Iterable[int] | None = None) -> Iterator[Alteration]:
    """Records dropped, doubled, moved, and each of their fields changed or dropped, one at a time; all by default."""
    for index in range(len(records)) if places is None else places:
        record = records[index]
        yield from _whole(records, index)
        if record.value is None:
            continue
        kind = kind_of(record)
        for path, value in _fields(json.loads(record.value)):
            changed = replace(record, value=json.dumps(value).encode())
            act, _, name = path.partition(" ")
            yield Alteration(act, f"{kind}.{name}", _place(record), [*records[:index], changed, *records[index + 1 :]])


def kind_of(record: InRecord) -> str:
    """The short name of a record's type, e.g. `capture`."""
    return next(value.decode() for name, value in record.headers if name == "ce_type").split(".")[1]


def _place(record: InRecord) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset} {(record.key or b'').decode()}"


def _whole(records: list[InRecord], index: int) -> Iterator[Alteration]:
    record, before, after = records[index], records[:index], records[index + 1 :]
    kind, place = kind_of(record), _place(record)
    yield Alteration("drop", kind, place, [*before, *after])
    last = max(one.offset for one in records if one.position == record.position)
    again = replace(record, offset=last + 1)
    here = [one for one in records if one.position == record.position]
    place_after = records.index(here[-1]) + 1
    yield Alteration("double", kind, place, [*records[:place_after], again, *records[place_after:]])
    if record.topic.endswith(".reinspections"):
        gone = replace(again, value=None)
        yield Alteration("forget", kind, place, [*records[:place_after], gone, *records[place_after:]])
    yield Alteration("move", kind, place, [*before, replace(record, partition=1 - record.partition), *after])
    yield Alteration("rekey", kind, place, [*before, replace(record, key=b"other"), *after])
    yield Alteration("garble", kind, place, [*before, replace(record, value=b"?"), *after])
    later = replace(record, timestamp_ms=record.timestamp_ms + 3_600_000)
    yield Alteration("postpone", kind, place, [*before, later, *after])
    later_ones = [number for number, one in enumerate(records) if one.position == record.position and number > index]
    for number in later_ones[:3]:
        swapped = list(records)
        swapped[index] = replace(records[number], offset=record.offset)
        swapped[number] = replace(record, offset=records[number].offset)
        yield Alteration("swap", kind, place, swapped)


def _fields(value: Any, path: str = "", root: Any = None) -> Iterator[tuple[str, Any]]:
    """`change PATH` or `drop PATH`, and the whole document with that done."""
    document = value if root is None else root
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            yield f"drop {here}", _with(document, here.split("."), None, drop=True)
            yield from _fields(inner, here, document)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            here = f"{path}.{number}"
            yield f"drop {path}.*", _with(document, here.split("."), None, drop=True)
            yield from ((_numberless(one), told) for one, told in _fields(inner, here, document))
    else:
        for other in _others(value):
            yield f"change {path}", _with(document, path.split("."), other)


def _numberless(path: str) -> str:
    act, _, name = path.partition(" ")
    return f"{act} " + ".".join("*" if word.isdigit() else word for word in name.split("."))


def _others(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(0, value - 1)] if value else [value + 1]
    if isinstance(value, float):
        return [1.0 - value, value / 2]
    if value in _OTHER_WORDS:
        return [_OTHER_WORDS[value]]
    if len(value) == 64:
        return ["0" * 64]
    return [f"{value}x"]


def _with(document: Any, path: list[str], value: Any, *, drop: bool = False) -> Any:
    name: Any = int(path[0]) if isinstance(document, list) else path[0]
    copy = list(document) if isinstance(document, list) else dict(document)
    if len(path) > 1:
        copy[name] = _with(document[name], path[1:], value, drop=drop)
    elif drop:
        del copy[name]
    else:
        copy[name] = value
    return copy
