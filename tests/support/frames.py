"""Frames and recipes as ingest publishes them, around any payload."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.capture import Capture, FrameMetadata
from linewarden_schemas.disposition import SlotFrame, SlotOpen
from linewarden_schemas.envelope import encode, encode_frame
from linewarden_schemas.ids import Namespace, digest, frame_id, slot_id, visit_id
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import LineStateRef, RecipeRef
from linewarden_schemas.recipe import Recipe, ViewSpec
from linewarden_schemas.vocabulary import Cause, LineMode

AT = 1_764_000_000_000
RECIPE = RecipeRef(recipe_id="bracket", version=1)


def picture_bytes(picture: NDArray[Any], kind: str = "png") -> bytes:
    """An encoded picture."""
    done, encoded = cv2.imencode(f".{kind}", picture)
    assert done
    return encoded.tobytes()


def flat(width: int = 32, height: int = 24, kind: str = "png") -> bytes:
    """A small grey gradient."""
    return picture_bytes(np.tile(np.arange(width, dtype=np.uint8) * 5, (height, 1)), kind)


def metadata(payload: bytes, number: int = 0, **changes: Any) -> FrameMetadata:
    """Headers of the only view of visit `number`; `changes` replaces fields."""
    visit = visit_id("line1", "st1", AT + number, number)
    fields: dict[str, Any] = {
        "frame_id": frame_id(visit, "top", 1, number),
        "visit_id": visit,
        "view_id": "top",
        "line_id": "line1",
        "station_id": "st1",
        "camera_id": "cam1",
        "recipe": RECIPE,
        "captured_ms": AT + number,
        "decide_by_ms": AT + number + 10_000,
        "sha256": digest(payload),
        "content_type": "image/jpeg" if payload.startswith(b"\xff\xd8") else "image/png",
    }
    return FrameMetadata(**(fields | changes))


def frame_record(
    namespace: Namespace,
    payload: bytes,
    number: int = 0,
    *,
    partitions: int = 2,
    sent: bytes | None = None,
    **changes: Any,
) -> OutRecord:
    """A frame in its visit's partition; `sent` is what travels instead of the payload that was captured."""
    meta = metadata(payload, number, **changes)
    encoded = encode_frame(meta, payload if sent is None else sent, source="/line1/ingest")
    partition = partition_of(meta.visit_id, partitions)
    return OutRecord(namespace.topic("frames"), meta.visit_id.encode(), encoded.value, encoded.headers, partition)


def capture_record(namespace: Namespace, meta: FrameMetadata, sequence: int, *, partitions: int = 2) -> OutRecord:
    """The capture that belongs to a frame."""
    capture = Capture(
        **{name: getattr(meta, name) for name in _SHARED},
        spool_epoch=1,
        sequence=sequence,
        line_state=LineStateRef(mode=LineMode.PRODUCTION, since_ms=AT),
        sha256=meta.sha256,
    )
    encoded = encode(capture, id=capture.frame_id, source="/line1/ingest", time_ms=capture.captured_ms)
    partition = partition_of(meta.visit_id, partitions)
    return OutRecord(namespace.topic("captures"), meta.visit_id.encode(), encoded.value, encoded.headers, partition)


_SHARED = (
    "visit_id", "frame_id", "view_id", "line_id", "station_id", "camera_id", "captured_ms", "decide_by_ms", "recipe",
)  # fmt: skip


def recipe(bundle_digest: str, version: int = 1, **changes: Any) -> Recipe:
    """A recipe of one view, with the thresholds of its bundle."""
    fields: dict[str, Any] = {
        "recipe_id": RECIPE.recipe_id,
        "version": version,
        "product_id": "bracket",
        "bundle_digest": bundle_digest,
        "views": (ViewSpec(view_id="top", camera_id="cam1"),),
        "created_ms": AT,
        "created_by": "eng-1",
    }
    return Recipe(**(fields | changes))


def received(record: OutRecord, offset: int = 0) -> InRecord:
    """The record as a consumer reads it."""
    return InRecord(record.topic, record.partition or 0, offset, AT, record.key, record.value, record.headers)


def asked(namespace: Namespace, inspection: Inspection, *, partitions: int = 2) -> OutRecord:
    """The opened slot of a visit, about the frame of an inspection."""
    frame = SlotFrame(frame_id=inspection.frame_id, view_id="top", doubtful=True, frame=inspection.source)
    slot = SlotOpen(
        slot_id=slot_id(inspection.visit_id, 0, 0),
        visit_id=inspection.visit_id,
        round=0,
        generation=0,
        causes=(Cause.LOW_TRUST,),
        risk=0.5,
        opened_ms=AT,
        due_ms=AT + 60_000,
        line_id="line1",
        recipe=RECIPE,
        frames=(frame,),
    )
    encoded = encode(slot, id=slot.slot_id, source="/test", time_ms=AT)
    partition = partition_of(slot.visit_id, partitions)
    key = slot.slot_id.encode()
    return OutRecord(namespace.topic("reinspections"), key, encoded.value, encoded.headers, partition)
