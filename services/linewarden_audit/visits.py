"""Every visit held against what it should have become. Pure.

Its latest state is exactly one of final, waiting for a person, or in flight and younger than its deadline. What it
should have become is told by `passing.py`, `reviewing.py` and `slots.py`, which share no code with what routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from linewarden_audit.facts import (
    CapturedFrame,
    InspectedFrame,
    RecipeName,
    Reviewed,
    RoutedVisit,
    SlotClosed,
    SlotOpened,
)
from linewarden_audit.findings import Allowance, BalanceFinding, Discrepancy
from linewarden_audit.ledger import AuditLedger
from linewarden_audit.passing import (
    Seen,
    Unsettled,
    against_frame,
    against_line,
    against_parts,
    against_visit,
    recipe_named,
    rules_of,
    sharpest,
)
from linewarden_audit.reviewing import (
    RELEASED,
    against_asking,
    against_cover,
    against_outcome,
    against_revisions,
    against_routing,
    against_telling,
    is_doubtful,
    repeated,
)
from linewarden_audit.slots import against_answers, against_skill, against_slots, in_order, is_taken_back
from linewarden_schemas.recipe import Recipe, ReviewRules, TimeBudget
from linewarden_schemas.vocabulary import Act, Cause, CloseReason, Routing


@dataclass(frozen=True)
class Passage:
    """All that is known of one visit."""

    visit_id: str
    frames: dict[str, Seen]
    history: list[RoutedVisit]
    reviewed: Reviewed

    @property
    def first(self) -> RoutedVisit | None:
        """Its revision 0, if there is one."""
        return self.history[0] if self.history and self.history[0].revision == 0 else None

    @property
    def latest(self) -> RoutedVisit | None:
        """Its highest revision, if there is any."""
        return self.history[-1] if self.history else None

    @property
    def records(self) -> list[CapturedFrame | InspectedFrame]:
        """The first capture and the first inspection of each frame, captures first."""
        captures = [one.captured for one in self.frames.values() if one.captured is not None]
        return [*captures, *(one.inspected for one in self.frames.values() if one.inspected is not None)]

    @property
    def recipes(self) -> list[RecipeName]:
        """Recipes that were named when it was routed: by the frames that its routing tells of, and by itself.

        What came later and names another one is judged by what it then had to change.
        """
        told = {view.frame_id for view in self.first.views} if self.first is not None else set()
        records = [each for each in self.records if not told or each.frame_id in told]
        return [each.recipe for each in (*records, *self.history)]

    @property
    def first_append_ms(self) -> int | None:
        """When the visit's first record was written; None where that is not known."""
        times = [one.written.at_ms for one in self.records]
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def open_slots(self) -> dict[str, SlotOpened]:
        """Requests that were opened and neither closed for good nor taken out, by slot."""
        found: dict[str, SlotOpened] = {}
        closed: set[str] = set()
        for one in in_order(self.reviewed):
            if isinstance(one, SlotClosed):
                found.pop(one.slot_id, None)
                if one.reason is not CloseReason.WITHDRAWN:  # which may be opened anew
                    closed.add(one.slot_id)
            elif one.slot_id not in closed:
                found[one.slot_id] = one
        # A tombstone ends what lies before it; a visit may be begun anew behind it.
        return {name: one for name, one in found.items() if self.reviewed.dropped.get(name, -1) < one.written.offset}


@dataclass
class VisitCount:
    """What is found as visits are gone through."""

    ledger: AuditLedger
    now_ms: int
    allowed: Allowance
    findings: list[BalanceFinding] = field(default_factory=list)
    final: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    in_flight: set[str] = field(default_factory=set)
    young: set[str] = field(default_factory=set)
    taken_back: set[str] = field(default_factory=set)

    def find(self, kind: Discrepancy, names: Iterable[str], reason: str) -> None:
        """Enter a finding of each of these ids."""
        self.findings += [BalanceFinding(kind, name, reason) for name in names]

    def is_young(self, at_ms: int | None) -> bool:
        """Whether what was written at a time may still be on its way to its effect."""
        # Without a time nothing is young: what cannot be dated must not be excused.
        return at_ms is not None and at_ms >= self.now_ms - self.allowed.margin_ms

    def enter(self, one: Passage) -> None:
        """Judge one visit of which there is a capture."""
        self._state(one)
        recipe = self._recipe(one)
        for kind, reasons in (
            (Discrepancy.UNSAFE, self._unsafe(one, recipe)),
            (Discrepancy.UNSOUND, self._unsound(one, recipe)),
        ):
            for reason in reasons:
                self.findings.append(BalanceFinding(kind, one.visit_id, reason))
        for number in repeated(one.history):
            self.find(Discrepancy.DOUBLED, [one.visit_id], f"there is more than one revision {number}")
        self._unanswered(one)

    def _recipe(self, one: Passage) -> Recipe | str:
        """The recipe of a visit as it was known when the visit was routed, or why nobody can know it."""
        first, names = one.first, one.recipes
        sharp = sharpest(names)
        # Against the sharpest: two without a digest may each be of another content and agree with each other.
        if not all(name.may_be(sharp) for name in names):
            return "its records name different recipes"
        routed_ms = None if first is None else first.written.at_ms
        if first is not None and routed_ms is not None and first.routing is not Routing.TRUSTED_PASS:
            routed_ms = min(routed_ms, first.decided_ms)  # its writer may have stood still before it was written
        return recipe_named(self.ledger.recipes, sharp, routed_ms, self.allowed.margin_ms)

    def _rules(self, one: Passage) -> ReviewRules:
        return rules_of(self.ledger.recipes, sharpest(one.recipes))

    def _deadline(self, one: Passage, recipe: Recipe | str) -> int:
        """The earliest decide-by of its records, and never later than its first append and the recipe's budget."""
        told = [each.decide_by_ms for each in one.records]
        # By the default where the recipe is unknown, as route does it.
        budget = TimeBudget() if isinstance(recipe, str) else recipe.time
        append_ms = one.first_append_ms
        bounds = [] if append_ms is None else [append_ms + budget.decide_by_ms]
        return min(told + bounds)

    def _state(self, one: Passage) -> None:
        """Put a visit into exactly one of final, waiting, in flight and lost."""
        first, latest = one.first, one.latest
        if first is None:
            deadline = self._deadline(one, self._recipe(one)) + self.allowed.margin_ms
            # A later revision without the first is no visit on its way: revision 0 comes before every other.
            if latest is None and self.now_ms <= deadline:
                self.in_flight.add(one.visit_id)
            else:
                self.find(Discrepancy.LOST, [one.visit_id], "it was captured and never routed")
        elif latest is not None and latest.final:
            self.final.add(one.visit_id)
        # Between an answer and its outcome lies the undo window, in which nothing is open and nothing final.
        elif one.open_slots() or self._is_pending(one):
            self.waiting.add(one.visit_id)
        else:
            self.find(Discrepancy.LOST, [one.visit_id], "it is withheld, and nobody is asked about it")

    def _is_pending(self, one: Passage) -> bool:
        closed = (each.closed_ms for each in one.reviewed.slots if isinstance(each, SlotClosed))
        closed_ms = max(closed, default=None)
        return closed_ms is not None and self.now_ms <= closed_ms + self.allowed.pending_ms

    def _unsafe(self, one: Passage, recipe: Recipe | str) -> Iterator[str]:
        """Why a visit must not have passed, or must not stay passed."""
        first = one.first
        if first is None or first.routing is not Routing.TRUSTED_PASS:
            return
        told = [view.frame_id for view in first.views if view.verdict is not None]
        if not first.views or len(told) < len(first.views) or None in told:
            yield "it passed with a view that had no verdict"
        if isinstance(recipe, str):
            yield recipe
            return
        seen = [one.frames.get(name) or Seen(name) for name in told if name is not None]
        # By first records alone, as it was routed; what came again had to make a revision, and is looked at below.
        plain = [Seen(each.frame_id, each.captured, each.inspected) for each in seen]
        yield from (reason for _, reason in against_visit(plain, recipe))
        states = self.ledger.line_states.get(next((each.line_id for each in one.records), ""), [])
        is_revised = one.latest is not first
        for against, was_known in against_line(states, first.decided_ms, self.allowed.line_ms):
            # What may not have been known when it was decided must have been answered since.
            if is_revised and not was_known:
                self.taken_back.add(one.visit_id)
            elif was_known or not self.is_young(first.decided_ms):
                yield f"when it was decided: {against}"
        # `>=`: at its decide-by the gate is shut.
        if first.decided_ms >= first.decide_by_ms:
            yield "it passed at or after its decide-by"
        yield from self._late(one, first, recipe, seen, is_revised=is_revised)
        if not is_revised:
            yield from self._unrevised(one, recipe, seen)

    def _late(
        self, one: Passage, first: RoutedVisit, recipe: Recipe, seen: Sequence[Seen], *, is_revised: bool
    ) -> Iterator[str]:
        """A pass that became visible at or after its decide-by; one that was taken back is only told."""
        records = [each for pair in seen for each in (pair.captured, pair.inspected) if each is not None]
        append_ms = one.first_append_ms
        bounds = [first.decide_by_ms, *(each.decide_by_ms for each in records)]
        # The broker's own time: no camera's clock and no deadline that a record names can put this one off.
        if append_ms is not None:
            bounds.append(append_ms + recipe.time.decide_by_ms)
        visible_ms = first.written.at_ms
        # By when the pass was appended, not by what its writer thought the time was.
        if visible_ms is None or visible_ms < min(bounds):
            return
        if is_revised:
            self.taken_back.add(one.visit_id)
        else:
            yield f"its pass was visible {visible_ms - min(bounds)} ms after its decide-by"

    def _unrevised(self, one: Passage, recipe: Recipe, seen: Sequence[Seen]) -> Iterator[str]:
        """What came beside the views that it passed by, spoke against it, and made no revision."""
        told = {each.frame_id for each in seen}
        # What came within the margin may be on its way to its revision.
        old = [each for each in one.frames.values() if not self._is_fresh(each)]
        for each in old:
            if each.frame_id in told:
                yield from (f"further records of {each.frame_id} contradict it: {what}" for what in each.contradicted)
            else:
                yield from (f"after its routing: {what}" for _, what in against_frame(each, recipe))
        if any(each.frame_id not in told or each.again for each in old):
            yield from (f"after its routing: {what}" for _, what in against_parts(old, recipe))

    def _is_fresh(self, seen: Seen) -> bool:
        records = (seen.captured, seen.inspected, *seen.further)
        return any(self.is_young(each.written.at_ms) for each in records if each is not None)

    def _unsound(self, one: Passage, recipe: Recipe | str) -> Iterator[str]:
        first, latest, known = one.first, one.latest, None if isinstance(recipe, str) else recipe
        forgotten = self._may_be_forgotten(one, known)
        yield from against_revisions(one.history)
        yield from against_slots(one.visit_id, one.reviewed, forgotten=forgotten)
        yield from against_answers(one.reviewed, self.ledger.dead_sources)
        for revision in one.history:
            yield from against_telling(revision, one.frames)
            if revision.outcome is not None:
                rules = self._rules(one)
                yield from against_outcome(revision, one.reviewed, one.frames, known, rules, forgotten=forgotten)
        if first is not None:
            yield from against_routing(first, one.frames, known)
            # Of a recipe that was published about then nobody can tell whether route had read it.
            is_certain = isinstance(recipe, str) and not isinstance(recipe, Unsettled)
            if is_certain and not {Cause.FAULT, Cause.KNOWN_BAD} & set(first.causes):
                yield f"{recipe}, which its routing does not name"
        yield from self._gated(one, known)
        yield from self._asked(one, known)
        if latest is None or not latest.final:
            return
        for slot in one.open_slots().values():
            if not self.is_young(slot.opened_ms):
                yield f"slot {slot.slot_id} is open although the visit is final"
        if latest.outcome in RELEASED:
            yield from self._uncovered(one, latest, known)

    def _gated(self, one: Passage, recipe: Recipe | None) -> Iterator[str]:
        """What a gate did otherwise than revision 0 told it, or did not report in time, and that made no revision."""
        first, latest = one.first, one.latest
        if first is None or latest is not first or Cause.KNOWN_BAD in first.causes:
            return
        if first.line_state is None or not first.line_state[-1]:
            return
        acted = self.ledger.acted.get(one.visit_id, ())
        for each in acted:
            if each.actual is not first.routing and not self.is_young(each.written.at_ms):
                did = "nothing that it knows of" if each.actual is None else each.actual.value
                yield f"its gate was told {first.routing.value} and did {did}"
        due_ms = max(first.decide_by_ms, first.decided_ms) + (recipe.time if recipe else TimeBudget()).gate_report_ms
        if not acted and due_ms + self.allowed.margin_ms < self.now_ms:
            yield "its gate has not reported what it did"

    def _asked(self, one: Passage, recipe: Recipe | None) -> Iterator[str]:
        """Slots that ask for something else than what the visit is, or do not show all of it."""
        causes = {cause for each in one.history for cause in each.causes} | {Cause.REJECT_REVIEW}
        opened = [slot for slot in one.reviewed.slots if isinstance(slot, SlotOpened)]
        newest = {slot.slot_id: slot for slot in opened}  # an inspection may be known before what its capture says
        for slot in opened:
            yield from against_asking(slot, one.frames, recipe, is_newest=slot is newest[slot.slot_id])
            # One that is new may be of a revision that was made since the dispositions were read.
            is_new = self.is_young(slot.opened_ms) or is_taken_back(slot, one.reviewed)
            if one.history and not causes.issuperset(slot.causes) and not is_new:
                yield f"slot {slot.slot_id} names a cause that its visit does not have"
        yield from against_skill(one.reviewed, self._rules(one).reviews_required)
        old = {name: seen for name, seen in one.frames.items() if not self._is_fresh(seen)}
        yield from (told for slot in one.open_slots().values() for told in against_cover(slot, old))

    def _uncovered(self, one: Passage, latest: RoutedVisit, recipe: Recipe | None) -> Iterator[str]:
        """Doubtful frames that came after a release, and made no revision."""
        named = {view.frame_id for view in latest.views}
        for seen in one.frames.values():
            if seen.frame_id not in named and not self._is_fresh(seen) and is_doubtful(seen, recipe):
                yield f"frame {seen.frame_id} came after the release, and nobody looked at it"

    def _may_be_forgotten(self, one: Passage, recipe: Recipe | None) -> bool:
        """Whether the spool's horizon is over since the visit was final, so that its slots may be gone."""
        if one.latest is None or not one.latest.final:
            return False
        horizon = (TimeBudget() if recipe is None else recipe.time).spool_horizon_ms
        # At the horizon at the earliest: from then on route may have tombstoned its slots.
        return one.latest.decided_ms + horizon <= self.now_ms

    def _unanswered(self, one: Passage) -> None:
        """Decisions and frames that nothing answered."""
        opened = one.open_slots()
        for decision in one.reviewed.decisions.values():
            is_old = decision.decided_ms + self.allowed.pending_ms < self.now_ms
            if decision.act is Act.JUDGE and is_old and decision.written.place not in self.ledger.dead_sources:
                known = {each.slot_id for each in one.reviewed.slots}
                if decision.slot_id in opened or (decision.slot_id not in known and not one.history):
                    self.find(Discrepancy.LOST, [one.visit_id], f"nobody answered decision {decision.decision_id}")
        # Dead letters that name the visit and no frame answer for so many of its frames, whichever they were of.
        spare = len(self.ledger.unnamed_dead.get(one.visit_id, ()))
        for seen in sorted(one.frames.values(), key=lambda each: each.frame_id):
            if seen.captured is None or seen.captured.lost is not None or seen.inspected is not None:
                continue
            if seen.frame_id in self.ledger.dead_frames:
                continue
            if spare:
                spare -= 1
            elif self._deadline(one, self._recipe(one)) >= self.now_ms - self.allowed.margin_ms:
                self.young.add(one.visit_id)
            else:
                self.find(Discrepancy.LOST, [seen.frame_id], "it was captured and neither inspected nor a dead letter")
