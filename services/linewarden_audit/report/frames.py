"""Pictures of some frames from where their inspections say that they lie, while `frames` still holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from linewarden_history.reading import records_between
from linewarden_history.reports.story import Story
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.envelope import EnvelopeError, Frame, decode_frame
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Evidence, Inspection


class Sought:
    """Frames whose pictures are wanted; of each the first inspection is kept while visits go by."""

    def __init__(self, frame_ids: Iterable[str]) -> None:
        self._wanted = set(frame_ids)
        self._found: dict[str, Inspection] = {}

    def add(self, story: Story) -> None:
        """Hear of a visit."""
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
    meta = frame.meta
    return Evidence(
        frame_id=meta.frame_id,
        visit_id=meta.visit_id,
        view_id=meta.view_id,
        picture=frame.picture,
        content_type=meta.content_type,
        sha256=meta.sha256,
        maps=one.maps,
        kept_ms=meta.captured_ms,
    )
