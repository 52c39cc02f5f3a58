"""The newest parts of a line, folded out of captures, inspections and dispositions. Pure.

What was found of a part is told only when its newest disposition is final: a part that waits for a person, or may come
to wait for one, looks the same whatever the reason (`is_told`). Slots are judged from the same rule by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from linewarden_runtime.bounded import Bounded
from linewarden_schemas.capture import Capture
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection, SourceRef
from linewarden_schemas.vocabulary import Cause, Outcome, Routing


class PartStanding(StrEnum):
    """How a part stands, as everybody may be told."""

    COMING = "coming"
    """Captured, and not routed yet."""
    WITHHELD = "withheld"
    """With people, whatever the cause."""
    OK = "ok"
    """Let go: on trust, or accepted by people."""
    NG = "ng"
    """Out: rejected by the machine, or found defective by people."""


@dataclass(slots=True)
class SeenView:
    """One view of a part: its capture, and its inspection with the place of the record; None while unknown."""

    frame_id: str
    view_id: str
    camera_id: str
    captured_ms: int
    capture: Capture | None = None
    inspection: Inspection | None = None
    inspected_at: SourceRef | None = None

    @property
    def picture_at(self) -> SourceRef | None:
        """Where the picture lies in `frames`, which its inspection tells."""
        return None if self.inspection is None else self.inspection.source

    @property
    def sha256(self) -> str | None:
        """Digest of the captured picture; None where there is none, or it is not known yet."""
        if self.capture is not None:
            return self.capture.sha256
        return None if self.inspection is None else self.inspection.frame_sha256


@dataclass(slots=True)
class SeenPart:
    """One visit as far as the topics were read; `revisions` in the order of their numbers."""

    visit_id: str
    line_id: str
    captured_ms: int
    views: dict[str, SeenView] = field(default_factory=dict)
    revisions: dict[int, Disposition] = field(default_factory=dict)

    @property
    def latest(self) -> Disposition | None:
        """The newest revision; None before the first routing."""
        return self.revisions[max(self.revisions)] if self.revisions else None

    @property
    def is_told(self) -> bool:
        """Whether verdicts, causes, reasons and maps may be shown to those who review: nothing of it is open."""
        latest = self.latest
        return latest is not None and latest.final

    @property
    def standing(self) -> PartStanding:
        """How it stands, for everybody."""
        return standing_of(self.latest)

    @property
    def part_id(self) -> str | None:
        """The serial, as last told."""
        named = [one.part_id for one in self.revisions.values()]
        named += [view.capture.part_id for view in self.views.values() if view.capture is not None]
        return next((one for one in named if one), None)

    @property
    def capture(self) -> Capture | None:
        """The first capture that is known."""
        return next((view.capture for view in self.views.values() if view.capture is not None), None)

    @property
    def shift(self) -> str | None:
        """The shift that its line state names."""
        states = [one.line_state for one in self.revisions.values()]
        states += [view.capture.line_state for view in self.views.values() if view.capture is not None]
        return next((one.shift for one in states if one is not None), None)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All causes that any revision names, in their order."""
        return tuple(dict.fromkeys(cause for one in self.revisions.values() for cause in one.causes))

    @property
    def is_simulated(self) -> bool:
        """Whether a simulation made it."""
        latest, capture = self.latest, self.capture
        return (latest is not None and latest.is_simulated) or (capture is not None and capture.is_simulated)

    def defect_classes(self) -> tuple[str, ...]:
        """Classes that the machine named, in any view."""
        seen = [view.inspection for view in self.views.values() if view.inspection is not None]
        named = [one.defect_class for one in seen] + [d.defect_class for one in seen for d in one.defects or ()]
        return tuple(dict.fromkeys(name for name in named if name))

    def zones(self) -> tuple[str, ...]:
        """Zones that a measured defect touches."""
        seen = [view.inspection for view in self.views.values() if view.inspection is not None]
        return tuple(dict.fromkeys(zone for one in seen for defect in one.defects or () for zone in defect.zones))


def standing_of(latest: Disposition | None) -> PartStanding:
    """How the newest disposition leaves a visit, for everybody."""
    if latest is None:
        return PartStanding.COMING
    if not latest.final:
        return PartStanding.WITHHELD
    if latest.outcome is not None:
        return PartStanding.OK if latest.outcome is Outcome.ACCEPT else PartStanding.NG
    return PartStanding.OK if latest.routing is Routing.TRUSTED_PASS else PartStanding.NG


class PartBook:
    """The newest parts, at most so many. A record that comes twice changes nothing: the first counts."""

    def __init__(self, most: int = 2000) -> None:
        self._parts: Bounded[str, SeenPart] = Bounded(most)
        self._visits: Bounded[str, str] = Bounded(most * 8)
        self._ordered: list[SeenPart] | None = None

    def find(self, visit_id: str) -> SeenPart | None:
        """The part of a visit; None where it is unknown or too old."""
        return self._parts.get(visit_id)

    def view(self, frame_id: str) -> SeenView | None:
        """The view of a frame; None where its part is unknown or too old."""
        part = self._parts.get(self._visits.get(frame_id, ""))
        return None if part is None else part.views.get(frame_id)

    def newest(self, line_id: str = "") -> Iterator[SeenPart]:
        """Parts of a line, or of all, newest first."""
        if self._ordered is None:
            self._ordered = sorted(
                self._parts.values(), key=lambda part: (part.captured_ms, part.visit_id), reverse=True
            )
        yield from (part for part in self._ordered if line_id in {"", part.line_id})

    def capture(self, one: Capture) -> bool:
        """Take in a capture; whether it was new."""
        view = self._view(one)
        is_new = view.capture is None
        if is_new:
            view.capture = one
        return is_new

    def inspection(self, one: Inspection, at: SourceRef) -> bool:
        """Take in an inspection, with where it lies; whether it was new. Its maps stay in the topic."""
        view = self._view(one)
        is_new = view.inspection is None
        if is_new:
            view.inspection, view.inspected_at = one.model_copy(update={"maps": None}), at
        return is_new

    def disposition(self, one: Disposition) -> bool:
        """Take in a revision; whether it was new."""
        part = self._part(one.visit_id, one.line_id, one.first_captured_ms)
        is_new = one.revision not in part.revisions
        if is_new:
            part.revisions[one.revision] = one
        return is_new

    def _part(self, visit_id: str, line_id: str, captured_ms: int) -> SeenPart:
        part = self._parts.get(visit_id)
        if part is None:
            part = self._parts[visit_id] = SeenPart(visit_id, line_id, captured_ms)
            self._ordered = None
        if captured_ms < part.captured_ms:
            part.captured_ms, self._ordered = captured_ms, None
        return part

    def _view(self, one: Capture | Inspection) -> SeenView:
        self._visits[one.frame_id] = one.visit_id
        views = self._part(one.visit_id, one.line_id, one.captured_ms).views
        return views.setdefault(one.frame_id, SeenView(one.frame_id, one.view_id, one.camera_id, one.captured_ms))
