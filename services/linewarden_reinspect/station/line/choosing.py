"""Which parts a person asked to see, and what of each they may be told. Pure.

A filter is a question like any other: one about what was found matches no part of which it may not be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from linewarden_reinspect.station.line.feed import shown_view
from linewarden_reinspect.station.line.parts import PartStanding, SeenPart
from linewarden_schemas.vocabulary import Routing

Told = Callable[[SeenPart], bool]
"""Whether whoever asks may be told what is thought of a part."""


@dataclass(frozen=True, slots=True)
class PartFilter:
    """What is asked for; empty words and zero times do not bind. Times are epoch ms, `serial` a serial or visit."""

    standing: str = ""
    line_id: str = ""
    camera: str = ""
    defect_class: str = ""
    zone: str = ""
    cause: str = ""
    serial: str = ""
    shift: str = ""
    from_ms: int = 0
    to_ms: int = 1 << 60

    @property
    def asks_what_was_found(self) -> bool:
        """Whether an answer would tell what is thought of a part."""
        return bool(self.defect_class or self.zone or self.cause)


def chosen(parts: Iterable[SeenPart], wanted: PartFilter, told: Told, before: str, limit: int) -> list[SeenPart]:
    """Parts that fit, in their order, those after a visit where one is named."""
    found: Iterable[SeenPart] = parts if not before else _after(parts, before)
    return list(islice((part for part in found if _fits(part, wanted, told)), limit))


def standing(part: SeenPart, told: Told) -> str:
    """How a part stands, for whoever asks: what was diverted says so once it may be told."""
    if not told(part):
        return PartStanding.COMING.value if part.latest is None else PartStanding.WITHHELD.value
    return part.standing.value


def as_card(part: SeenPart, told: Told) -> dict[str, Any]:
    """What the grid shows of a part."""
    may, view = told(part), shown_view(part)
    return {
        "visit_id": part.visit_id,
        "part_id": part.part_id,
        "line_id": part.line_id,
        "captured_ms": part.captured_ms,
        "standing": standing(part, told),
        "frame_id": None if view is None or view.inspection is None else view.frame_id,
        "camera_id": None if view is None else view.camera_id,
        "was_diverted": may and _was_diverted(part),
        "causes": [cause.value for cause in part.causes] if may else [],
        "classes": list(part.defect_classes()) if may else [],
        "zones": list(part.zones()) if may else [],
        "is_simulated": part.is_simulated,
    }


def choices(parts: Iterable[SeenPart], told: Told) -> dict[str, list[str]]:
    """Words that the filters offer, of parts of which they may be told."""
    offered: dict[str, set[str]] = {name: set() for name in ("line", "camera", "shift", "class", "zone", "cause")}
    for part in parts:
        offered["line"].add(part.line_id)
        offered["camera"].update(view.camera_id for view in part.views.values())
        offered["shift"].update((part.shift,) if part.shift else ())
        if told(part):
            offered["class"].update(part.defect_classes())
            offered["zone"].update(part.zones())
            offered["cause"].update(cause.value for cause in part.causes)
    return {name: sorted(found) for name, found in offered.items()}


def _fits(part: SeenPart, wanted: PartFilter, told: Told) -> bool:
    if not wanted.from_ms <= part.captured_ms <= wanted.to_ms or wanted.line_id not in {"", part.line_id}:
        return False
    if wanted.serial and wanted.serial not in {part.part_id, part.visit_id}:
        return False
    if wanted.shift and wanted.shift != part.shift:
        return False
    if wanted.camera and wanted.camera not in {view.camera_id for view in part.views.values()}:
        return False
    if wanted.asks_what_was_found and not told(part):
        return False
    return _is_so(part, wanted.standing, told) and (
        wanted.defect_class in {"", *part.defect_classes()}
        and wanted.zone in {"", *part.zones()}
        and wanted.cause in {"", *(cause.value for cause in part.causes)}
    )


def _is_so(part: SeenPart, wanted: str, told: Told) -> bool:
    """Diverted means withheld at any time: what waits, and of the rest what may be told."""
    now = standing(part, told)
    if wanted == "diverted":
        return now == PartStanding.WITHHELD.value or (told(part) and _was_diverted(part))
    return wanted in {"", now}


def _was_diverted(part: SeenPart) -> bool:
    return any(one.routing is Routing.DIVERTED for one in part.revisions.values())


def _after(found: Iterable[SeenPart], visit_id: str) -> Iterable[SeenPart]:
    is_after = False
    for part in found:
        if is_after:
            yield part
        is_after = is_after or part.visit_id == visit_id
