"""What the live line answers, routes and runs, followed by assign() while a shadow runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Self

from linewarden_history.selection import Selection
from linewarden_replay.rerun.results import Results
from linewarden_runtime.books import LineBook, RecipeBook, positions_of, read_to_end
from linewarden_runtime.ports import Broker
from linewarden_runtime.records import InRecord, Position
from linewarden_schemas.base import Message
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.envelope import EnvelopeError, decode
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.recipe import Recipe

_AT_ONCE = 256


class LiveAnswers:
    """Keeps live inspections and first routings in the results.

    A partition is read from the append time of the first frame that the group reads of it: inspections and dispositions
    lie in their visit's partition, as frames do, and were appended later than what they answer. A shadow that goes on
    reads on where it stopped: what it inspected before may have been routed in between.
    """

    def __init__(self, broker: Broker, live: Namespace, selection: Selection, results: Results) -> None:
        self._topics = [live.topic(name) for name in ("inspections", "dispositions")]
        self._selection, self._results = selection, results
        self._begun: set[int] = set()
        self.unreadable = 0
        places = [place for topic in self._topics for place in positions_of(broker, topic)]
        self._reader = broker.reader(dict.fromkeys(places, 0), max_records=_AT_ONCE)
        followed = results.followed
        for place, end in self._reader.end_offsets(places).items():
            at = followed.get(place, end + 1)
            if at <= end:  # a topic that was made anew is shorter
                self._begun.add(place.partition)
            self._reader.seek(place, min(at, end))

    def begin(self, partition: int, from_ms: int) -> None:
        """Read a partition from a time on (epoch ms), unless it is read already."""
        if partition in self._begun:
            return
        self._begun.add(partition)
        places = [Position(topic, partition) for topic in self._topics]
        for place, first in self._reader.offsets_for_times(dict.fromkeys(places, from_ms)).items():
            if first is not None:
                self._reader.seek(place, first)
        self._results.follow({place: self._reader.position(place) for place in places})

    def refresh(self) -> set[str]:
        """Learn everything up to the end as it is now; visits whose first routing is among it."""
        routed: set[str] = set()
        records = read_to_end(self._reader)
        while chunk := list(islice(records, _AT_ONCE)):
            routed |= self._learn(list(self._messages(chunk)))
            begun = [record for record in chunk if record.position.partition in self._begun]
            self._results.follow({record.position: record.offset + 1 for record in begun})
        return routed

    def _learn(self, messages: Sequence[Message]) -> set[str]:
        holds = self._selection.holds
        self._results.record(
            one for one in messages if isinstance(one, Inspection) and holds(one.line_id, one.captured_ms)
        )
        first = [
            one
            for one in messages
            if isinstance(one, Disposition) and one.revision == 0 and holds(one.line_id, one.first_captured_ms)
        ]
        self._results.route(first)
        return {one.visit_id for one in first}

    def _messages(self, records: Sequence[InRecord]) -> Iterator[Message]:
        for record in records:
            try:
                yield decode(record.headers, record.value or b"").message
            except EnvelopeError:
                self.unreadable += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()


class Books:
    """What a shadow has to know of the line; `recipes` changes in place, with keys as `KnownRecipes.by_key` gives."""

    def __init__(self, broker: Broker, live: Namespace) -> None:
        self.recipes: dict[str, Recipe] = {}
        self._book = RecipeBook(broker, live)
        self.lines = LineBook(broker, live)

    def refresh(self) -> None:
        """Learn what recipes there are, and what is active now."""
        self._book.refresh()
        self.recipes.clear()
        self.recipes.update(self._book.all.by_key())
        self.lines.refresh()

    def close(self) -> None:
        """Close the readers of both topics."""
        self._book.close()
        self.lines.close()
