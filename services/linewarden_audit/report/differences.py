"""Differences of a stored replay, with the pictures that the keeper or `frames` still hold of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from linewarden_history.reading import records_between
from linewarden_history.reports.pictures import shown
from linewarden_history.reports.story import VisitHistory
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.envelope import EnvelopeError, Frame, decode_frame
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Evidence, Inspection


def read_rerun(path: Path) -> dict[str, Any]:
    """The stored result of `linewarden replay --json`, reduced to what the report shows.

    Raises:
        ValueError: for a file that is no such result.
    """
    kept = ("frame_id", "visit_id", "kind", "recorded", "replayed")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        ordered = sorted(told["differences"], key=_weight)
        return {
            "file": path.name,
            "namespace": told["namespace"],
            "bundle": told["bundle"],
            "frames": told["frames"],
            "by_kind": told["by_kind"],
            "largest_deviation": told["largest_deviation"],
            "differences": sum(told["by_kind"].values()),
            "shown": [{name: one.get(name) for name in kept} | {"pictures": []} for one in ordered[:24]],
            "contained": len(told["containment"]),
            "by_cause": told.get("by_cause", {}),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not the stored result of a replay: {error!r}") from error


def with_pictures(rerun: dict[str, Any], kept: Iterable[Message]) -> dict[str, Any]:
    """Add what the keeper holds of the shown frames; of several pieces of evidence the last counts."""
    wanted = {one["frame_id"]: one for one in rerun["shown"]}
    for message in kept:
        if isinstance(message, Evidence) and message.frame_id in wanted:
            wanted[message.frame_id]["pictures"] = _pictures(message)
    return rerun


def _weight(one: dict[str, Any]) -> tuple[int, str]:
    kind, weightiest = str(one["kind"]), ("verdict", "trust", "not_recorded", "numbers", "maps")
    return (weightiest.index(kind) if kind in weightiest else len(weightiest), str(one["frame_id"]))


def _pictures(evidence: Evidence) -> list[list[str]]:
    """Captions and pictures as data: the picture as captured and, where it was kept, the mask over it."""
    found = shown(evidence.picture, evidence.maps.mask_png if evidence.maps else None)
    if found is None:
        return []
    captions = ("as captured", "the machine's mask then")
    return [[caption, one] for caption, one in zip(captions, found, strict=True) if one is not None]


class SoughtFrames:
    """Frames whose pictures are wanted; of each the first inspection is kept while visits go by."""

    def __init__(self, frame_ids: Iterable[str]) -> None:
        self._wanted = set(frame_ids)
        self._found: dict[str, Inspection] = {}

    def add(self, story: VisitHistory) -> None:
        """Hear of a visit, and keep the first inspection of each frame in it that is wanted."""
        for frame_id in self._wanted & story.inspections.keys():
            self._found.setdefault(frame_id, story.inspections[frame_id])

    def pictures(self, broker: Broker, topic: str) -> Iterator[Evidence]:
        """What `topic` still holds of them, as the keeper would have kept it; a changed picture is passed over."""
        for one in self._found.values():
            if one.source.topic != topic:
                continue
            record = _record_at(broker, Position(topic, one.source.partition), one.source.offset)
            frame = None if record is None else _frame(record)
            if frame is not None and frame.meta.frame_id == one.frame_id and digest(frame.picture) == frame.meta.sha256:
                yield _evidence(one, frame)


def _record_at(broker: Broker, position: Position, offset: int) -> InRecord | None:
    with broker.reader({position: offset}, max_records=1) as reader:
        oldest, end = reader.beginning_offsets([position])[position], reader.end_offsets([position])[position]
        if not oldest <= offset < end:
            return None
        found = records_between(reader, {position: offset + 1})
        return next((record for record in found if record.offset == offset), None)


def _frame(record: InRecord) -> Frame | None:
    try:
        return decode_frame(record.headers, record.value)
    except EnvelopeError:
        return None  # whatever lies there is not the frame that was inspected


def _evidence(one: Inspection, frame: Frame) -> Evidence:
    same = {"frame_id", "visit_id", "view_id", "content_type", "sha256"}
    kept = frame.meta.model_dump(include=same)
    return Evidence(picture=frame.picture, maps=one.maps, kept_ms=frame.meta.captured_ms, **kept)
