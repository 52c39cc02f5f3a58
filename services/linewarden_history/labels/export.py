"""From the topics to a folder of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linewarden_history.selection import Selection
from linewarden_runtime.ports import Broker
from linewarden_schemas.ids import Namespace

from .choosing import FrameLabel, LeftOut, label_visit
from .folder import LabelFolder
from .reading import Looked, read_evidence, read_inspections, read_told


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
    labels: list[FrameLabel] = []
    unreadable: list[str] = []
    left: Counter[LeftOut] = Counter()
    for told in read_told(broker, namespace, selection, looked, unreadable):
        if not is_chosen(told.latest.visit_id):
            continue
        found, without = label_visit(told, simulated=simulated)
        labels += found
        left += without
    out = LabelFolder.make(folder, labels, left)
    for evidence in read_evidence(broker, namespace, out.labels.keys(), looked, unreadable):
        out.take(evidence)
    inspections = read_inspections(broker, namespace, selection, out.labels.keys(), looked, unreadable)
    about = {
        "namespace": namespace.name,
        "from_ms": selection.from_ms,
        "to_ms": selection.to_ms,
        "line_id": selection.line_id,
        "selection": selection.words(),
        "unreadable": unreadable,
    }
    return out.finish(inspections, about)
