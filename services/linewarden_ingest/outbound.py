"""Captures, frames and heartbeats as records, each in its visit's (or camera's) partition."""

from __future__ import annotations

from dataclasses import dataclass

from linewarden_ingest.captures import CameraPlace, InForce
from linewarden_ingest.ticket import Ticket
from linewarden_runtime.events import event_record
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.capture import CameraHeartbeat, Capture, FrameMetadata
from linewarden_schemas.envelope import encode_frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import CameraCondition


@dataclass(frozen=True, slots=True)
class Outbound:
    """Makes the records of one camera. `partitions` is the count that all visit-keyed topics share."""

    namespace: Namespace
    place: CameraPlace
    spool_epoch: int
    partitions: int

    @property
    def source(self) -> str:
        """The writer, as CloudEvents has it."""
        return self.namespace.source(f"ingest/{self.place.camera_id}")

    def capture(self, capture: Capture) -> OutRecord:
        """A capture; one that lost its picture is another event than before, of the same frame id."""
        name = capture.frame_id if capture.lost is None else f"{capture.frame_id}.{capture.lost}"
        return self._record(capture.visit_id, capture, name, capture.captured_ms)

    def frame(self, ticket: Ticket, picture: bytes) -> OutRecord:
        """A frame, the picture untouched.

        Raises:
            ValueError: where the ticket has no content type.
        """
        capture = ticket.capture
        if ticket.content_type is None:
            raise ValueError(f"{capture.frame_id} has no picture")
        meta = FrameMetadata(
            frame_id=capture.frame_id,
            visit_id=capture.visit_id,
            view_id=capture.view_id,
            line_id=capture.line_id,
            station_id=capture.station_id,
            camera_id=capture.camera_id,
            recipe=capture.recipe,
            captured_ms=capture.captured_ms,
            decide_by_ms=capture.decide_by_ms,
            sha256=capture.sha256,  # type: ignore[arg-type]  # the model refuses None
            content_type=ticket.content_type,
            clock_checked=capture.clock_checked,
            is_simulated=capture.is_simulated,
        )
        encoded = encode_frame(meta, picture, source=self.source)
        partition = partition_of(meta.visit_id, self.partitions)
        topic = self.namespace.topic("frames")
        return OutRecord(topic, meta.visit_id.encode(), encoded.value, encoded.headers, partition)

    def heartbeat(
        self,
        last_sequence: int,
        lost_by_cause: dict[str, int],
        at_ms: int,
        clock_error_ms: int | None = None,
        *,
        conditions: tuple[CameraCondition, ...] = (),
        last_read_ms: int | None = None,
        in_force: InForce | None = None,
    ) -> OutRecord:
        """The last sequence given, keyed by camera; `in_force` is what a capture of now would pin."""
        place = self.place
        heartbeat = CameraHeartbeat(
            line_id=place.line_id,
            station_id=place.station_id,
            camera_id=place.camera_id,
            spool_epoch=self.spool_epoch,
            last_sequence=last_sequence,
            at_ms=at_ms,
            lost_by_cause=lost_by_cause,
            clock_error_ms=clock_error_ms,
            conditions=conditions,
            last_read_ms=last_read_ms,
            view_id=place.view_id,
            recipe=in_force.recipe if in_force else None,
            line_state=in_force.line_state if in_force else None,
            signal=in_force.signal if in_force else None,
        )
        name = f"{place.camera_id}.{self.spool_epoch:x}.{at_ms}"
        return self._record(place.camera_id, heartbeat, name, at_ms)

    def _record(self, key: str, message: Capture | CameraHeartbeat, name: str, at_ms: int) -> OutRecord:
        topic, partition = self.namespace.topic("captures"), partition_of(key, self.partitions)
        return event_record(topic, key, message, id=name, source=self.source, time_ms=at_ms, partition=partition)
