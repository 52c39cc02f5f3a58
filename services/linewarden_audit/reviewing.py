"""What a visit's revisions, requests and outcomes must be, by what was captured, inspected and decided. Pure.

As `passing.py` it shares no code with what routes. Every function yields, in words, what does not follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from linewarden_audit.facts import CapturedFrame, Decided, Reviewed, RoutedVisit, SlotClosed, SlotOpened, ToldView
from linewarden_audit.passing import Seen, against_frame, against_visit
from linewarden_audit.slots import in_order
from linewarden_history.reading import place
from linewarden_schemas.disposition import SlotFrame
from linewarden_schemas.recipe import Recipe, ReviewRules
from linewarden_schemas.vocabulary import Act, Cause, CloseReason, Judgement, Outcome, Role, Routing, Skill, Verdict

RELEASED = frozenset({Outcome.ACCEPT, Outcome.USE_AS_IS})
"""Outcomes that let a part go on."""
_LEADS = frozenset({Role.LEAD, Role.QUALITY})
_WORDS = {
    "line_id": "line",
    "station_id": "station",
    "part_id": "serial",
    "lot_id": "lot",
    "product_id": "product",
    "bin_slot": "place",
    "line_state": "line state",
    "is_simulated": "kind, simulated or real,",
}
_JUDGES = {Skill.OPERATOR: _LEADS | {Role.OPERATOR}, Skill.LEAD: _LEADS}


def against_revisions(history: Sequence[RoutedVisit]) -> Iterator[str]:
    """Holes, and revisions that no visit can have: history is by revision."""
    numbers = {one.revision for one in history}
    for number in range(max(numbers, default=0)):
        if number not in numbers:
            yield f"revision {number} is missing"
    for one in history:
        yield from (f"revision {one.revision} {what}" for what in _shape(one))
    for before, after in pairwise(history):
        if before.revision + 1 != after.revision:
            continue
        name = f"revision {after.revision}"
        if before.final and after.final:
            yield f"{name} follows on a final one without an alarm"
        if after.routing.severity < before.routing.severity:
            yield f"{name} makes the routing better: {before.routing.value} was {after.routing.value}"
        if not after.recipe.may_be(before.recipe) or after.line_id != before.line_id:
            yield f"{name} names another recipe or line than the one before"


def _shape(one: RoutedVisit) -> Iterator[str]:
    if one.revision == 0:
        if one.final is (one.routing is Routing.DIVERTED):
            yield f"is {one.routing.value} and {'final' if one.final else 'not final'}"
        if one.alarm or one.decision_ids:
            yield "carries an alarm or decisions"
    elif one.final and (one.outcome is None or not one.decision_ids or one.alarm):
        yield "is final without an outcome that somebody decided"
    elif not one.final and (one.outcome is not None or not one.alarm):
        yield "is neither an outcome nor an alarm"


def against_telling(one: RoutedVisit, frames: Mapping[str, Seen]) -> Iterator[str]:
    """Where a disposition says of its visit what no record of it says."""
    name = f"revision {one.revision}"
    for view in one.views:
        seen = frames.get(view.frame_id or "")
        if view.verdict is not None and (seen is None or not _tells(view, seen)):
            yield f"{name} tells of view {view.view_id} what its inspection does not say"
        known = None if seen is None else seen.captured or seen.inspected
        if known is not None and known.view_id != view.view_id:
            yield f"{name} names frame {view.frame_id} as view {view.view_id}"
    captures = _captures(frames)
    yield from _unnamed(name, one, captures)
    if captures and one.returned_from not in {None, *(each.returned[0] for each in captures if each.returned)}:
        yield f"{name} names a visit before that no capture names"


def _captures(frames: Mapping[str, Seen]) -> list[CapturedFrame]:
    return [each for seen in frames.values() for each in (seen.captured, *seen.again) if each is not None]


def _unnamed(name: str, one: RoutedVisit | SlotOpened, captures: Sequence[CapturedFrame]) -> Iterator[str]:
    """What a disposition or a slot, which names less, says of its part and no capture of it does."""
    for field, what in _WORDS.items() if captures else ():
        value = getattr(one, field, None)
        if value is not None and value not in {getattr(each, field) for each in captures}:
            yield f"{name} names a {what} that no capture names"
    if captures and not any(one.recipe.may_be(each.recipe) for each in captures):
        yield f"{name} names a recipe that no capture names"


def _told(one: RoutedVisit, frames: Mapping[str, Seen]) -> list[Seen]:
    """Frames that a disposition names and of which anything is known."""
    named = (frames.get(view.frame_id or "") for view in one.views)
    return [seen for seen in named if seen is not None]


def against_asking(
    one: SlotOpened, frames: Mapping[str, Seen], recipe: Recipe | None, *, is_newest: bool
) -> Iterator[str]:
    """Where a slot asks for something else than what its visit is; the newest has to name every doubt."""
    name = f"slot {one.slot_id}"
    yield from _unnamed(name, one, _captures(frames))
    for asked in one.frames:
        seen = frames.get(asked.frame_id)
        if seen is None or not _shows(asked, seen):
            yield f"{name} asks for frame {asked.frame_id} as no record tells it"
        elif not is_newest or asked.doubtful or asked.verdict is None or seen.contradicted:
            continue
        elif is_doubtful(seen, recipe):
            yield f"{name} does not say that frame {asked.frame_id} has to be looked at"


def _shows(asked: SlotFrame, seen: Seen) -> bool:
    known = [one for one in (seen.captured, seen.inspected) if one is not None]
    digests = {seen.captured and seen.captured.sha256, seen.inspected and seen.inspected.frame_sha256}
    answers = [] if seen.inspected is None else [seen.inspected, *seen.further]
    said = (asked.verdict, asked.p_defect, asked.suspicion)
    is_told = asked.verdict is None or any(said == (one.verdict, one.p_defect, one.suspicion) for one in answers)
    lies = asked.frame is None or not answers or place(asked.frame) in {one.source for one in answers}
    return lies and is_told and asked.view_id in {one.view_id for one in known} and asked.sha256 in {None, *digests}


def against_cover(one: SlotOpened, frames: Mapping[str, Seen]) -> Iterator[str]:
    """Frames that a slot which waits does not show, although there is a picture of them."""
    shown = {asked.frame_id for asked in one.frames}
    for seen in frames.values():
        is_lost = seen.captured is None or seen.captured.lost is not None
        if seen.frame_id not in shown and not is_lost:
            yield f"slot {one.slot_id} does not show frame {seen.frame_id}"


def _tells(view: ToldView, seen: Seen) -> bool:
    answers = [] if seen.inspected is None else [seen.inspected, *seen.further]
    said = (view.verdict, view.undecidable, view.p_defect, view.suspicion)
    return any(said == (one.verdict, one.undecidable, one.p_defect, one.suspicion) for one in answers)


def against_routing(first: RoutedVisit, frames: Mapping[str, Seen], recipe: Recipe | None) -> Iterator[str]:
    """Why a first routing that is no pass can't be: rejected without a defect, or diverted for what is not so."""
    told = _told(first, frames)
    answered = {view.frame_id for view in first.views if view.verdict is not None}
    verdicts = {one.inspected.verdict for one in told if one.inspected is not None and one.frame_id in answered}
    causes = set(first.causes)
    known_bad = any(one.captured is not None and one.captured.known_bad for one in told)
    if (Cause.KNOWN_BAD in causes) is not known_bad:
        yield "a known-bad and its cause do not go together"
    if first.routing is Routing.REJECTED and (Verdict.NG not in verdicts or known_bad):
        yield "rejected although no view is NG, or although it measures people"
    if first.routing is Routing.TRUSTED_PASS or known_bad:
        return
    is_split = any(one.contradicted for one in told)
    is_drawn = Cause.REJECT_REVIEW in causes
    if first.routing is Routing.DIVERTED and Verdict.NG in verdicts and not is_drawn and not is_split:
        yield "diverted although a view is NG"
    if is_drawn and Verdict.NG not in verdicts:
        yield "diverted for the review of a reject although no view is NG"
    if recipe is not None and not is_split:
        plain = [Seen(one.frame_id, one.captured, one.inspected) for one in told]
        yield from _other_causes(causes, {one.cause for one in against_visit(plain, recipe)})


def _other_causes(causes: Collection[Cause], due: Collection[Cause | None]) -> Iterator[str]:
    """Causes that the records show and the routing does not name, and the other way round.

    Not known is what a late visit could name at its decide-by, nor what a clock said.
    """
    for cause in (Cause.FAULT, Cause.LOW_TRUST, Cause.NOT_DECIDABLE):
        if cause in due and cause not in causes and Cause.LATE not in causes:
            yield f"its records show {cause.value}, which its routing does not name"
        if cause in causes and cause not in due and cause is not Cause.FAULT:
            yield f"diverted for {cause.value}, which no record shows"


def against_outcome(
    one: RoutedVisit,
    reviewed: Reviewed,
    frames: Mapping[str, Seen],
    recipe: Recipe | None,
    rules: ReviewRules,
    *,
    forgotten: bool,
) -> Iterator[str]:
    """Why the decisions that a final revision names do not make its outcome.

    Of a visit that may be `forgotten` the slots may be gone.
    """
    name = f"revision {one.revision}"
    counting = [reviewed.decisions[each] for each in one.decision_ids if each in reviewed.decisions]
    if len(counting) != len(set(one.decision_ids)):
        yield f"{name} counts a decision that nobody made"
    for decision in counting:
        for why in _invalid(decision, reviewed, forgotten=forgotten):
            yield f"{name} counts decision {decision.decision_id}, {why}"
    if sorted(one.actors) != sorted({each.actor for each in counting}):
        yield f"{name} names other people than its decisions"
    if len({each.actor for each in counting}) != len(counting):
        yield f"{name} counts one person twice"
    deciding = _deciding(counting, rules)
    if not deciding:
        yield f"{name} has an outcome without the {rules.reviews_required} judgements that agree, or a lead's tie-break"
        return
    if {(each.outcome or _plain(each, rules), each.concession) for each in deciding} != {(one.outcome, one.concession)}:
        yield f"{name} has another outcome than was decided"
    if one.outcome in RELEASED:
        for frame_id in _uncovered(one, deciding, frames, recipe):
            yield f"{name} releases the part although nobody looked at {frame_id}"


def _invalid(decision: Decided, reviewed: Reviewed, *, forgotten: bool) -> Iterator[str]:
    of_slot = [one for one in in_order(reviewed) if one.slot_id == decision.slot_id]
    opened = [one for one in of_slot if isinstance(one, SlotOpened)]
    closed = [one for one in of_slot if isinstance(one, SlotClosed)]
    if decision.act is not Act.JUDGE or decision.judgement in (None, Judgement.UNSURE):
        yield "which judges nothing"
    if not of_slot:
        if not forgotten:
            yield "whose slot there never was"
    elif not closed or closed[-1].reason is not CloseReason.DECIDED or closed[-1].decision_id != decision.decision_id:
        yield "by which its slot was not closed, or which was undone"
    if opened and decision.role not in _JUDGES[opened[-1].skill]:
        yield f"for which {decision.role.value} has no authority"
    if decision.outcome not in (None, Outcome.ACCEPT) and decision.role is not Role.QUALITY:
        yield f"which names {decision.outcome.value} without the authority"
    if decision.outcome is not None and (decision.judgement is Judgement.OK) is not (
        decision.outcome is Outcome.ACCEPT
    ):
        yield f"which says {decision.judgement} and names {decision.outcome.value}"


def _deciding(counting: Sequence[Decided], rules: ReviewRules) -> list[Decided]:
    """The judgements that carry the outcome: all required ones where they agree, else the tie-break."""
    by_round: dict[int, Decided] = {}
    for one in counting:
        by_round[_round_of(one)] = one
    required = [by_round[number] for number in range(rules.reviews_required) if number in by_round]
    if len(required) < rules.reviews_required or len(by_round) != len(counting):
        return []
    if len({(one.outcome or _plain(one, rules), one.concession) for one in required}) == 1:
        return required
    tie_break = by_round.get(rules.reviews_required)
    return [tie_break] if tie_break is not None and tie_break.role in _LEADS else []


def _round_of(decision: Decided) -> int:
    """The round in a slot's id, which ends in `.r<round>.g<generation>`; -1 where it has none."""
    words = decision.slot_id.removeprefix(f"{decision.visit_id}.").split(".")
    told = words[0].removeprefix("r")
    return int(told) if len(words) == 2 and told.isdigit() else -1


def _plain(decision: Decided, rules: ReviewRules) -> Outcome:
    if decision.judgement is Judgement.OK:
        return Outcome.ACCEPT
    return Outcome.SCRAP if rules.ng_outcome in RELEASED else rules.ng_outcome


def _uncovered(
    one: RoutedVisit, deciding: Sequence[Decided], frames: Mapping[str, Seen], recipe: Recipe | None
) -> list[str]:
    """Frames that were known at the outcome and are doubtful, and that one of these judgements did not look at."""
    return [
        seen.frame_id
        for seen in _told(one, frames)
        if is_doubtful(seen, recipe) and not all(_looked_at(seen, each) for each in deciding)
    ]


def _looked_at(seen: Seen, decision: Decided) -> bool:
    """Whether a person covered a frame, and no other picture than one of its own was on the screen."""
    own = {seen.captured and seen.captured.sha256, seen.inspected and seen.inspected.frame_sha256} - {None}
    on_screen = {sha256 for frame_id, sha256 in decision.shown if frame_id == seen.frame_id}
    return seen.frame_id in decision.covers and (not own or on_screen <= own)


def is_doubtful(seen: Seen, recipe: Recipe | None) -> bool:
    """Whether a person has to look at a frame: there is a picture, and the machine does not vouch for it."""
    if seen.captured is not None and seen.captured.lost is not None:
        return False
    return recipe is None or any(against_frame(seen, recipe))


def repeated(history: Sequence[RoutedVisit]) -> list[int]:
    """Revisions of which there is more than one record."""
    return [number for number, count in sorted(Counter(one.revision for one in history).items()) if count > 1]
