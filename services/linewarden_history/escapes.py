"""Escapes reported from the field: as records, and joined to the visits that let them go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from linewarden_domain import tables
from linewarden_domain.times import end_of
from linewarden_runtime.events import event_record
from linewarden_runtime.records import OutRecord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.escape import Escape
from linewarden_schemas.ids import Namespace, escape_id

NEEDED = ("serial", "defect", "found_at", "when")
MAY = ("visit", "reference", "comment", "by")
_DAY_MS = 86_400_000


def let_go_by(escape: Escape, visits: Mapping[str, int]) -> str | None:
    """The visit that let the part go: the one that the report names, else the last one captured before the finding.

    `visits`: those of the part, each with the time of its capture (epoch ms). None where no visit fits.
    """
    if escape.visit_id is not None:
        return escape.visit_id
    before = [(at_ms, visit) for visit, at_ms in visits.items() if at_ms <= escape.found_ms]
    return max(before)[1] if before else None


class EscapeBook:
    """Escapes by part, and the visits of those parts as they come by; both may be learnt in any order of topics.

    Memory grows with what was reported, never with what was made.
    """

    def __init__(self, told: Iterable[Message]) -> None:
        self._escapes = newest(told)
        self._wanted = {one.part_id for one in self._escapes}
        self._visits: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def learn(self, message: Message) -> None:
        """Hear of a visit; what is no capture and no disposition of a reported part is passed over."""
        match message:
            case Capture(part_id=str(part)) if part in self._wanted:
                self._visits[part].setdefault(message.visit_id, message.captured_ms)
            case Disposition(part_id=str(part)) if part in self._wanted:
                self._visits[part].setdefault(message.visit_id, message.first_captured_ms)
            case _:
                pass

    def matched(self) -> Iterator[tuple[str | None, Escape]]:
        """Every escape that stands, with the visit that let it go as far as the visits that were heard of tell."""
        for one in self._escapes:
            yield let_go_by(one, self._visits[one.part_id]), one


def newest(told: Iterable[Message]) -> list[Escape]:
    """The newest record of every escape, in the order of the finding; withdrawn ones are left out."""
    found = {one.escape_id: one for one in told if isinstance(one, Escape)}
    return sorted((one for one in found.values() if not one.withdrawn), key=lambda one: (one.found_ms, one.escape_id))


def escape_of(row: Mapping[str, str | None], by: str | None, now_ms: int) -> Escape:
    """One report; `row` has the words of `NEEDED` and may have those of `MAY`. `by` reports where no row says who.

    Raises:
        ValueError: for a word that is missing or does not fit, and for a finding that lies in the future.
    """
    told = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str)}
    missing = [name for name in NEEDED if not told.get(name)]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    who = told.get("by") or by
    if who is None:
        raise ValueError("nobody reports it: fill in by, or give --by")
    try:
        at_ms = end_of(told["when"], now_ms)
        if at_ms >= now_ms + _DAY_MS:
            raise ValueError(f"{told['when']} lies in the future")
        return Escape(
            escape_id=escape_id(told["serial"], at_ms, told["defect"]),
            part_id=told["serial"],
            defect_class=told["defect"],
            found_at=told["found_at"],
            found_ms=at_ms,
            reported_by=who,
            reported_ms=now_ms,
            visit_id=told.get("visit") or None,
            reference=told.get("reference") or None,
            comment=told.get("comment") or None,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}") from error


def read_table(path: Path, by: str | None, now_ms: int) -> list[Escape]:
    """Reports of a CSV with the columns `NEEDED` and perhaps `MAY`.

    Raises:
        ValueError: naming every line that is wrong; then none of the table is to be reported.
    """
    table = tables.read_table(path, dict.fromkeys((*NEEDED, *MAY), ()))
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; it may have {', '.join(MAY)}")
    found: list[Escape] = []
    wrong: list[str] = []
    for row in table.rows:
        try:
            found.append(escape_of(row.cells, by, now_ms))
        except ValueError as error:
            wrong.append(f"line {row.line}: {error}")
    if wrong:
        raise ValueError(f"{path}: nothing was reported. " + "; ".join(wrong))
    return found


def escape_record(namespace: Namespace, escape: Escape, source: str) -> OutRecord:
    """The record of a report, keyed by serial."""
    name = f"{escape.escape_id}.{escape.reported_ms}"
    topic = namespace.topic("escapes")
    return event_record(topic, escape.part_id, escape, id=name, source=source, time_ms=escape.reported_ms)
