"""Pictures and maps of parts: as the keeper kept them, else as they lie in the topics."""

from __future__ import annotations

from linewarden_reinspect.evidence.cache import RecordCache
from linewarden_reinspect.evidence.fetch import PlacedRecords
from linewarden_reinspect.evidence.store import EvidenceStore
from linewarden_reinspect.station.errors import NothingHeld
from linewarden_reinspect.station.line.parts import SeenView
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import digest
from linewarden_schemas.inspection import Inspection, Maps, SourceRef
from linewarden_vision.pictures.reading import as_shown, is_wire_format

_CACHE_BYTES = 32 << 20


class PartPictures:
    """Used from many threads; a picture is served only where it is the one that was captured."""

    def __init__(self, evidence: EvidenceStore, records: PlacedRecords) -> None:
        self._evidence, self._records = evidence, records
        self._cache = RecordCache(_CACHE_BYTES)

    def picture(self, view: SeenView) -> tuple[bytes, str]:
        """The picture of a view without tags, and its content type. Raises NothingHeld, BrokerUnavailable."""
        kept = self._evidence.get(view.frame_id)
        payload = kept.picture if kept is not None else None
        if payload is None:
            record = self._record(view.frame_id, view.picture_at)
            payload = None if record is None else record.value
        if payload is None or not is_wire_format(payload):
            raise NothingHeld("problem.picture_gone")
        if view.sha256 is not None and digest(payload) != view.sha256:
            raise NothingHeld("problem.picture_other")
        kind = "image/png" if payload.startswith(b"\x89PNG") else "image/jpeg"
        return as_shown(payload), kind

    def layer(self, view: SeenView, layer: str) -> bytes:
        """A map of a view as PNG, 8 bit grey on the bundle's fixed scale. Raises NothingHeld, BrokerUnavailable."""
        kept = self._evidence.get(view.frame_id)
        maps = kept.maps if kept is not None else None
        maps = maps or self._inspected_maps(view)
        found = (
            {}
            if maps is None
            else {"mask": maps.mask_png, "specific": maps.class_specific_png, "agnostic": maps.class_agnostic_png}
        )
        if not found.get(layer):
            raise NothingHeld("problem.no_map")
        return found[layer]

    def _inspected_maps(self, view: SeenView) -> Maps | None:
        record = self._record(f"{view.frame_id} inspection", view.inspected_at)
        if record is None or record.value is None:
            return None
        try:
            message = decode(record.headers, record.value).message
        except EnvelopeError:
            return None  # counted where it was read first
        return message.maps if isinstance(message, Inspection) and message.frame_id == view.frame_id else None

    def _record(self, name: str, at: SourceRef | None) -> InRecord | None:
        if at is None:
            return None
        record = self._cache.get(name) or self._records.fetch(Position(at.topic, at.partition), at.offset)
        if record is not None:
            self._cache.put(name, record)
        return record
