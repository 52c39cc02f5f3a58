"""A line on the memory broker, told record by record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from linewarden_runtime.clock import ManualClock
from linewarden_runtime.provision import provision_topics
from linewarden_runtime.records import OutRecord
from linewarden_runtime.testing import MemoryBroker
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Maps
from linewarden_schemas.line import LineState, LineStateRef
from linewarden_schemas.vocabulary import Cause, LineMode, Outcome, Routing
from tests.support.shift import AT, capture, disposition, inspection, told
from tests.unit.history.test_labels import decision

NAMESPACE = Namespace("line1")
HOUR = 3_600_000


def line(*given: tuple[str, Message]) -> MemoryBroker:
    """A broker that holds these messages by the names of their topics."""
    broker = MemoryBroker(ManualClock(now_ms=AT))
    with broker.admin() as admin:
        provision_topics(admin, NAMESPACE, 2)
    with broker.producer(client="test") as producer:
        for place, (name, message) in enumerate(given):
            encoded = encode(message, id=f"e{place}", source="/line1/test", time_ms=AT)
            key = getattr(message, "slot_id", None) if name == "reinspections" else getattr(message, "visit_id", None)
            producer.send(
                OutRecord(NAMESPACE.topic(name), (key or "k").encode(), encoded.value, encoded.headers, 0)
            ).result(5)
    return broker


def by_topic(messages: Iterable[Message]) -> list[tuple[str, Message]]:
    """Messages with the topics that they belong to."""
    names = {
        "Capture": "captures",
        "CameraHeartbeat": "captures",
        "Inspection": "inspections",
        "Disposition": "dispositions",
        "Decision": "decisions",
        "LineState": "line-state",
        "SlotOpen": "reinspections",
        "SlotClose": "reinspections",
        "Activation": "activations",
        "Recipe": "recipes",
        "DeadLetter": "dead-letters",
        "Evidence": "evidence",
        "Balance": "balances",
        "Escape": "escapes",
    }
    return [(names[type(one).__name__], one) for one in messages]


def mask(*boxes: tuple[int, int, int, int]) -> bytes:
    """A mask of 40 x 80 with these boxes (x, y, width, height)."""
    plane = np.zeros((40, 80), np.uint8)
    for x, y, width, height in boxes:
        plane[y : y + height, x : x + width] = 255
    done, encoded = cv2.imencode(".png", plane)
    assert done
    return encoded.tobytes()


def maps(*boxes: tuple[int, int, int, int]) -> Maps:
    return Maps(mask_png=mask(*boxes), class_specific_png=b"s", class_agnostic_png=b"a")


def ref(mode: LineMode = LineMode.PRODUCTION, shift: str | None = "A") -> LineStateRef:
    return LineStateRef(mode=mode, since_ms=AT, shift=shift)


def state(mode: LineMode, since: int, shift: str | None = "A", **more: Any) -> LineState:
    fields: dict[str, Any] = {"line_id": "line1", "mode": mode, "since_ms": since, "actor": "anna", "shift": shift}
    return LineState(**(fields | more))


def passes(number: int, **more: Any) -> list[Message]:
    """A visit that passed with trust."""
    return [
        capture(number, line_state=ref(**more)),
        inspection(number),
        disposition(number, Routing.TRUSTED_PASS, line_state=ref(**more)),
    ]


def rejects(number: int, *boxes: tuple[int, int, int, int], **more: Any) -> list[Message]:
    """A visit that the machine rejected, which nobody reviewed."""
    found = inspection(number, p=0.9, maps=maps(*boxes))
    return [
        capture(number, line_state=ref(**more)),
        found,
        disposition(number, Routing.REJECTED, line_state=ref(**more), views=(told(found),)),
    ]


def reviewed(number: int, *causes: Cause, outcome: Outcome, p: float = 0.1, **decided: Any) -> list[Message]:
    """A visit that was withheld and that a person decided."""
    return [
        capture(number, line_state=ref()),
        inspection(number, p=p, suspicion=0.9, maps=maps((1, 1, 2, 2))),
        disposition(number, Routing.DIVERTED, *causes, final=False, line_state=ref()),
        decision(number, **decided),
        disposition(
            number,
            Routing.DIVERTED,
            *causes,
            revision=1,
            outcome=outcome,
            decision_ids=(f"d{number}",),
            line_state=ref(),
        ),
    ]
