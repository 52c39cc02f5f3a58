"""Whose clock is wrong, and by how much: what camera nodes and route told last of theirs beside the broker's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linewarden_runtime.books import positions_of, read_to_end
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord
from linewarden_schemas.capture import CameraHeartbeat
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace

_LAST = 2_000
"""Records at the end of each partition that are looked at."""

_PROBE, _NODE, _ERROR = b"clock:probe", "node", "clock-error-ms"
"""Key and headers of route's record in `route-state`."""


@dataclass(frozen=True, slots=True)
class NodeClock:
    """A node and by how much its clock was ahead of the broker's when it told so last, by the broker's time."""

    node: str
    error_ms: int
    told_ms: int


def node_clocks(broker: Broker, namespace: Namespace) -> list[NodeClock]:
    """The newest word of each node, by name."""
    newest: dict[str, NodeClock] = {}
    for topic in ("captures", "route-state"):
        for record in _last_records(broker, namespace.topic(topic)):
            told = _of_camera(record, broker.append_time) if topic == "captures" else _of_route(record)
            if told is not None and (told.node not in newest or newest[told.node].told_ms <= told.told_ms):
                newest[told.node] = told
    return [newest[node] for node in sorted(newest)]


def _last_records(broker: Broker, topic: str) -> Iterator[InRecord]:
    places = positions_of(broker, topic)
    with broker.reader(dict.fromkeys(places, 0)) as reader:
        beginnings, ends = reader.beginning_offsets(places), reader.end_offsets(places)
        for place in places:
            reader.seek(place, max(beginnings[place], ends[place] - _LAST))
        yield from read_to_end(reader)


def _of_camera(record: InRecord, is_stamped: bool) -> NodeClock | None:
    if dict(record.headers).get("ce_type") != CameraHeartbeat.TYPE.encode():
        return None
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError:
        return None
    if not isinstance(message, CameraHeartbeat):
        return None
    error_ms = message.clock_error_ms
    if error_ms is None and is_stamped:
        error_ms = message.at_ms - record.timestamp_ms
    name = f"node of camera {message.camera_id}, line {message.line_id}"
    return None if error_ms is None else NodeClock(name, error_ms, record.timestamp_ms)


def _of_route(record: InRecord) -> NodeClock | None:
    headers = dict(record.headers)
    if record.key != _PROBE or not headers.get(_ERROR):
        return None
    name = f"node {headers.get(_NODE, b'?').decode(errors='replace')} of route"
    return NodeClock(name, int(headers[_ERROR]), record.timestamp_ms)
