"""Conservation, proven as sets of ids, and every visit held against what it should have become. Pure.

Every captured frame is inspected once, or is a counted loss whose visit did not pass. Every visit has exactly one
revision 0, and its latest state is one of final, waiting for a person, or in flight and younger than its deadline.
What it should have become is told by `passing.py` and `reviewing.py`, which share no code with what routes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from linewarden_history.ledger import (
    CameraEpoch,
    CapturedFrame,
    InspectedFrame,
    Ledger,
    RecipeName,
    Reviewed,
    RoutedVisit,
    SlotClosed,
    SlotOpened,
)
from linewarden_schemas.recipe import Recipe, ReviewRules, TimeBudget
from linewarden_schemas.vocabulary import Act, Cause, CloseReason, Routing

from .passing import Seen, Unsettled, against_frame, against_parts, against_visit, recipe_named, rules_of
from .reviewing import (
    RELEASED,
    against_answers,
    against_asking,
    against_cover,
    against_outcome,
    against_revisions,
    against_routing,
    against_skill,
    against_slots,
    against_telling,
    in_order,
    is_doubtful,
    is_taken_back,
    repeated,
)

# Longer than a transaction may take (10 s) and the one that is made again after it failed.
DEFAULT_MARGIN_MS = 30_000
# Longer than the recipes' default undo window (20 s) and the transaction that ends it.
DEFAULT_PENDING_MS = 60_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long something may be under way (ms): past its decide-by, and between a decision and its outcome.

    The second covers the undo window of the recipes, during which a visit has no open slot and is not final.
    """

    margin_ms: int = DEFAULT_MARGIN_MS
    pending_ms: int = DEFAULT_PENDING_MS


class Kind(StrEnum):
    """What does not add up.

    `lost`: frames without answer, visits without routing, visits that nobody will ever decide, decisions that nobody
    answered, gaps in a camera's sequence (`camera.epoch<E>.seq<first>-<last>`), and records that retention deleted
    unclosed. `doubled`: frames answered in two ways by which the visit still passed, revisions that exist twice,
    sequences given twice. `unknown`: frames, visits and decisions that no capture announced, and unreadable records
    without a dead letter. `unsafe`: trusted passes that must not have been. `unsound`: visits whose routing, revisions,
    slots or outcomes do not follow from their records.
    """

    LOST = "lost"
    DOUBLED = "doubled"
    UNKNOWN = "unknown"
    UNSAFE = "unsafe"
    UNSOUND = "unsound"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that does not add up: the id that it is about, and why, in words."""

    kind: Kind
    name: str
    reason: str


@dataclass(frozen=True)
class BalanceReport:
    """Counts, and what does not add up. It closes where nothing is."""

    at_ms: int
    visits: int
    frames: int
    inspected: int
    pictures_lost: int
    not_decidable: int
    dead_letters: int
    duplicates: int
    final: int
    waiting: int
    in_flight: int
    findings: tuple[Finding, ...]
    open_ids: tuple[str, ...]
    """Visits of which something is to come: waiting, in flight, or with a frame that may still be answered."""
    taken_back: tuple[str, ...] = ()
    """Passes that became visible at or after their decide-by, each with a later revision that takes it back."""
    strays: tuple[str, ...] = ()
    """Records that belong elsewhere or to nobody, in topics of which nobody makes dead letters."""

    @property
    def closes(self) -> bool:
        """Whether everything adds up."""
        return not self.findings

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """Ids that are lost."""
        return self.named(Kind.LOST)

    @cached_property
    def doubled(self) -> tuple[str, ...]:
        """Ids that are doubled."""
        return self.named(Kind.DOUBLED)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Ids that nothing announced."""
        return self.named(Kind.UNKNOWN)

    @cached_property
    def unsafe(self) -> tuple[str, ...]:
        """Visits that passed and must not have."""
        return self.named(Kind.UNSAFE)

    @cached_property
    def unsound(self) -> tuple[str, ...]:
        """Visits that do not follow from their records."""
        return self.named(Kind.UNSOUND)

    def named(self, kind: Kind) -> tuple[str, ...]:
        """The ids of one kind of finding, each once."""
        return tuple(sorted({one.name for one in self.findings if one.kind is kind}))

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: all fields, the ids by kind, and `closes`."""
        return {"closes": self.closes} | asdict(self) | {kind.value: self.named(kind) for kind in Kind}


@dataclass(frozen=True)
class _Passage:
    """All that is known of one visit."""

    visit_id: str
    frames: dict[str, Seen]
    history: list[RoutedVisit]
    reviewed: Reviewed

    @property
    def first(self) -> RoutedVisit | None:
        return self.history[0] if self.history and self.history[0].revision == 0 else None

    @property
    def latest(self) -> RoutedVisit | None:
        return self.history[-1] if self.history else None

    @property
    def captures(self) -> list[CapturedFrame]:
        return [one.captured for one in self.frames.values() if one.captured is not None]

    @property
    def inspections(self) -> list[InspectedFrame]:
        return [one.inspected for one in self.frames.values() if one.inspected is not None]

    @property
    def records(self) -> list[CapturedFrame | InspectedFrame]:
        return [*self.captures, *self.inspections]

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

    def last_close_ms(self) -> int | None:
        return max((one.closed_ms for one in self.reviewed.slots if isinstance(one, SlotClosed)), default=None)


@dataclass
class _Count:
    """What is found as visits are gone through."""

    ledger: Ledger
    now_ms: int
    allowed: Allowance
    findings: list[Finding] = field(default_factory=list)
    final: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    in_flight: set[str] = field(default_factory=set)
    young: set[str] = field(default_factory=set)
    taken_back: set[str] = field(default_factory=set)

    def find(self, kind: Kind, names: Iterable[str], reason: str) -> None:
        self.findings += [Finding(kind, name, reason) for name in names]

    def is_young(self, at_ms: int | None) -> bool:
        """Whether what was written at a time may still be on its way to its effect."""
        # Without a time nothing is young: what cannot be dated must not be excused.
        return at_ms is not None and at_ms >= self.now_ms - self.allowed.margin_ms

    def enter(self, one: _Passage) -> None:
        """Judge one visit of which there is a capture."""
        self._state(one)
        recipe = self._recipe(one)
        for kind, reasons in (
            (Kind.UNSAFE, self._unsafe(one, recipe)),
            (Kind.UNSOUND, self._unsound(one, recipe)),
        ):
            for reason in reasons:
                self.findings.append(Finding(kind, one.visit_id, reason))
        for number in repeated(one.history):
            self.find(Kind.DOUBLED, [one.visit_id], f"there is more than one revision {number}")
        self._unanswered(one)

    def _recipe(self, one: _Passage) -> Recipe | str:
        """The recipe of a visit as it was known when the visit was routed, or why nobody can know it."""
        first, names = one.first, one.recipes
        sharp = _sharpest(names)
        # Against the sharpest: two without a digest may each be of another content and agree with each other.
        if not all(name.may_be(sharp) for name in names):
            return "its records name different recipes"
        routed_ms = None if first is None else first.written.at_ms
        if first is not None and routed_ms is not None and first.routing is not Routing.TRUSTED_PASS:
            routed_ms = min(routed_ms, first.decided_ms)  # its writer may have stood still before it was written
        return recipe_named(self.ledger.recipes, sharp, routed_ms, self.allowed.margin_ms)

    def _rules(self, one: _Passage) -> ReviewRules:
        return rules_of(self.ledger.recipes, _sharpest(one.recipes))

    def _deadline(self, one: _Passage, recipe: Recipe | str) -> int:
        """The earliest decide-by of its records, and never later than its first append and the recipe's budget."""
        told = [each.decide_by_ms for each in one.records]
        # By the default where the recipe is unknown, as route does it.
        budget = TimeBudget() if isinstance(recipe, str) else recipe.time
        append_ms = one.first_append_ms
        bounds = [] if append_ms is None else [append_ms + budget.decide_by_ms]
        return min(told + bounds)

    def _state(self, one: _Passage) -> None:
        """Put a visit into exactly one of final, waiting, in flight and lost."""
        first, latest = one.first, one.latest
        if first is None:
            deadline = self._deadline(one, self._recipe(one)) + self.allowed.margin_ms
            # A later revision without the first is no visit on its way: revision 0 comes before every other.
            if latest is None and self.now_ms <= deadline:
                self.in_flight.add(one.visit_id)
            else:
                self.find(Kind.LOST, [one.visit_id], "it was captured and never routed")
        elif latest is not None and latest.final:
            self.final.add(one.visit_id)
        # Between an answer and its outcome lies the undo window, in which nothing is open and nothing final.
        elif one.open_slots() or self._is_pending(one):
            self.waiting.add(one.visit_id)
        else:
            self.find(Kind.LOST, [one.visit_id], "it is withheld, and nobody is asked about it")

    def _is_pending(self, one: _Passage) -> bool:
        closed_ms = one.last_close_ms()
        return closed_ms is not None and self.now_ms <= closed_ms + self.allowed.pending_ms

    def _unsafe(self, one: _Passage, recipe: Recipe | str) -> Iterator[str]:
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
        # `>=`: at its decide-by the gate is shut.
        if first.decided_ms >= first.decide_by_ms:
            yield "it passed at or after its decide-by"
        is_revised = one.latest is not first
        yield from self._late(one, first, recipe, seen, is_revised=is_revised)
        if not is_revised:
            yield from self._unrevised(one, recipe, seen)

    def _late(
        self, one: _Passage, first: RoutedVisit, recipe: Recipe, seen: Sequence[Seen], *, is_revised: bool
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

    def _unrevised(self, one: _Passage, recipe: Recipe, seen: Sequence[Seen]) -> Iterator[str]:
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

    def _unsound(self, one: _Passage, recipe: Recipe | str) -> Iterator[str]:
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
        yield from self._asked(one, known)
        if latest is None or not latest.final:
            return
        for slot in one.open_slots().values():
            if not self.is_young(slot.opened_ms):
                yield f"slot {slot.slot_id} is open although the visit is final"
        if latest.outcome in RELEASED:
            yield from self._uncovered(one, latest, known)

    def _asked(self, one: _Passage, recipe: Recipe | None) -> Iterator[str]:
        """Slots that ask for something else than what the visit is, or do not show all of it."""
        causes = {cause for each in one.history for cause in each.causes} | {Cause.REJECT_REVIEW}
        for slot in one.reviewed.slots:
            if isinstance(slot, SlotOpened):
                yield from against_asking(slot, one.frames, recipe)
                if one.history and not causes.issuperset(slot.causes) and not is_taken_back(slot, one.reviewed):
                    yield f"slot {slot.slot_id} names a cause that its visit does not have"
        yield from against_skill(one.reviewed, self._rules(one).reviews_required)
        old = {name: seen for name, seen in one.frames.items() if not self._is_fresh(seen)}
        for slot in one.open_slots().values():
            yield from against_cover(slot, old)

    def _uncovered(self, one: _Passage, latest: RoutedVisit, recipe: Recipe | None) -> Iterator[str]:
        """Doubtful frames that came after a release, and made no revision."""
        named = {view.frame_id for view in latest.views}
        for seen in one.frames.values():
            if seen.frame_id not in named and not self._is_fresh(seen) and is_doubtful(seen, recipe):
                yield f"frame {seen.frame_id} came after the release, and nobody looked at it"

    def _may_be_forgotten(self, one: _Passage, recipe: Recipe | None) -> bool:
        """Whether the spool's horizon is over since the visit was final, so that its slots may be gone."""
        if one.latest is None or not one.latest.final:
            return False
        horizon = (TimeBudget() if recipe is None else recipe.time).spool_horizon_ms
        # At the horizon at the earliest: from then on route may have tombstoned its slots.
        return one.latest.decided_ms + horizon <= self.now_ms

    def _unanswered(self, one: _Passage) -> None:
        """Decisions and frames that nothing answered."""
        opened = one.open_slots()
        for decision in one.reviewed.decisions.values():
            is_old = decision.decided_ms + self.allowed.pending_ms < self.now_ms
            if decision.act is Act.JUDGE and is_old and decision.written.place not in self.ledger.dead_sources:
                known = {each.slot_id for each in one.reviewed.slots}
                if decision.slot_id in opened or (decision.slot_id not in known and not one.history):
                    self.find(Kind.LOST, [one.visit_id], f"nobody answered decision {decision.decision_id}")
        # Dead letters that name the visit and no frame answer for so many of its frames, whichever they were of.
        spare = len(self.ledger.unnamed_dead.get(one.visit_id, ()))
        for seen in sorted(one.frames.values(), key=lambda each: each.frame_id):
            if seen.captured is None or not _awaits_answer(self.ledger, seen):
                continue
            if spare:
                spare -= 1
            elif self._deadline(one, self._recipe(one)) >= self.now_ms - self.allowed.margin_ms:
                self.young.add(one.visit_id)
            else:
                self.find(Kind.LOST, [seen.frame_id], "it was captured and neither inspected nor a dead letter")


def balance(ledger: Ledger, now_ms: int, allowance: Allowance | None = None) -> BalanceReport:
    """Balance a ledger as of `now_ms` (epoch ms)."""
    count = _Count(ledger, now_ms, allowance or Allowance())
    frames: defaultdict[str, dict[str, Seen]] = defaultdict(dict)
    # Visits are those that a capture names: what only later records name is found below, as unknown.
    for captured in ledger.captured.values():
        frames[captured.visit_id][captured.frame_id] = _seen(ledger, captured.frame_id)
    for inspected in ledger.inspected.values():
        if inspected.visit_id in frames and inspected.frame_id not in ledger.captured:
            frames[inspected.visit_id][inspected.frame_id] = _seen(ledger, inspected.frame_id)
    for visit_id, seen in frames.items():
        reviewed = ledger.reviews.get(visit_id) or Reviewed()
        count.enter(_Passage(visit_id, seen, ledger.history(visit_id), reviewed))
    _find_sets(ledger, count, frames.keys())
    return BalanceReport(
        at_ms=now_ms,
        visits=len(frames),
        frames=len(ledger.captured),
        inspected=len(ledger.inspected),
        pictures_lost=sum(frame.lost is not None for frame in ledger.captured.values()),
        not_decidable=sum(one.undecidable is not None for one in ledger.inspected.values()),
        dead_letters=ledger.dead_letters,
        duplicates=ledger.duplicates,
        final=len(count.final),
        waiting=len(count.waiting),
        in_flight=len(count.in_flight),
        findings=tuple(sorted(set(count.findings))),
        open_ids=_sorted(count.waiting, count.in_flight, count.young),
        taken_back=_sorted(count.taken_back),
        strays=_sorted(ledger.strays),
    )


def _find_sets(ledger: Ledger, count: _Count, visits: Collection[str]) -> None:
    """What shows by sets of ids alone."""
    for run in ledger.sequences.keys() | ledger.told_sequences.keys():
        _find_gaps(ledger, count, run)
    count.find(Kind.LOST, ledger.expired, "records are gone that no period has closed")
    count.find(Kind.DOUBLED, ledger.doubled_sequences, "its number was given to another frame too")
    count.find(Kind.DOUBLED, _answered_twice(ledger), "it was answered in two ways, and its visit passed")
    count.find(Kind.UNKNOWN, ledger.inspected.keys() - ledger.captured.keys(), "no capture announced this frame")
    count.find(Kind.UNKNOWN, ledger.unreadable - ledger.dead_sources, "it can't be handled, and is no dead letter")
    count.find(Kind.UNKNOWN, ledger.miskeyed, "its key is not that of its message")
    routed = ledger.first.keys() | ledger.latest.keys() | _reviewed(ledger)
    count.find(Kind.UNKNOWN, routed - set(visits), "no capture announced this visit")


def _sharpest(names: Sequence[RecipeName]) -> RecipeName:
    return next((name for name in names if name.digest is not None), names[0])


def _answered_twice(ledger: Ledger) -> Iterator[str]:
    """Frames with two answers, where neither a diversion, a reject nor a revision followed."""
    for frame_id, further in ledger.inspected_again.items():
        latest = ledger.latest.get(further[0].visit_id)
        # A diversion, a reject or a revision has answered for the second answer; a plain pass has not.
        if latest is None or (latest.revision == 0 and latest.routing is Routing.TRUSTED_PASS):
            yield frame_id


def _reviewed(ledger: Ledger) -> set[str]:
    """Visits that people were asked about or decided on, but for decisions that became dead letters."""
    return {
        visit_id
        for visit_id, one in ledger.reviews.items()
        if one.slots or any(each.written.place not in ledger.dead_sources for each in one.decisions.values())
    }


def _seen(ledger: Ledger, frame_id: str) -> Seen:
    captured, inspected = ledger.captured.get(frame_id), ledger.inspected.get(frame_id)
    again, further = ledger.captured_again.get(frame_id, ()), ledger.inspected_again.get(frame_id, ())
    if not again and not further:
        return Seen(frame_id, captured, inspected)
    words = [what for one in again if captured is not None for what in captured.contradictions(one)]
    words += [what for one in further if inspected is not None for what in inspected.contradictions(one)]
    return Seen(frame_id, captured, inspected, tuple(dict.fromkeys(words)), tuple(further), tuple(again))


def _awaits_answer(ledger: Ledger, seen: Seen) -> bool:
    """Whether a frame has a picture, and neither inspection nor a dead letter of its own."""
    is_lost = seen.captured is not None and seen.captured.lost is not None
    return not is_lost and seen.inspected is None and seen.frame_id not in ledger.dead_frames


def _find_gaps(ledger: Ledger, count: _Count, run: CameraEpoch) -> None:
    """Numbers that were given and never seen, up to the last one that the camera told of.

    A camera publishes in the order of its numbers, each to the partition of its visit. So a number is under way while
    the first higher one is young, and what heartbeats tell of as still to come while captures are coming.
    """
    given = ledger.sequences.get(run, {})
    written = {number: ledger.captured[frame].written.at_ms for number, frame in given.items()}
    old = [number for number, at_ms in written.items() if not count.is_young(at_ms)]
    # Only while no capture is young: what a heartbeat told of may be written behind one that is on its way.
    if len(old) == len(written):
        old += [number for number, at_ms in ledger.told_sequences.get(run, {}).items() if not count.is_young(at_ms)]
    is_due_to = max(old, default=-1)
    expected = ledger.closed_sequences.get(run, -1) + 1
    seen = sorted(number for number in given if number >= expected)
    for number in [*seen, is_due_to + 1]:
        last = min(number - 1, is_due_to)
        if expected <= last:
            gap = f"{run[2]}.epoch{run[3]}.seq{expected}-{last}"
            count.find(Kind.LOST, [gap], "numbers that a camera gave are missing")
        if max(expected, is_due_to + 1) < number:
            count.young |= {ledger.captured[given[after]].visit_id for after in seen if after >= number}
            break
        expected = max(expected, number + 1)


def _sorted(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for group in groups for name in group}))
