"""Which visit let an escaped part go. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.escape import Escape


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
