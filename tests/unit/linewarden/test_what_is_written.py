"""What each writer puts on the wire, byte for byte: others read it, and events are told apart by source and id."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_audit import periods
from linewarden_audit.notary.notary import Notary
from linewarden_history.escapes import escape_record
from linewarden_ingest.captures import CameraPlace
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.ticket import Ticket
from linewarden_inspect.keeper.saving import EvidenceSaver
from linewarden_inspect.writing import InspectionWriter
from linewarden_reinspect.queue.types import Transition
from linewarden_reinspect.station.bus import StationBus
from linewarden_replay.rerun.keeping import Keeping
from linewarden_route.writing import Writer as RouteWriter
from linewarden_runtime.clock import ManualClock
from linewarden_runtime.deadletters import DeadLetters
from linewarden_runtime.provision import activation_record, line_state_record, recipe_record
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition, SlotClose, SlotOpen
from linewarden_schemas.envelope import FRAME_TYPE
from linewarden_schemas.escape import Escape
from linewarden_schemas.ids import Namespace, digest
from linewarden_schemas.inspection import Evidence, Inspection
from linewarden_schemas.line import Activation, LineState
from linewarden_schemas.operations import Balance, ChainHead
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import CameraProgress, VisitSnapshot
from linewarden_schemas.samples import AT, SAMPLES, SLOT, VISIT
from linewarden_schemas.vocabulary import Loss

LINE = Namespace("line1")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
M = TypeVar("M", bound=Message)


class OnTheWire(NamedTuple):
    """Topic, key, partition, id without its digest, source, time and the names of all headers, shortened."""

    topic: str
    key: str
    partition: int | None
    id: str
    source: str
    time: str
    headers: str


def _sample(kind: type[M]) -> M:
    return next(one for one in SAMPLES if isinstance(one, kind))


def _told(record: OutRecord) -> OnTheWire:
    told = {name.removeprefix("ce_"): value.decode() for name, value in record.headers}
    ending = "" if told["type"] == FRAME_TYPE else f".{digest(record.value or b'')[:16]}"
    assert told["id"].endswith(ending)
    key, name = (record.key or b"").decode(), told["id"].removesuffix(ending)
    return OnTheWire(record.topic, key, record.partition, name, told["source"], told["time"], " ".join(told))


def _station() -> Iterator[tuple[str, OutRecord]]:
    sent: list[OutRecord] = []

    def send(record: OutRecord) -> Any:
        sent.append(record)
        return SimpleNamespace(result=lambda _timeout_s: None, add_done_callback=lambda _done: None)

    producer = SimpleNamespace(send=send, close=lambda: None)
    bus = StationBus(lambda: cast("Any", producer), LINE, 12, ManualClock(AT), 1.0)
    bus.record(_sample(Decision))
    bus.tell("claimed", SLOT, VISIT, "op-1", "low_trust")
    bus.pass_on(Transition("7-0", SLOT, VISIT, "expired", "op-1", AT, ""), lambda _failure: None)
    bus.close()
    yield from zip(("decision", "claimed", "expired"), sent, strict=True)


def _written() -> Iterator[tuple[str, OutRecord]]:
    nothing: Any = None
    clock, key = ManualClock(AT), Ed25519PrivateKey.from_private_bytes(bytes(32))
    inspection, capture = _sample(Inspection), _sample(Capture)
    yield "inspection", InspectionWriter(LINE, 12).inspection(inspection, TRACE)
    keeping = Keeping(nothing, Namespace("replay.run1"), 12, cast("Any", SimpleNamespace(pictures=lambda: 0)))
    yield "judged again", keeping._record(inspection)
    saver = EvidenceSaver(LINE, nothing, nothing, nothing, nothing, clock)
    yield "evidence", saver._record(_sample(Evidence))
    outbound = Outbound(LINE, CameraPlace("line1", "st1", "cam1", "top"), 1, 12)
    yield "capture", outbound.capture(capture)
    yield "lost", outbound.capture(capture.model_copy(update={"lost": Loss.CAMERA_FAULT, "sha256": None}))
    yield "frame", outbound.frame(Ticket(capture, 3, AT, "image/png"), b"picture")
    yield "heartbeat", outbound.heartbeat(21, {"dropped": 1}, AT, 4)
    route = RouteWriter(LINE, 3)
    yield "disposition", route.published(_sample(Disposition), AT, TRACE)
    yield "opened", route.published(_sample(SlotOpen), AT, None)
    yield "closed", route.published(_sample(SlotClose), AT, None)
    yield "state", route.state(VISIT, _sample(VisitSnapshot), AT, (7, 0))
    yield "camera", route.camera(_sample(CameraProgress), AT)
    yield "recipe", recipe_record(LINE, _sample(Recipe), "/linewarden/cli")
    yield "activation", activation_record(LINE, _sample(Activation), "/linewarden/cli")
    yield "line state", line_state_record(LINE, _sample(LineState), "/linewarden/cli")
    yield "escape", escape_record(LINE, _sample(Escape), "/linewarden/cli")
    poison = InRecord("line1.frames", 2, 9, AT, VISIT.encode(), b"x", (("ce_id", b"y"),))
    yield "dead letter", DeadLetters("inspect", LINE, clock).letter(poison, "bad-envelope", "no", visit_id=VISIT)
    yield "head", Notary(nothing, LINE, key, clock)._record(_sample(ChainHead))
    yield "balance", periods._record(LINE, _sample(Balance))
    yield from _station()


WRITTEN = {
    "inspection": OnTheWire(
        "line1.inspections",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15",
        "/line1/inspect",
        "2025-11-24T16:00:00.240000Z",
        "specversion id source type time content-type traceparent",
    ),
    "judged again": OnTheWire(
        "replay.run1.inspections",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15",
        "/replay.run1/replay",
        "2025-11-24T16:00:00.240000Z",
        "specversion id source type time content-type",
    ),
    "evidence": OnTheWire(
        "line1.evidence",
        "line1.st1.1764000000000.000007.top.1-15",
        None,
        "line1.st1.1764000000000.000007.top.1-15",
        "/line1/keeper",
        "2025-11-24T16:00:00.900000Z",
        "specversion id source type time content-type",
    ),
    "capture": OnTheWire(
        "line1.captures",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15",
        "/line1/ingest/cam1",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "lost": OnTheWire(
        "line1.captures",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15.camera_fault",
        "/line1/ingest/cam1",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "frame": OnTheWire(
        "line1.frames",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15",
        "/line1/ingest/cam1",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type visitid viewid lineid stationid cameraid "
        "recipeid recipeversion capturedms decidebyms sha256 simulated recipedigest",
    ),
    "heartbeat": OnTheWire(
        "line1.captures",
        "cam1",
        3,
        "cam1.1.1764000000000",
        "/line1/ingest/cam1",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "disposition": OnTheWire(
        "line1.dispositions",
        "line1.st1.1764000000000.000007",
        3,
        "line1.st1.1764000000000.000007.d0",
        "/line1/route",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type traceparent",
    ),
    "opened": OnTheWire(
        "line1.reinspections",
        "line1.st1.1764000000000.000007.r0.g0",
        3,
        "line1.st1.1764000000000.000007.r0.g0.open.1764000000000",
        "/line1/route",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "closed": OnTheWire(
        "line1.reinspections",
        "line1.st1.1764000000000.000007.r0.g0",
        3,
        "line1.st1.1764000000000.000007.r0.g0.close.1764000000000",
        "/line1/route",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "state": OnTheWire(
        "line1.route-state",
        "line1.st1.1764000000000.000007",
        3,
        "line1.st1.1764000000000.000007.s1764000000000",
        "/line1/route",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type revisedfrom",
    ),
    "camera": OnTheWire(
        "line1.route-state",
        "camera:line1:cam1",
        3,
        "cam1.1.21.s1764000000000",
        "/line1/route",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "recipe": OnTheWire(
        "line1.recipes",
        "bracket@3@65eb510c31e5dff31e88ed9159e986970f1aef8ec9192ef4fc04cdc3ae3104e2",
        None,
        "bracket@3@65eb510c31e5dff31e88ed9159e986970f1aef8ec9192ef4fc04cdc3ae3104e2.1763913600000",
        "/linewarden/cli",
        "2025-11-23T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "activation": OnTheWire(
        "line1.activations",
        "line1",
        None,
        "line1.1764000000000",
        "/linewarden/cli",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "line state": OnTheWire(
        "line1.line-state",
        "line1",
        None,
        "line1.1763999940000",
        "/linewarden/cli",
        "2025-11-24T15:59:00Z",
        "specversion id source type time content-type",
    ),
    "escape": OnTheWire(
        "line1.escapes",
        "SN-000123",
        None,
        "e-c185c6ea3d9c2108f42c9928d0499a11.1764950400000",
        "/linewarden/cli",
        "2025-12-05T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "dead letter": OnTheWire(
        "line1.dead-letters",
        "line1.frames-2-9",
        None,
        "line1.frames-2-9",
        "/line1/inspect",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "head": OnTheWire(
        "line1.chain-heads",
        "line1.dispositions",
        0,
        "line1.dispositions.3.4800",
        "/line1/notary",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "balance": OnTheWire(
        "line1.balances",
        "line1",
        0,
        "line1.4",
        "/line1/audit",
        "2025-11-24T16:01:00Z",
        "specversion id source type time content-type",
    ),
    "decision": OnTheWire(
        "line1.decisions",
        "line1.st1.1764000000000.000007",
        10,
        "d-b1882c0cf9eb0f0baf4fa76c04607160",
        "/line1/station",
        "2025-11-24T16:00:29.500000Z",
        "specversion id source type time content-type",
    ),
    "claimed": OnTheWire(
        "line1.queue-events",
        "line1.st1.1764000000000.000007.r0.g0",
        None,
        "line1.st1.1764000000000.000007.r0.g0.claimed.1764000000000",
        "/line1/station",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
    "expired": OnTheWire(
        "line1.queue-events",
        "line1.st1.1764000000000.000007.r0.g0",
        None,
        "line1.st1.1764000000000.000007.r0.g0.expired.7-0",
        "/line1/station",
        "2025-11-24T16:00:00Z",
        "specversion id source type time content-type",
    ),
}


def test_every_writer_writes_what_it_always_wrote() -> None:
    assert {name: _told(record) for name, record in _written()} == WRITTEN
