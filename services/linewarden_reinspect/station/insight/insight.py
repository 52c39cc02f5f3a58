"""Everything that the auditor's, lead's and engineer's routes, and the pages of the line, work with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from linewarden_reinspect.evidence.fetch import PlacedRecords
from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.insight.drafts import Drafts
from linewarden_reinspect.station.insight.follow import TopicFollower
from linewarden_reinspect.station.insight.index import HistoryIndex
from linewarden_reinspect.station.insight.recent import RecentVisits
from linewarden_reinspect.station.insight.releases import Releases
from linewarden_reinspect.station.insight.reports import ShiftReports
from linewarden_reinspect.station.line.model import LineModel
from linewarden_reinspect.station.line_desk import LineDesk
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker, Reader
from linewarden_schemas.ids import Namespace


@dataclass(frozen=True, slots=True)
class Insight:
    """`key` makes pseudonyms of this process: they hold until the station is started again."""

    index: HistoryIndex
    recent: RecentVisits
    line: LineModel
    records: PlacedRecords
    follower: TopicFollower
    drafts: Drafts
    releases: Releases
    acts: LineDesk
    reports: ShiftReports
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def is_told(self, visit_id: str) -> bool:
        """Whether what the machine thinks of a visit may be told to people who review: no slot of it is open or coming.

        A visit that was inspected and not routed yet may come to them.
        """
        with self.line.lock:
            seen = self.line.parts.find(visit_id)
            known = seen is None or seen.is_told
        return known and not self.index.is_open(visit_id)


@contextmanager
def opened_insight(
    broker: Broker, namespace: Namespace, book: StationBook, clock: Clock, *, folder: Path | None
) -> Iterator[Insight]:
    """Insight over an index in `folder`, in memory where it is None; nothing follows the topics yet."""
    index, recent, line = HistoryIndex(folder), RecentVisits(), LineModel()

    def reader() -> Reader:
        places = [one for name in ("frames", "inspections") for one in positions_of(broker, namespace.topic(name))]
        return broker.reader(dict.fromkeys(places, 0), max_records=1)

    records = PlacedRecords(reader)
    try:
        yield Insight(
            index=index,
            recent=recent,
            line=line,
            records=records,
            follower=TopicFollower(broker, namespace, index, recent, line, clock),
            drafts=Drafts(book, clock),
            releases=Releases(broker, namespace, clock),
            acts=LineDesk(broker, namespace, clock),
            reports=ShiftReports(broker, namespace, clock),
        )
    finally:
        records.close()
        index.close()
