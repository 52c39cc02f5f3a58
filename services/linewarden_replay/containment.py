"""The containment list: parts that passed as trusted, and that would not pass today."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from linewarden_domain.routing import routing_of, worst
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.vocabulary import Routing

from .compare import Answer


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


def contained(first: Disposition, now: Mapping[str, Answer]) -> Contained | None:
    """The entry of a visit with a view that is not a trusted OK now; None for one that passes, or never did.

    ``first`` is its first disposition, ``now`` the answers of today by frame.
    """
    doubted = {frame: one for frame, one in now.items() if not one.is_trusted_ok}
    return _contained(first, doubted) if doubted and first.routing is Routing.TRUSTED_PASS else None


def in_order(found: Iterable[Contained]) -> tuple[Contained, ...]:
    """The list, by lot, part and time of capture."""
    return tuple(sorted(found, key=lambda one: (one.lot_id or "", one.part_id or "", one.captured_ms, one.visit_id)))


def _contained(then: Disposition, doubted: Mapping[str, Answer]) -> Contained:
    return Contained(
        lot_id=then.lot_id,
        part_id=then.part_id,
        product_id=then.product_id,
        visit_id=then.visit_id,
        line_id=then.line_id,
        captured_ms=then.first_captured_ms,
        would_be=worst(routing_of(one.verdict, is_trusted=False) for one in doubted.values()),
        views=tuple(sorted(doubted)),
    )


def write_csv(path: Path, contained: Sequence[Contained]) -> None:
    """Write one line a visit; `captured_at` is ISO 8601 in UTC."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, [*(field.name for field in fields(Contained)), "captured_at"])
        rows.writeheader()
        for one in contained:
            at = datetime.fromtimestamp(one.captured_ms / 1000, UTC).isoformat(timespec="milliseconds")
            told = {"would_be": one.would_be.value, "views": " ".join(one.views), "captured_at": at}
            rows.writerow(asdict(one) | told)
