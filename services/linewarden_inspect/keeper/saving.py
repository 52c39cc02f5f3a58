"""From the frames of an opened slot to evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Self

from linewarden_inspect import metrics
from linewarden_inspect.keeper.fetching import RecordFetcher, RecordGone
from linewarden_inspect.keeper.kept import KeptEvidence, Remembered
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import BrokerUnavailable, Poison, SlowDown
from linewarden_runtime.events import event_record
from linewarden_runtime.ports import Delivery, Producer
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_runtime.sizes import fits
from linewarden_schemas.disposition import SlotFrame, SlotOpen
from linewarden_schemas.envelope import EnvelopeError, Frame, decode, decode_frame
from linewarden_schemas.ids import Namespace, digest
from linewarden_schemas.inspection import Evidence, Inspection, Maps, SourceRef
from linewarden_vision.pictures.reading import is_wire_format

SERVICE = "keeper"


class RememberingProducer:
    """A producer that remembers what was acknowledged: before that, evidence may have to be written again."""

    def __init__(self, producer: Producer, remembered: Remembered) -> None:
        self._producer, self._remembered = producer, remembered

    def send(self, record: OutRecord) -> Delivery:
        """Send, and remember the record's key once it is acknowledged."""
        delivery = self._producer.send(record)
        frame_id = (record.key or b"").decode()
        delivery.add_done_callback(lambda failure: self._remembered.add(frame_id) if failure is None else None)
        return delivery

    def flush(self, timeout_s: float) -> None:
        """Wait until everything sent is decided, at most `timeout_s`; raises BrokerUnavailable when time is over."""
        self._producer.flush(timeout_s)

    def close(self) -> None:
        """Close the producer underneath; what is remembered stays."""
        self._producer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class EvidenceSaver:
    """Handles records of `reinspections`: every frame of an opened slot becomes evidence, once.

    A slot that is sent again with a frame more costs that frame alone; a frame whose evidence was ended meanwhile is
    saved again. That a picture is missing is never written over evidence that is there. `make_maps` computes maps where
    the inspection has none; it answers None where the picture cannot be judged.
    """

    def __init__(
        self,
        namespace: Namespace,
        fetcher: RecordFetcher,
        remembered: Remembered,
        kept: KeptEvidence,
        make_maps: Callable[[Frame, SourceRef], Maps | None],
        clock: Clock,
    ) -> None:
        self._topic = namespace.topic("evidence")
        self._source = namespace.source(SERVICE)
        self._fetcher, self._remembered, self._kept = fetcher, remembered, kept
        self._make_maps, self._clock = make_maps, clock
        self._is_idle = True

    def handle(self, records: Sequence[InRecord]) -> list[OutRecord]:
        """Evidence of all frames asked for.

        Raises:
            Poison: for a record that is none of ours.
            SlowDown: where the broker does not answer.
        """
        opened = [slot for slot in map(_slot, records) if slot is not None]
        self._tell_lag(opened)
        wanted = {frame.frame_id: (slot, frame) for slot in opened for frame in slot.frames}
        try:
            self._kept.refresh([frame_id for frame_id in wanted if frame_id in self._remembered])
            made = [
                self._make(slot, frame)
                for frame_id, (slot, frame) in wanted.items()
                if frame_id not in self._remembered
            ]
            there = self._kept.among([one.frame_id for one, _ in made if one.picture is None])
        except BrokerUnavailable as error:
            raise SlowDown(1.0, str(error)) from error
        return [record for one, record in made if self._is_saved(one, there)]

    def turned(self) -> None:
        """Say that the loop turned: where nothing was handled since the last time, nothing lags."""
        if self._is_idle:
            metrics.KEEPER_LAG_SECONDS.set(0)
        self._is_idle = True

    @staticmethod
    def _is_saved(evidence: Evidence, there: Collection[str]) -> bool:
        """Whether it is written, and counted: all but what says less than the evidence that is there."""
        kind = "picture and maps" if evidence.maps is not None else "picture"
        if evidence.picture is None:
            kind = "kept" if evidence.frame_id in there else "missing"
        metrics.EVIDENCE.labels(kind).inc()
        return kind != "kept"

    def _tell_lag(self, opened: Sequence[SlotOpen]) -> None:
        self._is_idle = False
        if opened:
            oldest = min(slot.opened_ms for slot in opened)
            metrics.KEEPER_LAG_SECONDS.set(max(0, self._clock.now_ms() - oldest) / 1000)

    def _make(self, slot: SlotOpen, asked: SlotFrame) -> tuple[Evidence, OutRecord]:
        evidence = self._evidence(slot, asked)
        record = self._record(evidence)
        if not fits(record) and evidence.maps is not None:
            metrics.MAPS_LEFT_OUT.labels("evidence").inc()
            evidence = evidence.model_copy(update={"maps": None})
            record = self._record(evidence)
        if not fits(record):
            evidence = evidence.model_copy(update={"picture": None, "missing": "the picture is too large to be kept"})
            record = self._record(evidence)
        return evidence, record

    def _record(self, evidence: Evidence) -> OutRecord:
        name, at_ms = evidence.frame_id, evidence.kept_ms
        return event_record(self._topic, name, evidence, id=name, source=self._source, time_ms=at_ms)

    def _evidence(self, slot: SlotOpen, asked: SlotFrame) -> Evidence:
        inspection = self._inspection(asked.inspection)
        place = asked.frame or (inspection.source if inspection else None)
        frame, missing = self._frame(place)
        if frame is not None and not is_wire_format(frame.picture):
            frame, missing = None, "what was received is no picture"
        maps = inspection.maps if inspection else None
        if frame is not None and place is not None and maps is None:
            maps = self._make_maps(frame, place)
        found = None if frame is None else digest(frame.picture)
        if frame is not None and found != frame.meta.sha256:
            missing = "the picture is not the one that was captured: its digest differs"
        return Evidence(
            frame_id=asked.frame_id,
            visit_id=slot.visit_id,
            view_id=asked.view_id,
            picture=frame.picture if frame else None,
            content_type=frame.meta.content_type if frame else None,
            sha256=found,
            maps=maps,
            missing=missing,
            kept_ms=self._clock.now_ms(),
        )

    def _inspection(self, place: SourceRef | None) -> Inspection | None:
        if place is None:
            return None
        try:
            record = self._fetcher.fetch(place)
            message = decode(record.headers, record.value).message
        except (RecordGone, EnvelopeError):
            return None  # the picture counts; its maps can be computed again
        return message if isinstance(message, Inspection) else None

    def _frame(self, place: SourceRef | None) -> tuple[Frame | None, str | None]:
        if place is None:
            return None, "no picture of this view was received"
        try:
            record = self._fetcher.fetch(place)
            return decode_frame(record.headers, record.value), None
        except RecordGone as gone:
            return None, f"the picture is not there any more: {gone}"
        except EnvelopeError as error:
            return None, f"the frame record cannot be read: {error}"


def _slot(record: InRecord) -> SlotOpen | None:
    if record.value is None:
        return None
    try:
        message = decode(record.headers, record.value).message
    except EnvelopeError as error:
        raise Poison("bad-envelope", str(error), record) from error
    return message if isinstance(message, SlotOpen) else None
