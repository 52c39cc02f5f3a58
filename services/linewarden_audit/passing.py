"""When a part may pass: the rule of the line, written a second time. Pure.

It shares no code with what routes, so that a fault there is found here. Every function yields what speaks against a
pass, with the cause that the diversion then has; a part may pass where nothing does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from linewarden_audit.facts import CapturedFrame, InspectedFrame, RecipeName, ToldState
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Criterion, Recipe, ReviewRules
from linewarden_schemas.vocabulary import Cause, LineMode, Undecidable, Verdict

Contents = Mapping[tuple[str, int], Mapping[str, tuple[Recipe, int | None]]]
"""Contents of each recipe version by digest, each with when it was first written (epoch ms)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame: its first capture, its first inspection, and what further records of it say differently, in words.

    `further`: the inspections among these; `again`: captures that were sent again and say more of their part.
    """

    frame_id: str
    captured: CapturedFrame | None = None
    inspected: InspectedFrame | None = None
    contradicted: tuple[str, ...] = ()
    further: tuple[InspectedFrame, ...] = ()
    again: tuple[CapturedFrame, ...] = ()


class Unsettled(str):
    """Why nobody can know a recipe, of which whoever routed may have known one content alone."""

    __slots__ = ()


def recipe_named(
    contents: Contents, name: RecipeName, routed_ms: int | None = None, margin_ms: int = 0
) -> Recipe | str:
    """The recipe that a record names, or why nobody can know it.

    A version with two contents is none. With `routed_ms` only contents count that were written `margin_ms` before,
    which whoever routed then must have read; where there is none, those that it may have read.
    """
    known = contents.get((name.recipe_id, name.version), {})
    old = _written_before(known, None if routed_ms is None else routed_ms - margin_ms)
    if len(old) > 1:
        return f"recipe {name} has {len(old)} contents"
    if name.digest is not None:
        found = (old or _written_before(known, None)).get(name.digest)
        return f"recipe {name} is unknown in the content that is named" if found is None else found
    readable = old or _written_before(known, routed_ms) or _written_before(known, None)
    if len(readable) > 1:
        return Unsettled(f"recipe {name} has {len(readable)} contents, written about when it was needed")
    return next(iter(readable.values()), f"recipe {name} is unknown")


def _written_before(known: Mapping[str, tuple[Recipe, int | None]], before_ms: int | None) -> dict[str, Recipe]:
    return {
        digest: recipe
        for digest, (recipe, at_ms) in known.items()
        if before_ms is None or at_ms is None or at_ms < before_ms
    }


def sharpest(names: Sequence[RecipeName]) -> RecipeName:
    """Of names of one recipe the one that tells its content, if any does."""
    return next((name for name in names if name.digest is not None), names[0])


def rules_of(contents: Contents, name: RecipeName) -> ReviewRules:
    """What a review needs by the content that a record names, also where the version has another one and none passes.

    Without a digest the content counts that asks for most reviews; where there is none, the defaults.
    """
    known = contents.get((name.recipe_id, name.version), {})
    meant = [recipe for digest, (recipe, _) in known.items() if name.digest in (None, digest)]
    return max((one.review for one in meant), key=lambda rules: rules.reviews_required, default=ReviewRules())


class Objection(NamedTuple):
    """What speaks against a pass: the cause of the diversion, none for a defect, and the reason in words."""

    cause: Cause | None
    reason: str


def against_visit(frames: Sequence[Seen], recipe: Recipe) -> Iterator[Objection]:
    """What speaks against a pass of a visit of which exactly these frames are known."""
    yield from against_parts(frames, recipe)
    for view_id in sorted({spec.view_id for spec in recipe.views} - {_view(one) for one in frames}):
        yield Objection(Cause.LATE, f"view {view_id} is missing")
    for one in frames:
        yield from against_frame(one, recipe)
    if (recipe.criteria or recipe.zones) and None in [spec.mm_per_pixel for spec in recipe.views]:
        yield Objection(Cause.FAULT, "the recipe asks for criteria or zones, and for a view without a scale")


def against_parts(frames: Sequence[Seen], recipe: Recipe) -> Iterator[Objection]:
    """What captures say of the part and the line, and where they disagree."""
    captures = [each for one in frames for each in (one.captured, *one.again) if each is not None]
    if any(one.known_bad for one in captures):
        yield Objection(Cause.KNOWN_BAD, "it is a known-bad")
    yield from (Objection(Cause.FAULT, reason) for reason in _part_faults(captures, recipe))


def _part_faults(captures: Sequence[CapturedFrame], recipe: Recipe) -> Iterator[str]:
    told: tuple[tuple[str, Collection[object]], ...] = (
        ("lines", {one.line_id for one in captures}),
        ("stations", {one.station_id for one in captures}),
        ("serials", {one.part_id for one in captures} - {None}),
        ("lots", {one.lot_id for one in captures} - {None}),
        ("products", {one.product_id for one in captures} - {None}),
        ("line states", {one.line_state for one in captures}),
        ("places", {one.bin_slot for one in captures} - {None}),
        ("visits before", {one.returned[0] for one in captures if one.returned}),
        ("authorities", {one.returned[1] for one in captures if one.returned} - {None}),
        ("recipes", _recipes([one.recipe for one in captures])),
        ("kinds, simulated and real", {one.is_simulated for one in captures}),
        ("kinds, known-bad and not", {one.known_bad for one in captures}),
    )
    yield from (f"its views name {len(values)} {what}" for what, values in told if len(values) > 1)
    for mode in sorted({one.line_state[0] for one in captures} - {LineMode.PRODUCTION}):
        yield f"the line was in {mode.value}, not in production"
    if any(one.line_state[4] for one in captures):
        yield "passing was locked on the line"
    for product in sorted({one.product_id for one in captures if one.product_id} - {recipe.product_id}):
        yield f"the product is {product}, and the recipe is for {recipe.product_id}"
    for before in sorted({one.returned[0] for one in captures if one.returned and one.returned[1] is None}):
        yield f"the part came back after {before} without an authority"


def against_line(told: Sequence[ToldState], decided_ms: int, margin_ms: int) -> Iterator[tuple[str, bool]]:
    """What the states of a line say against a pass that was decided then, and whether it must have been known then.

    What was told within `margin_ms` before may not have been known. A line of which nothing is known says nothing here:
    what it told may be older than its topic is kept.
    """
    old = [one for one in told if one.at_ms <= decided_ms - margin_ms]
    new = [one for one in told if decided_ms - margin_ms < one.at_ms <= decided_ms]
    said = [one.against(decided_ms) for one in (*old[-1:], *new)]
    # Told within the millisecond of the decision it may stand before it or behind it.
    before = [one.against(decided_ms) for one in told if one.at_ms < decided_ms]
    last = [*before[-1:], *(one.against(decided_ms) for one in told if one.at_ms == decided_ms)]
    if before and None not in last:
        yield str(last[-1]), None not in said


def against_frame(seen: Seen, recipe: Recipe) -> Iterator[Objection]:
    """What speaks against one frame: then a person has to look at it, if there is a picture."""
    name = f"view {_view(seen)}"
    for reason in _frame_faults(seen, recipe):
        yield Objection(Cause.FAULT, f"{name}: {reason}")
    if seen.captured is None:
        yield Objection(Cause.LATE, f"{name} was never captured")
    elif seen.captured.lost is not None:
        yield Objection(Cause.FAULT, f"{name}: its picture is lost")
    if seen.inspected is None:
        yield Objection(Cause.LATE, f"{name} was never inspected")
    else:
        yield from (Objection(cause, f"{name}: {reason}") for cause, reason in _doubts(seen.inspected, recipe))


def _frame_faults(seen: Seen, recipe: Recipe) -> Iterator[str]:
    yield from (f"its records contradict each other: {what}" for what in seen.contradicted)
    if seen.captured is not None:
        yield from (f"its camera was {condition.value}" for condition in seen.captured.conditions)
    camera = next((spec.camera_id for spec in recipe.views if spec.view_id == _view(seen)), None)
    if camera is None:
        yield "the recipe has no such view"
    for record in (seen.captured, seen.inspected):
        if record is not None and camera not in (None, record.camera_id):
            yield f"camera {record.camera_id} is not the recipe's"
        if record is not None and (record.recipe.recipe_id, record.recipe.version) != _name(recipe):
            yield f"it names recipe {record.recipe}"
    if seen.inspected is not None:
        yield from _inspection_faults(seen.inspected, recipe)
    if seen.captured is not None and seen.inspected is not None:
        yield from apart(seen.captured, seen.inspected)


def apart(captured: CapturedFrame, inspected: InspectedFrame) -> Iterator[str]:
    """Where what was inspected is not what was captured."""
    told = (
        ("visit", captured.visit_id, inspected.visit_id),
        ("view", captured.view_id, inspected.view_id),
        ("line", captured.line_id, inspected.line_id),
        ("camera", captured.camera_id, inspected.camera_id),
        ("time of capture", captured.captured_ms, inspected.captured_ms),
        ("decide-by", captured.decide_by_ms, inspected.decide_by_ms),
        ("kind, simulated or real,", captured.is_simulated, inspected.is_simulated),
    )
    yield from (f"its capture and its inspection name another {what}" for what, one, two in told if one != two)
    if None not in (captured.sha256, inspected.frame_sha256) and captured.sha256 != inspected.frame_sha256:
        yield "what was inspected is not what was captured"
    if not captured.recipe.may_be(inspected.recipe):
        yield "its capture and its inspection name another recipe"


def _inspection_faults(inspected: InspectedFrame, recipe: Recipe) -> Iterator[str]:
    if inspected.frame_sha256 is None:
        yield "its inspection does not say what was inspected"
    if inspected.bundle_digest not in (None, recipe.bundle_digest):
        yield "its bundle is not the recipe's"
    if recipe.thresholds is not None and inspected.limits is not None:
        defect, suspicion = inspected.limits
        if defect != recipe.thresholds.defect or suspicion not in (recipe.thresholds.suspicion, 0.0):
            yield "it was judged by other thresholds than the recipe's"
    yield from _measuring_faults(inspected, recipe)
    asks_where = [one.locate for one in recipe.views if one.view_id == inspected.view_id] not in ([], [None])
    if inspected.verdict is Verdict.OK and asks_where and inspected.location is None:
        yield "the recipe asks where the part lies, and nobody tells"
    over = [limit for limit, _ in _limits(inspected, recipe) if not (inspected.p_defect or 0.0) <= limit]
    counts = any(not one.is_ignored for one in inspected.defects or ())
    may_overrule = inspected.accepted and recipe.accepts_above_threshold and counts
    if inspected.verdict is Verdict.OK and over and not may_overrule:
        yield f"it is OK with a p_defect of {inspected.p_defect}, over the threshold in force"


def _measuring_faults(inspected: InspectedFrame, recipe: Recipe) -> Iterator[str]:
    """An OK whose defects nobody measured although the recipe asks for it, or that are not what it accepts."""
    if inspected.verdict is not Verdict.OK:
        return
    asks = bool(recipe.criteria or recipe.zones)
    if asks and inspected.defects is None:
        yield "the recipe asks for criteria or zones, and nobody measured"
    for defect in inspected.defects or ():
        if not defect.is_ignored and not _is_acceptable(defect, recipe):
            yield f"a defect of {defect.length_mm:.2f} mm is none that the recipe accepts"
    yield from _counting_faults([one for one in inspected.defects or () if not one.is_ignored], recipe)


def _counting_faults(defects: Sequence[MeasuredDefect], recipe: Recipe) -> Iterator[str]:
    """More defects in a zone, and of a class, than a criterion allows; of an unknown class each may be of any."""
    for rule in recipe.criteria:
        if rule.max_count is None:
            continue
        counted = [
            one
            for one in defects
            if (rule.zone_id is None or rule.zone_id in one.zones)
            and (rule.defect_class is None or one.defect_class in {None, rule.defect_class})
        ]
        if len(counted) > rule.max_count:
            yield f"it has {len(counted)} defects where the recipe accepts {rule.max_count}"


def _is_acceptable(defect: MeasuredDefect, recipe: Recipe) -> bool:
    """Whether in each place where a defect lies something accepts it and nothing forbids it; counts are apart."""
    length, area = defect.length_mm + defect.length_error_mm, defect.area_mm2 + defect.area_error_mm2
    for place in (*defect.zones, *([None] if defect.is_outside or not defect.zones else [])):
        rules = [one for one in recipe.criteria if one.zone_id is None or one.zone_id == place]
        forbidden = [
            one
            for one in rules
            if one.defect_class in {None, defect.defect_class} or defect.defect_class is None
            if (one.max_length_mm or length) < length or (one.max_area_mm2 or area) < area
        ]
        if forbidden or not _is_accepted(defect, [one for one in rules if one.accept]):
            return False
    return True


def _is_accepted(defect: MeasuredDefect, accepting: Sequence[Criterion]) -> bool:
    """Whether a rule accepts it whatever its class, or one does for each class that it may be."""
    named = {one.defect_class for one in accepting}
    candidates = set(defect.may_be) if defect.defect_class is None else {defect.defect_class}
    return None in named or bool(candidates and candidates <= named)


def _doubts(inspected: InspectedFrame, recipe: Recipe) -> Iterator[tuple[Cause | None, str]]:
    if inspected.verdict is Verdict.NG:
        yield None, "the verdict is NG"
    elif inspected.verdict is Verdict.NOT_DECIDABLE:
        is_late = inspected.undecidable is Undecidable.LATE
        yield Cause.LATE if is_late else Cause.NOT_DECIDABLE, "it was not decidable"
    elif inspected.bundle_digest is None or None in (inspected.p_defect, inspected.suspicion, inspected.limits):
        yield Cause.FAULT, "its bundle, a score or a threshold is missing"
    elif any(not (inspected.suspicion or 0.0) < limit for _, limit in _limits(inspected, recipe)):
        yield Cause.LOW_TRUST, f"its suspicion {inspected.suspicion} is at or over the threshold in force"


def _limits(inspected: InspectedFrame, recipe: Recipe) -> list[tuple[float, float]]:
    """Thresholds in force, of p_defect and of suspicion: those that the inspection names and those of the recipe."""
    told = [] if inspected.limits is None else [inspected.limits]
    own = recipe.thresholds
    return told if own is None else [*told, (own.defect, own.suspicion)]


def _view(seen: Seen) -> str:
    known = seen.captured or seen.inspected
    return seen.frame_id if known is None else known.view_id


def _name(recipe: Recipe) -> tuple[str, int]:
    return recipe.recipe_id, recipe.version


def _recipes(names: Sequence[RecipeName]) -> set[tuple[str, int, str | None]]:
    """The different recipes among these; one without digest is no other than one with it."""
    versions = {(one.recipe_id, one.version) for one in names}
    digests = {(one.recipe_id, one.version, one.digest) for one in names if one.digest is not None}
    return digests | {
        (name, version, None)
        for name, version in versions
        if (name, version) not in {(one[0], one[1]) for one in digests}
    }
