"""Everything that the auditor's, lead's and engineer's routes work with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.insight.drafts import Drafts
from linewarden_reinspect.station.insight.follow import TopicFollower
from linewarden_reinspect.station.insight.index import HistoryIndex
from linewarden_reinspect.station.insight.recent import RecentVisits
from linewarden_reinspect.station.insight.releases import Releases
from linewarden_reinspect.station.line_desk import LineDesk
from linewarden_runtime.clock import Clock
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace


@dataclass(frozen=True, slots=True)
class Insight:
    """`key` makes pseudonyms of this process: they hold until the station is started again."""

    index: HistoryIndex
    recent: RecentVisits
    follower: TopicFollower
    drafts: Drafts
    releases: Releases
    acts: LineDesk
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))


@contextmanager
def opened_insight(
    broker: Broker, namespace: Namespace, book: StationBook, clock: Clock, *, folder: Path | None
) -> Iterator[Insight]:
    """Insight over an index in `folder`, in memory where it is None; nothing follows the topics yet."""
    index, recent = HistoryIndex(folder), RecentVisits()
    try:
        yield Insight(
            index=index,
            recent=recent,
            follower=TopicFollower(broker, namespace, index, recent, clock),
            drafts=Drafts(book, clock),
            releases=Releases(broker, namespace, clock),
            acts=LineDesk(broker, namespace, clock),
        )
    finally:
        index.close()
