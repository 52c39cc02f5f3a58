"""What a shift made, visit by visit. Pure; nothing is kept of a visit but its counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from linewarden_history.reports.story import VisitHistory
from linewarden_history.reports.tally import ProductionTally
from linewarden_history.shifts.positions import PositionMap, spots
from linewarden_schemas.vocabulary import Judgement, LineMode, Outcome, Verdict

UNNAMED = "not named"
OUTSIDE = "in no zone"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is counted: of which shift (None: any), whether simulated visits too, and the length of a subgroup (ms).

    `settled_only` leaves out what waits for people: whoever may review it must not read of it in a count.
    """

    shift: str | None = None
    simulated: bool = False
    subgroup_ms: int = 3_600_000
    settled_only: bool = False


@dataclass(slots=True)
class ShiftTally(ProductionTally):
    """Counts of a shift: beside production what was defective, when and where, and what was checked."""

    scope: Scope = field(default_factory=Scope)
    by_class: Counter[str] = field(default_factory=Counter)
    by_camera: Counter[str] = field(default_factory=Counter)
    by_product: Counter[str] = field(default_factory=Counter)
    by_zone: Counter[str] = field(default_factory=Counter)
    by_cavity: Counter[str] = field(default_factory=Counter)
    subgroups: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """Nonconforming and made, by the subgroup's beginning (epoch ms)."""
    maps: dict[str, PositionMap] = field(default_factory=lambda: defaultdict(PositionMap))
    checks: dict[tuple[str, int], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Visits of verification periods by line and the state's beginning."""

    def add(self, story: VisitHistory) -> None:
        """Count one visit: as production, as a check in verification, or as left out."""
        reason = self._refused(story)
        if reason is not None:
            self.left_out[reason] += 1
            return
        self.count(story)
        self.counts["returned"] += story.is_returned
        self._rates(story)
        self._chart(story)
        if story.is_defective:
            self._defect(story)

    def _refused(self, story: VisitHistory) -> str | None:
        state = story.state
        if story.is_simulated and not self.scope.simulated:
            return "simulated"
        if state is None:
            return "line state not told"
        if self.scope.shift not in {None, state.shift}:
            return "another shift"
        if state.mode is LineMode.VERIFICATION:
            self._check(story)
        if state.mode is not LineMode.PRODUCTION:
            return f"line state {state.mode.value}"
        if self.scope.settled_only and not story.is_settled:
            return "waits for people"
        return "seeded known-bad" if story.is_known_bad else None

    def _check(self, story: VisitHistory) -> None:
        if self.scope.settled_only and not story.is_settled:
            return
        state = story.state
        if state is None or story.line_id is None:
            return
        routing = story.first.routing.value if story.first else "none yet"
        self.checks[story.line_id, state.since_ms].update(("visits", routing))

    def _rates(self, story: VisitHistory) -> None:
        if story.is_settled and not story.is_returned:
            self.counts["settled_first"] += 1
            self.counts["passed_first"] += story.passed_first
        self.counts["settled"] += story.is_settled
        self.counts["defective"] += story.is_defective
        self.counts["concessions"] += story.latest is not None and story.latest.outcome is Outcome.USE_AS_IS

    def _chart(self, story: VisitHistory) -> None:
        if story.captured_ms is None:
            return
        length = self.scope.subgroup_ms
        subgroup = self.subgroups[story.captured_ms // length * length]
        subgroup[0] += story.is_defective
        subgroup[1] += 1

    def _defect(self, story: VisitHistory) -> None:
        self.by_class[story.defect_class or UNNAMED] += 1
        product = story.latest.product_id if story.latest else None
        self.by_product[product or UNNAMED] += 1
        rejecting = [one for one in story.counted if one.judgement is Judgement.NG]
        drawn = {mark.frame_id: mark.mask_png for one in rejecting for mark in one.marks}
        shown = {frame for frame, one in story.inspections.items() if one.verdict is Verdict.NG} | drawn.keys()
        seen = [one for one in story.inspections.values() if one.frame_id in shown]
        cameras = {one.camera_id for one in seen}
        self.by_camera.update(cameras or {UNNAMED})
        if (cavity := story.cavity) is not None:
            self.by_cavity[cavity] += 1
        measured = [defect for one in seen for defect in one.defects or () if not defect.is_within]
        self.by_zone.update({zone for defect in measured for zone in defect.zones or (OUTSIDE,)})
        for one in seen:
            by_machine = one.maps.mask_png if one.maps else b""
            marked = spots(drawn.get(one.frame_id, by_machine))
            if marked is not None:
                self.maps[f"{one.camera_id}/{one.view_id}"].add(
                    marked, "a person" if one.frame_id in drawn else "the machine"
                )
                self.counts["mapped"] += 1
            else:
                self.counts["unmapped"] += 1
