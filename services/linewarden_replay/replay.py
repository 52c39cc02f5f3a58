"""Replay: recorded frames, inspected again into a namespace of its own, held against what was said then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from linewarden_runtime.books import RecipeBook
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.ports import Broker, TopicSpec
from linewarden_runtime.records import OutRecord
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode, decode_frame, encode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.topics import CATALOGUE
from linewarden_schemas.vocabulary import Routing

from .compare import SAME_DEVICE_TOLERANCE, Answer, Difference, compare, deviation
from .containment import contain
from .errors import LiveTopicRefused
from .guard import IsolatedProducer
from .inspecting import Bundles, Received, Reinspector
from .reading import records_since
from .report import ReplayReport
from .selection import Selection

_BATCH = 16
_ACK_S = 30.0
Progress = Callable[[int], None]
"""Called with the number of frames done since the last call."""


def run(
    broker: Broker,
    live: Namespace,
    selection: Selection,
    store: Path,
    *,
    run_id: str,
    bundle: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    tolerance: float = SAME_DEVICE_TOLERANCE,
    clock: Clock | None = None,
    is_chosen: Callable[[str], bool] = lambda _visit: True,
    progress: Progress = lambda _done: None,
) -> ReplayReport:
    """Inspect a selection again with each frame's own recipe, or with another `bundle` (a digest in `store`).

    Of the selection those visits whose id `is_chosen`. Reads the live namespace by assign(), commits nothing, and
    writes its inspections to `replay.<run_id>` alone.

    Raises:
        LiveTopicRefused: where `live` is no live namespace, or anything would be written outside the own one.
        BundleError: for an override that is not in the store.
    """
    if live.is_isolated:
        raise LiveTopicRefused(f"{live.name!r} is itself a simulation; replay reads a live namespace")
    own = Namespace(f"replay.{run_id}")
    partitions = _make_topic(broker, live, own)
    recorded = recorded_answers(broker, live, selection)
    bundles = _bundles(store, device, precision, bundle)
    tally = _Tally(recorded, tolerance)
    with closing(RecipeBook(broker, live)) as recipes:
        reinspector = Reinspector(bundles.shelf(recipes), clock or SystemClock())
        with IsolatedProducer(broker.producer(client="replay"), own) as producer:
            for batch in _batches(_frames(broker, live, selection, tally, is_chosen)):
                inspections = reinspector.answer(batch, recorded)
                _write(producer, [_record(own, one, partitions) for one in inspections])
                tally.enter(inspections)
                progress(len(batch))
    return tally.report(own, bundle, _trusted_passes(broker, live, selection))


def _bundles(store: Path, device: str, precision: str, override: str | None) -> Bundles:
    bundles = Bundles(store, device=device, precision=precision, override=override)
    if override is not None:
        bundles.get(override)
    return bundles


def _write(producer: IsolatedProducer, records: list[OutRecord]) -> None:
    for delivery in [producer.send(record) for record in records]:
        delivery.result(_ACK_S)


def recorded_answers(broker: Broker, live: Namespace, selection: Selection) -> dict[str, Answer]:
    """The first recorded inspection of each frame of a selection."""
    found: dict[str, Answer] = {}
    for record in records_since(broker, live.topic("inspections"), selection.from_ms):
        message = decode(record.headers, record.value).message
        if isinstance(message, Inspection) and selection.holds(message.line_id, message.captured_ms):
            found.setdefault(message.frame_id, Answer.of(message))
    return found


class _Tally:
    """Collects what differs; a frame that lies in the log twice counts once."""

    def __init__(self, recorded: dict[str, Answer], tolerance: float) -> None:
        self._recorded, self._tolerance = recorded, tolerance
        self._differences: list[Difference] = []
        self._largest = 0.0
        self._frames: set[str] = set()
        self.unreadable = 0
        self.now: dict[str, dict[str, Answer]] = {}

    def is_new(self, frame_id: str) -> bool:
        """Whether the frame comes for the first time."""
        if frame_id in self._frames:
            return False
        self._frames.add(frame_id)
        return True

    def enter(self, inspections: Iterable[Inspection]) -> None:
        """Compare answers with the record."""
        for inspection in inspections:
            self._enter(inspection)

    def _enter(self, inspection: Inspection) -> None:
        before, after = self._recorded.get(inspection.frame_id), Answer.of(inspection)
        difference = compare(inspection, before, self._tolerance)
        if difference is not None:
            self._differences.append(difference)
        if before is not None and None not in {before.p_defect, after.p_defect}:
            self._largest = max(self._largest, deviation(before, after))
        self.now.setdefault(inspection.visit_id, {})[inspection.frame_id] = after

    def report(self, own: Namespace, bundle: str | None, trusted_passes: Mapping[str, Disposition]) -> ReplayReport:
        """The report, with the passes among the visits that are doubted now."""
        return ReplayReport(
            namespace=own.name,
            bundle=bundle,
            frames=len(self._frames),
            unreadable=self.unreadable,
            differences=tuple(self._differences),
            largest_deviation=self._largest,
            containment=contain(self.now, trusted_passes),
        )


def _make_topic(broker: Broker, live: Namespace, own: Namespace) -> int:
    with broker.admin() as admin:
        partitions = admin.describe(live.topic("inspections")).partitions
        topic = CATALOGUE["inspections"]
        admin.create_topics([TopicSpec(own.topic(topic.name), partitions, topic.config())])
        return partitions


def _frames(
    broker: Broker, live: Namespace, selection: Selection, tally: _Tally, is_chosen: Callable[[str], bool]
) -> Iterator[Received]:
    for record in records_since(broker, live.topic("frames"), selection.from_ms):
        try:
            frame = decode_frame(record.headers, record.value)
        except EnvelopeError:
            tally.unreadable += 1
            continue
        wanted = selection.holds_frame(frame.meta) and is_chosen(frame.meta.visit_id)
        if wanted and tally.is_new(frame.meta.frame_id):
            yield record, frame


def _batches(frames: Iterator[Received]) -> Iterator[list[Received]]:
    while batch := list(islice(frames, _BATCH)):
        yield batch


def _record(own: Namespace, inspection: Inspection, partitions: int) -> OutRecord:
    encoded = encode(inspection, id=inspection.frame_id, source=f"/{own.name}/replay", time_ms=inspection.inspected_ms)
    partition = partition_of(inspection.visit_id, partitions)
    key = inspection.visit_id.encode()
    return OutRecord(own.topic("inspections"), key, encoded.value, encoded.headers, partition)


def _trusted_passes(broker: Broker, live: Namespace, selection: Selection) -> dict[str, Disposition]:
    """The first disposition of every visit that it let pass as trusted."""
    first: dict[str, Disposition] = {}
    for record in records_since(broker, live.topic("dispositions"), selection.from_ms):
        message = decode(record.headers, record.value).message
        if isinstance(message, Disposition) and message.revision == 0:
            first.setdefault(message.visit_id, message)
    return {visit: one for visit, one in first.items() if one.routing is Routing.TRUSTED_PASS}
