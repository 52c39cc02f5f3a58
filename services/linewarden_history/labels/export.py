"""From the topics to a folder of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from linewarden_history.labels.choosing import FrameLabel, JudgedVisit, LeftOut, label_visit
from linewarden_history.labels.folder import LabelFolder
from linewarden_history.reading import Looked
from linewarden_history.reports.gather import messages
from linewarden_history.reports.story import tell
from linewarden_history.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_schemas.base import Message
from linewarden_schemas.decision import Decision
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Evidence, Inspection


def export_labels(
    broker: Broker,
    namespace: Namespace,
    selection: Selection,
    folder: Path,
    *,
    simulated: bool = False,
    is_chosen: Callable[[str], bool] = lambda _visit: True,
    looked: Looked = lambda *_: None,
) -> dict[str, Any]:
    """Write the labels of all visits first captured in the selection and chosen by their id; returns the manifest.

    Undone, overruled and pending decisions, seeded known-bads and, unless asked for, simulated visits are left out and
    counted. Raises ConfigurationError for a folder that holds anything, and BrokerUnavailable.
    """
    unreadable: list[str] = []

    def read(name: str, from_ms: int = selection.from_ms) -> Iterator[Message]:
        return messages(broker, namespace.topic(name), from_ms, unreadable.append, looked)

    labels: list[FrameLabel] = []
    left: Counter[LeftOut] = Counter()
    for told in _judged(read, selection):
        if not is_chosen(told.latest.visit_id):
            continue
        found, without = label_visit(told, simulated=simulated)
        labels += found
        left += without
    out = LabelFolder.make(folder, labels, left)
    for message in read("evidence", 0):  # of several pieces of evidence of a frame the last counts
        if isinstance(message, Evidence) and message.frame_id in out.labels:
            out.take(message)
    inspections: dict[str, Inspection] = {}
    for message in read("inspections"):
        if isinstance(message, Inspection) and message.frame_id in out.labels:
            inspections.setdefault(message.frame_id, message)
    about = {
        "namespace": namespace.name,
        "from_ms": selection.from_ms,
        "to_ms": selection.to_ms,
        "line_id": selection.line_id,
        "selection": selection.words(),
        "unreadable": unreadable,
    }
    return out.finish(inspections, about)


def _judged(read: Callable[[str], Iterable[Message]], selection: Selection) -> list[JudgedVisit]:
    """Visits first captured in the selection, in order of capture, with what counted of their decisions."""
    found: dict[str, list[Message]] = {}
    for message in read("dispositions"):
        if isinstance(message, Disposition) and selection.holds(message.line_id, message.first_captured_ms):
            found.setdefault(message.visit_id, []).append(message)
    for message in read("decisions"):
        if isinstance(message, Decision) and message.visit_id in found:
            found[message.visit_id].append(message)
    visits = [tell(visit_id, told) for visit_id, told in found.items()]
    judged = [JudgedVisit(one.first or one.latest, one.latest, tuple(one.counted)) for one in visits if one.latest]
    return sorted(judged, key=lambda one: (one.latest.first_captured_ms, one.latest.visit_id))
