"""What a partition's new owner reads before it works: the whole of `route-state`, and routings that are visible."""

from __future__ import annotations

from collections.abc import Iterator

from linewarden_runtime.books import read_to_end
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import decode
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot

from .events import RoutingSeen
from .plan import Desk, Plan
from .visits import Dormant, Visits
from .writing import FORGET_HEADER, Writer, camera_key

_POLL_S = 0.1
"""Short, since a log that ends with an aborted transaction gives no record at its end, and a line waits."""


def restore_visits(broker: Broker, desk: Desk, partition: int) -> Visits:
    """The memory of a partition as the log has it, to the end as it is now.

    The predecessor must be fenced before: what it left open is aborted then and does not hide the end.
    """
    position = Position(desk.namespace.topic("route-state"), partition)
    visits = Visits()
    with broker.reader({position: 0}) as reader:
        reader.seek(position, reader.beginning_offsets([position])[position])
        for record in read_to_end(reader, _POLL_S):
            _learn(visits, record)
    for visit in visits.newest():
        visits.positions.learn(visit, desk.recipe(visit.recipe))
    return visits


def adopt_routings(broker: Broker, desk: Desk, visits: Visits, writer: Writer, now_ms: int, horizon_ms: int) -> Plan:
    """A plan that takes over every visible revision 0 of the horizon that the memory does not know."""
    plan = Plan(visits, desk, writer, now_ms)
    for record in _recent_dispositions(broker, desk, writer.partition, now_ms - horizon_ms):
        visit_id = (record.key or b"").decode(errors="replace")
        if record.value is None or visits.is_routed(visit_id):
            continue
        message = decode(record.headers, record.value).message
        if isinstance(message, Disposition) and message.revision == 0:
            plan.adopt(RoutingSeen(message))
    plan.finish()
    return plan


def _recent_dispositions(broker: Broker, desk: Desk, partition: int, since_ms: int) -> Iterator[InRecord]:
    position = Position(desk.namespace.topic("dispositions"), partition)
    with broker.reader({position: 0}) as reader:
        first = reader.offsets_for_times({position: max(0, since_ms)})[position]
        if first is None:
            return
        reader.seek(position, first)
        yield from read_to_end(reader, _POLL_S)


def _learn(visits: Visits, record: InRecord) -> None:
    key = (record.key or b"").decode()
    if record.value is None:
        visits.forget(key)
        return
    forget_at_ms = next((value for name, value in record.headers if name == FORGET_HEADER), None)
    if forget_at_ms is not None:
        visits.put_dormant(key, Dormant.of(record.value, int(forget_at_ms)))
        return
    message = decode(record.headers, record.value).message
    if isinstance(message, VisitSnapshot):
        visits.put(key, message)
    elif isinstance(message, CameraProgress):
        visits.cameras[camera_key(message)] = message
