"""Reads the topics on from where the index stands, outside any group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from linewarden_history.index.facts import TOPICS, Statement, statements_of
from linewarden_history.index.store import StoryIndex
from linewarden_history.reading import SLACK_MS, Looked
from linewarden_runtime.books import positions_of
from linewarden_runtime.errors import BrokerUnavailable
from linewarden_runtime.ports import Broker, Reader
from linewarden_runtime.records import Position
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace

_POLL_S = 0.5
_BATCH = 2_000


def catch_up(
    broker: Broker,
    live: Namespace,
    index: StoryIndex,
    *,
    from_ms: int = 0,
    progress: Looked = lambda _name, _count: None,
) -> None:
    """Take in everything up to the end as it is now; the first time from what may have been captured at `from_ms` on.

    `progress` hears how many records of a topic were read since it was called last.

    Records that cannot be read are counted in `places`, and left to their dead letters. Interrupted, it goes on where
    it stopped.

    Raises:
        IndexUnusable: where a topic was made anew since.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    for name in TOPICS:
        topic = live.topic(name)
        places = positions_of(broker, topic)
        with broker.admin() as admin:
            topic_id = admin.topic_id(topic)
        with broker.reader(dict.fromkeys(places, 0), max_records=_BATCH) as reader:
            _start(reader, index, topic, topic_id, from_ms)
            _follow(reader, index, name, lambda count, topic=name: progress(topic, count))  # type: ignore[misc]


def _start(reader: Reader, index: StoryIndex, topic: str, topic_id: str, from_ms: int) -> None:
    places = reader.assignment()
    beginnings, ends = reader.beginning_offsets(places), reader.end_offsets(places)
    since_ms = max(0, from_ms - SLACK_MS)
    firsts = reader.offsets_for_times(dict.fromkeys(places, since_ms)) if from_ms else dict(beginnings)
    fresh = {place: ends[place] if (first := firsts.get(place)) is None else first for place in places}
    for position, offset in index.start(topic, topic_id, beginnings, fresh).items():
        reader.seek(position, offset)


def _follow(reader: Reader, index: StoryIndex, logical: str, progress: Callable[[int], None]) -> None:
    ends = reader.end_offsets(reader.assignment())
    idle = 0
    while any(reader.position(position) < end for position, end in ends.items()):
        records = reader.poll(_POLL_S, _BATCH)
        idle = 0 if records else idle + 1
        if idle > 60:
            raise BrokerUnavailable(f"no records for {idle * _POLL_S:.0f} s before the end of {logical}")
        statements: list[Statement] = []
        unreadable: Counter[Position] = Counter()
        for record in records:
            if record.value is None:
                continue  # a tombstone says only that the topic forgets; the index keeps
            try:
                statements += statements_of(record, logical, decode(record.headers, record.value).message)
            except EnvelopeError:
                unreadable[record.position] += 1
        index.take(statements, {position: reader.position(position) for position in ends}, unreadable)
        progress(len(records))
