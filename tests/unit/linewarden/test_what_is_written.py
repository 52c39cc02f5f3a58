"""What each writer puts on the wire, byte for byte: others read it, and events are told apart by source and id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linewarden_audit.notary.notary import Notary
from linewarden_audit.periods import closing
from linewarden_history.escapes.reporting import escape_record
from linewarden_ingest.captures import Place
from linewarden_ingest.outbound import Outbound
from linewarden_ingest.ticket import Ticket
from linewarden_inspect.keeper.saving import EvidenceSaver
from linewarden_inspect.writing import Writer as InspectWriter
from linewarden_reinspect.queue.types import Happened
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
from linewarden_schemas.escape import Escape
from linewarden_schemas.ids import Namespace
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
    """Topic, key, partition, id without its digest, source, and a digest of all headers and the value."""

    topic: str
    key: str
    partition: int | None
    id: str
    source: str
    whole: str


def _sample(kind: type[M]) -> M:
    return next(one for one in SAMPLES if isinstance(one, kind))


def _told(record: OutRecord) -> OnTheWire:
    headers = dict(record.headers)
    whole = hashlib.sha256(repr((record.headers, record.value)).encode()).hexdigest()[:12]
    key = (record.key or b"").decode()
    return OnTheWire(
        record.topic, key, record.partition, headers["ce_id"].decode(), headers["ce_source"].decode(), whole
    )


def _station() -> Iterator[tuple[str, OutRecord]]:
    sent: list[OutRecord] = []

    def send(record: OutRecord) -> Any:
        sent.append(record)
        return SimpleNamespace(result=lambda _timeout_s: None, add_done_callback=lambda _done: None)

    producer = SimpleNamespace(send=send, close=lambda: None)
    bus = StationBus(lambda: cast("Any", producer), LINE, 12, ManualClock(AT), 1.0)
    bus.record(_sample(Decision))
    bus.tell("claimed", SLOT, VISIT, "op-1", "low_trust")
    bus.pass_on(Happened("7-0", SLOT, VISIT, "expired", "op-1", AT, ""), lambda _failure: None)
    bus.close()
    yield from zip(("decision", "claimed", "expired"), sent, strict=True)


def _written() -> Iterator[tuple[str, OutRecord]]:
    nothing: Any = None
    clock, key = ManualClock(AT), Ed25519PrivateKey.from_private_bytes(bytes(32))
    inspection, capture = _sample(Inspection), _sample(Capture)
    yield "inspection", InspectWriter(LINE, 12).inspection(inspection, TRACE)
    keeping = Keeping(nothing, Namespace("replay.run1"), 12, cast("Any", SimpleNamespace(pictures=lambda: 0)))
    yield "judged again", keeping._record(inspection)
    saver = EvidenceSaver(LINE, nothing, nothing, nothing, nothing, clock)
    yield "evidence", saver._record(_sample(Evidence))
    outbound = Outbound(LINE, Place("line1", "st1", "cam1", "top"), 1, 12)
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
    yield "balance", closing._record(LINE, _sample(Balance))
    yield from _station()


WRITTEN = {
    "inspection": OnTheWire(
        "line1.inspections",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15.1f4fda34793a5c58",
        "/line1/inspect",
        "a6c50d88328f",
    ),
    "judged again": OnTheWire(
        "replay.run1.inspections",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15.1f4fda34793a5c58",
        "/replay.run1/replay",
        "acefca2d8ecc",
    ),
    "evidence": OnTheWire(
        "line1.evidence",
        "line1.st1.1764000000000.000007.top.1-15",
        None,
        "line1.st1.1764000000000.000007.top.1-15.a659fd5cd55af4dd",
        "/line1/keeper",
        "cb55dffae7b5",
    ),
    "capture": OnTheWire(
        "line1.captures",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15.57cef0271d4d5e2c",
        "/line1/ingest/cam1",
        "af661e64db0c",
    ),
    "lost": OnTheWire(
        "line1.captures",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15.camera_fault.dc53e95eebac7426",
        "/line1/ingest/cam1",
        "9ca1ef753428",
    ),
    "frame": OnTheWire(
        "line1.frames",
        "line1.st1.1764000000000.000007",
        10,
        "line1.st1.1764000000000.000007.top.1-15",
        "/line1/ingest/cam1",
        "368191810d99",
    ),
    "heartbeat": OnTheWire(
        "line1.captures", "cam1", 3, "cam1.1.1764000000000.2cfb046125720fe0", "/line1/ingest/cam1", "8cb4850c585b"
    ),
    "disposition": OnTheWire(
        "line1.dispositions",
        "line1.st1.1764000000000.000007",
        3,
        "line1.st1.1764000000000.000007.d0.ca1c98cb6278d7be",
        "/line1/route",
        "3f948f4f8952",
    ),
    "opened": OnTheWire(
        "line1.reinspections",
        "line1.st1.1764000000000.000007.r0.g0",
        3,
        "line1.st1.1764000000000.000007.r0.g0.open.1764000000000.22c4ded62ce45314",
        "/line1/route",
        "dfee863bf8fb",
    ),
    "closed": OnTheWire(
        "line1.reinspections",
        "line1.st1.1764000000000.000007.r0.g0",
        3,
        "line1.st1.1764000000000.000007.r0.g0.close.1764000000000.3480ebd035c6ccb8",
        "/line1/route",
        "dc77683259e0",
    ),
    "state": OnTheWire(
        "line1.route-state",
        "line1.st1.1764000000000.000007",
        3,
        "line1.st1.1764000000000.000007.s1764000000000.55fa52b4de5b96bd",
        "/line1/route",
        "f1303b05b4f5",
    ),
    "camera": OnTheWire(
        "line1.route-state",
        "camera:line1:cam1",
        3,
        "cam1.1.21.s1764000000000.bddfe3b371434579",
        "/line1/route",
        "747f13a6bf13",
    ),
    "recipe": OnTheWire(
        "line1.recipes",
        "bracket@3@986bcc8fbecd17224e9cba6ef72f510569d3878190671de7082bd56ae6dd3287",
        None,
        "bracket@3@986bcc8fbecd17224e9cba6ef72f510569d3878190671de7082bd56ae6dd3287.1763913600000.d731f42f321c0fcc",
        "/linewarden/cli",
        "77ae45d0e4eb",
    ),
    "activation": OnTheWire(
        "line1.activations", "line1", None, "line1.1764000000000.ba1d390af9f5e439", "/linewarden/cli", "1ad70a5e054d"
    ),
    "line state": OnTheWire(
        "line1.line-state", "line1", None, "line1.1763999940000.de72a7f5bc008bfb", "/linewarden/cli", "e79cc9b12d81"
    ),
    "escape": OnTheWire(
        "line1.escapes",
        "SN-000123",
        None,
        "e-c185c6ea3d9c2108f42c9928d0499a11.1764950400000.58b3c1317cc19a32",
        "/linewarden/cli",
        "f91abd288ada",
    ),
    "dead letter": OnTheWire(
        "line1.dead-letters",
        "line1.frames-2-9",
        None,
        "line1.frames-2-9.f2b68d474d17223c",
        "/line1/inspect",
        "548c592d87ce",
    ),
    "head": OnTheWire(
        "line1.chain-heads",
        "line1.dispositions",
        0,
        "line1.dispositions.3.4800.433ef2fff783e196",
        "/line1/notary",
        "18833d91a864",
    ),
    "balance": OnTheWire("line1.balances", "line1", 0, "line1.4.6b00dd5c475cb7d9", "/line1/audit", "7c21535e61eb"),
    "decision": OnTheWire(
        "line1.decisions",
        "line1.st1.1764000000000.000007",
        10,
        "d-b1882c0cf9eb0f0baf4fa76c04607160.f8e6dbbefe482519",
        "/line1/station",
        "bf1e167a14d2",
    ),
    "claimed": OnTheWire(
        "line1.queue-events",
        "line1.st1.1764000000000.000007.r0.g0",
        None,
        "line1.st1.1764000000000.000007.r0.g0.claimed.1764000000000.9b5bdbb9b2431635",
        "/line1/station",
        "a65c5817218c",
    ),
    "expired": OnTheWire(
        "line1.queue-events",
        "line1.st1.1764000000000.000007.r0.g0",
        None,
        "line1.st1.1764000000000.000007.r0.g0.expired.7-0.bf20e41fa8bab377",
        "/line1/station",
        "d7720ea508d7",
    ),
}


def test_every_writer_writes_what_it_always_wrote() -> None:
    assert {name: _told(record) for name, record in _written()} == WRITTEN
