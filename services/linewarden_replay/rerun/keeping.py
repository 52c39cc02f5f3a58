"""What was judged goes into the simulation's own topic, and then into the results file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from linewarden_history.reports.pictures import shown
from linewarden_replay.rerun.judge import JudgedFrame
from linewarden_replay.rerun.results import Results
from linewarden_runtime.events import event_record
from linewarden_runtime.guard import IsolatedProducer, require_isolated
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_runtime.records import OutRecord
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.topics import CATALOGUE


class Keeping:
    """Keeps batches: acknowledged by the broker first, so that what the file has is in the topic too."""

    def __init__(self, producer: IsolatedProducer, own: Namespace, partitions: int, results: Results) -> None:
        self._producer, self._own, self._partitions = producer, own, partitions
        self._results, self._pictures = results, results.pictures()

    def keep(self, batch: Sequence[JudgedFrame]) -> None:
        """Publish and keep a batch; raises DeliveryFailed."""
        for delivery in [self._producer.send(self._record(one.inspection)) for one in batch]:
            delivery.result(30.0)
        pictures = [found for one in batch if (found := self._picture(one)) is not None]
        self._results.enter(batch, pictures)

    def _picture(self, one: JudgedFrame) -> tuple[str, str, str] | None:
        then = one.recorded.then
        if then is None or not then.is_trusted_ok or one.now.is_trusted_ok:
            return None
        if self._pictures >= 400:  # further ones are listed without a picture
            return None
        maps = one.inspection.maps
        found = shown(one.recorded.frame.picture, maps.mask_png if maps else None)
        if found is None:
            return None
        self._pictures += 1
        return one.inspection.frame_id, found[0], found[1] or ""

    def _record(self, inspection: Inspection) -> OutRecord:
        return event_record(
            self._own.topic("inspections"),
            inspection.visit_id,
            inspection,
            id=inspection.frame_id,
            source=self._own.source("replay"),
            time_ms=inspection.inspected_ms,
            partition=partition_of(inspection.visit_id, self._partitions),
        )


@contextmanager
def keeping(broker: Broker, live: Namespace, own: Namespace, results: Results) -> Iterator[Keeping]:
    """Keep what is judged of a live namespace in an own one, whose topic has as many partitions as the live one.

    Raises:
        LiveTopicRefused: where the own namespace is no simulation's.
    """
    require_isolated(own)
    with broker.admin() as admin:
        partitions = admin.describe(live.topic("inspections")).partitions
        topic = CATALOGUE["inspections"]
        admin.create_topics([TopicSpec(own.topic(topic.name), partitions, topic.config())])
    with IsolatedProducer(broker.producer(client="replay"), own) as producer:
        yield Keeping(producer, own, partitions, results)
