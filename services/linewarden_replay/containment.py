"""How the views of a visit route it, then and now; and the containment list: trusted passes that would not pass today.

What a re-run cannot try again stays as it was: a deadline, a lost picture, a part that came back. The coins that draw
passes for audit and rejects for review are not part of the comparison: they say nothing of the part.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from linewarden_domain.routing import routing_of, worst
from linewarden_history.reports.rendering import render
from linewarden_replay.compare import FrameAnswer
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Cause, Routing


def routing_then(first: Disposition) -> Routing | None:
    """What the evidence said, before a coin or a known-bad withheld the visit; None where it cannot be told."""
    if Cause.KNOWN_BAD in first.causes:
        return None
    if Cause.REJECT_REVIEW in first.causes:
        return Routing.REJECTED
    return Routing.TRUSTED_PASS if first.causes == (Cause.AUDIT,) else first.routing


def routing_now(first: Disposition, views: Iterable[FrameAnswer]) -> Routing:
    """The routing by the answers of today; the worst view counts."""
    found = [routing_of(one.verdict, is_trusted=one.is_trusted_ok) for one in views]
    if {Cause.LATE, Cause.FAULT} & set(first.causes) or not found:
        found.append(Routing.DIVERTED)
    return worst(found)


@dataclass(frozen=True, slots=True)
class Contained:
    """A visit to be found and looked at: where its part is known to be from, and what would become of it now."""

    lot_id: str | None
    part_id: str | None
    product_id: str | None
    visit_id: str
    line_id: str
    captured_ms: int
    would_be: Routing
    views: tuple[str, ...]
    """The frames that say so now."""


def contained(first: Disposition, now: Mapping[str, FrameAnswer]) -> Contained | None:
    """The entry of a visit with a view that is not a trusted OK now; None for one that passes, or never did.

    ``first`` is its first disposition, ``now`` the answers of today by frame.
    """
    doubted = {frame: one for frame, one in now.items() if not one.is_trusted_ok}
    if not doubted or first.routing is not Routing.TRUSTED_PASS:
        return None
    return Contained(
        lot_id=first.lot_id,
        part_id=first.part_id,
        product_id=first.product_id,
        visit_id=first.visit_id,
        line_id=first.line_id,
        captured_ms=first.first_captured_ms,
        would_be=worst(routing_of(one.verdict, is_trusted=False) for one in doubted.values()),
        views=tuple(sorted(doubted)),
    )


def in_order(found: Iterable[Contained]) -> tuple[Contained, ...]:
    """The list, by lot, part and time of capture."""
    return tuple(sorted(found, key=lambda one: (one.lot_id or "", one.part_id or "", one.captured_ms, one.visit_id)))


def write_csv(path: Path, contained: Sequence[Contained]) -> None:
    """Write one line a visit; `captured_at` is ISO 8601 in UTC."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, [*(field.name for field in fields(Contained)), "captured_at"])
        rows.writeheader()
        for one in contained:
            at = datetime.fromtimestamp(one.captured_ms / 1000, UTC).isoformat(timespec="milliseconds")
            told = {"would_be": one.would_be.value, "views": " ".join(one.views), "captured_at": at}
            rows.writerow(asdict(one) | told)


def containment_page(report: Mapping[str, Any], pictures: Mapping[str, tuple[str, str]]) -> str:
    """The list as one self-contained page, by lot and serial, with pictures.

    `report` is `ReplayReport.as_dict`; `pictures` by frame: as captured, and with the mask, as data.
    """
    parts = []
    for one in report["containment"]:
        shots = []
        for frame in one["views"]:
            plain, marked = pictures.get(frame, ("", ""))
            captions = (("as captured", plain), ("the mask of today", marked))
            shots.append({"frame_id": frame, "pictures": [[caption, uri] for caption, uri in captions if uri]})
        parts.append(one | {"shots": shots})
    lots = [{"lot_id": lot, "parts": list(group)} for lot, group in groupby(parts, key=lambda one: one["lot_id"])]
    return render("containment.html.j2", {**report, "differences": [], "containment": parts, "lots": lots})
