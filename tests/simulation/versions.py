"""Records as another version of the software writes them."""

from __future__ import annotations

import re

from linewarden_runtime.records import OutRecord

_DIGEST = re.compile(rb'("recipe":\{"recipe_id":"[^"]*","version":\d+),"digest":"[0-9a-f]{64}"')
_ENUMS = {
    "captures": (b'"mode":"production"', b'"mode":"a mode of a newer version"'),
    "inspections": (b'"verdict":', b'"verdict":"PROBABLY","former_verdict":'),
    "decisions": (b'"act":', b'"act":"a newer act","former_act":'),
}
"""What of a record of a topic gets a value that this version does not know."""


def newer(record: OutRecord) -> OutRecord:
    """With a field that this version does not know."""
    if record.value is None or not record.value.startswith(b"{") or not record.value.endswith(b"}"):
        return record
    return _with(record, record.value[:-1] + b',"said_by_a_newer_version":{"as":"well"}}')


def older(record: OutRecord) -> OutRecord:
    """As an old writer has it, which names no digest of the recipe."""
    headers = tuple((name, value) for name, value in record.headers if name != "ce_recipedigest")
    value = record.value
    if value is not None and value.startswith(b"{") and not record.topic.endswith(".recipes"):
        value = _DIGEST.sub(rb"\1", value)
    return OutRecord(record.topic, record.key, value, headers, record.partition)


def with_newer_enum(record: OutRecord) -> OutRecord | None:
    """With a value of an enumeration that this version does not know; None where the record has no such."""
    old, new = _ENUMS.get(record.topic.rpartition(".")[2], (b"", b""))
    if not old or record.value is None or old not in record.value:
        return None
    return _with(record, record.value.replace(old, new, 1))


def _with(record: OutRecord, value: bytes) -> OutRecord:
    return OutRecord(record.topic, record.key, value, record.headers, record.partition)
