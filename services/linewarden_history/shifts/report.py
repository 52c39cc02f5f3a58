"""From the topics to the document of a shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linewarden_history.reports.gather import Looked, Unreadable, gather, messages, tell_visits
from linewarden_history.reports.shelf import Shelf
from linewarden_history.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import LineState

from .document import document
from .periods import newest_shift, periods
from .tally import Scope, ShiftTally


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to report: times in epoch ms. Without `from_ms` the newest run of the shift, else the last day."""

    from_ms: int | None
    to_ms: int
    line_id: str | None
    scope: Scope


_DAY_MS = 86_400_000


def report(broker: Broker, namespace: Namespace, wanted: Wanted, looked: Looked = lambda *_: None) -> dict[str, Any]:
    """Read the namespace by assign() and report; nothing is written.

    Raises:
        ValueError: for a shift that no line state names, or a range that ends before it begins.
        BrokerUnavailable: where the end of a topic cannot be reached.
    """
    unreadable = Unreadable()
    told = messages(broker, namespace.topic("line-state"), 0, unreadable)
    states = [one for one in told if isinstance(one, LineState)]
    stretch = _stretch(wanted, states)
    tally = ShiftTally(wanted.scope)
    with Shelf() as shelf:
        gathered = gather(broker, namespace, stretch, shelf, looked)
        for story in tell_visits(shelf, stretch):
            tally.add(story)
    gathered.unreadable.count += unreadable.count
    gathered.unreadable.places += unreadable.places
    in_range = periods(states, stretch.from_ms, stretch.to_ms, wanted.line_id)
    shown = [one for one in in_range if wanted.scope.shift in {None, one.shift}]
    about = {
        "namespace": namespace.name,
        "from_ms": stretch.from_ms,
        "to_ms": stretch.to_ms,
        "line_id": wanted.line_id,
        "shift": wanted.scope.shift,
        "simulated": wanted.scope.simulated,
    }
    return document(about, tally, shown, gathered)


def _stretch(wanted: Wanted, states: list[LineState]) -> Selection:
    if wanted.from_ms is not None:
        return Selection(wanted.from_ms, wanted.to_ms, wanted.line_id)
    if wanted.scope.shift is None:
        return Selection(max(0, wanted.to_ms - _DAY_MS), wanted.to_ms, wanted.line_id)
    begin, end = newest_shift(states, wanted.scope.shift, wanted.to_ms, wanted.line_id)
    return Selection(begin, end, wanted.line_id)
