"""From answers to the records that are published, explicit partitions included."""

from __future__ import annotations

from linewarden_inspect import metrics
from linewarden_runtime.events import event_record
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_runtime.sizes import fits
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection, SourceRef

SERVICE = "inspect"


class InspectionWriter:
    """Inspections of one namespace, whose visit-keyed topics have `partitions` partitions."""

    def __init__(self, namespace: Namespace, partitions: int) -> None:
        self._topic = namespace.topic("inspections")
        self._source = namespace.source(SERVICE)
        self._partitions = partitions

    def inspection(self, inspection: Inspection, traceparent: str | None = None) -> OutRecord:
        """An inspection in its visit's partition; the same frame always gives the same event id.

        Maps that do not fit into the topic are left out: the verdict counts, and the keeper can compute them again.
        """
        record = self._record(inspection, traceparent)
        if inspection.maps is None or fits(record):
            return record
        metrics.MAPS_LEFT_OUT.labels("inspections").inc()
        return self._record(inspection.model_copy(update={"maps": None}), traceparent)

    def _record(self, inspection: Inspection, traceparent: str | None) -> OutRecord:
        return event_record(
            self._topic,
            inspection.visit_id,
            inspection,
            id=inspection.frame_id,
            source=self._source,
            time_ms=inspection.inspected_ms,
            partition=partition_of(inspection.visit_id, self._partitions),
            traceparent=traceparent,
        )


def source_of(record: InRecord) -> SourceRef:
    """Topic, partition and offset of a record, as an inspection carries them of its frame."""
    return SourceRef(topic=record.topic, partition=record.partition, offset=record.offset)
