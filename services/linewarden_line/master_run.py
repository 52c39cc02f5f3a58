"""What master parts got while a check is under way, held against what they have to get. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from linewarden_schemas.base import Message
from linewarden_schemas.capture import Capture
from linewarden_schemas.changeover import MasterAnswer, MasterCheck
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.recipe import CheckRules, Recipe
from linewarden_schemas.vocabulary import CheckOutcome, LineMode, Verdict


@dataclass(slots=True)
class _MasterVisit:
    first_ms: int
    part_id: str | None = None


@dataclass(slots=True)
class MasterRun:
    """Visits captured since a check began, and the first verdict of each of their views, in whatever order they come.

    A visit counts for the master part whose serial it has, or, where they are run in order, for the one whose turn it
    is by the time of its first capture. Of two visits of one master part the first counts. A part that bears the serial
    of a master counts from the begin of the check on; any other one once its camera pins the state of the check.
    """

    check: MasterCheck
    masters: frozenset[str] = frozenset()
    _visits: dict[str, _MasterVisit] = field(default_factory=dict)
    _verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)

    def see(self, message: Message) -> None:
        """Take a capture or an inspection; what comes again, and everything else, changes nothing."""
        if isinstance(message, Capture):
            self._captured(message)
        elif isinstance(message, Inspection):
            self._inspected(message)

    def _captured(self, capture: Capture) -> None:
        """One of before the check, or after its time, tells nothing of it."""
        state = capture.line_state
        is_of_check = state.mode is LineMode.VERIFICATION and state.since_ms >= self.check.began_ms
        # A camera learns the state of the check within a second or so, and a master may be there before.
        is_of_check |= capture.part_id in self.masters and capture.captured_ms >= self.check.began_ms
        is_of_check &= capture.captured_ms < self.check.until_ms
        if capture.line_id != self.check.line_id or not is_of_check:
            return
        known = self._visits.setdefault(capture.visit_id, _MasterVisit(capture.captured_ms))
        known.first_ms = min(known.first_ms, capture.captured_ms)
        known.part_id = known.part_id or capture.part_id

    def _inspected(self, inspection: Inspection) -> None:
        """Of two of one view of a visit the first counts."""
        if inspection.line_id == self.check.line_id and inspection.captured_ms >= self.check.began_ms:
            self._verdicts.setdefault((inspection.visit_id, inspection.view_id), inspection.verdict)

    def answers(self, recipe: Recipe, rules: CheckRules) -> tuple[MasterAnswer, ...]:
        """What every view of every master part has to be, and what it was, in the order of the recipe."""
        visits = self._by_master(rules)
        return tuple(
            MasterAnswer(
                part_id=master.part_id,
                view_id=view.view_id,
                expected=Verdict.NG if view.view_id in master.ng_views else Verdict.OK,
                verdict=self._verdicts.get((visits[master.part_id], view.view_id))
                if master.part_id in visits
                else None,
                visit_id=visits.get(master.part_id),
            )
            for master in rules.masters
            for view in recipe.views
        )

    def outcome(self, answers: Sequence[MasterAnswer], now_ms: int) -> CheckOutcome | None:
        """What the check has come to at a time (epoch ms); None while it is under way."""
        if any(one.verdict not in {None, one.expected} for one in answers):
            return CheckOutcome.FAILED
        if answers and all(one.verdict is one.expected for one in answers):
            return CheckOutcome.PASSED
        return CheckOutcome.MISSING if now_ms >= self.check.until_ms else None

    def _by_master(self, rules: CheckRules) -> dict[str, str]:
        in_order = sorted(self._visits, key=lambda name: (self._visits[name].first_ms, name))
        if rules.in_order:
            return {master.part_id: visit for master, visit in zip(rules.masters, in_order, strict=False)}
        found: dict[str, str] = {}
        for visit in in_order:
            found.setdefault(self._visits[visit].part_id or "", visit)
        return found
