"""The recipe: versioned, immutable settings of a product, with every field that a decision depends on."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from linewarden_schemas import ids
from linewarden_schemas.base import (
    Actor,
    Count,
    Digest,
    DurationMs,
    EpochMs,
    Finite,
    Id,
    Message,
    MessagePart,
    Share,
    Text,
    is_reading,
)
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import LocateBy, Outcome, VerdictRule

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Provenance(MessagePart):
    """Where a threshold comes from: set, sample size, the point of the curve, and when."""

    data_digest: Digest
    n_defects: int
    n_good: int
    rule: Text
    dated_ms: EpochMs


class Thresholds(MessagePart):
    """`defect` on the probability of a defect (NG above it), `suspicion` on u (an OK at or above it diverts)."""

    defect: Share
    suspicion: Finite
    provenance: Provenance | None = None


class Zone(MessagePart):
    """A polygon in part coordinates, of one view or of all. What lies wholly in ignored zones is not judged.

    Part coordinates are mm to the right of and below the upper left corner of the view's region, and turn with the part
    where the view locates it.
    """

    zone_id: Id
    polygon: tuple[tuple[Finite, Finite], ...]
    ignore: bool = False
    view_id: Id | None = None


class Region(MessagePart):
    """A rectangle in pixels of the native picture."""

    x: int
    y: int
    width: int
    height: int


class Locate(MessagePart):
    """How the part is found in a view's picture before it is judged: where its template lies now.

    The template, a PNG of 8 bit grey, was cut from a good picture at `x`, `y` (pixels of the native picture) and
    reduced `reduction` times; region and zones are told for the part as it lay there. It may lie `max_shift_px` away
    and be turned by `max_turn_deg`; what correlates with the template by less than `least_score` is not the part.
    """

    template_png: Annotated[bytes, Field(max_length=100_000)]
    x: Count
    y: Count
    reduction: Annotated[int, Field(ge=1, le=64)] = 1
    by: LocateBy = LocateBy.GREY
    max_shift_px: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    max_turn_deg: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    least_score: Share


class ViewSpec(MessagePart):
    """One picture that the recipe expects of a visit.

    `scale_error` is the uncertainty of `mm_per_pixel` as a share of it, and `scale_until_ms` when it has to be
    calibrated again: from then on nothing is measured, and what has to be diverts.
    """

    view_id: Id
    camera_id: Id
    pose: Id | None = None
    light: Id | None = None
    region: Region | None = None
    locate: Locate | None = None
    mm_per_pixel: Positive | None = None
    scale_error: Share = 0.0
    scale_until_ms: EpochMs | None = None


class Criterion(MessagePart):
    """Acceptance limits for defects of a class in a zone, of any where none is named; an absent limit does not bind.

    Only with `accept` is a defect within its limits let go; without, it is told with its figures and stays NG.
    """

    defect_class: Id | None = None
    zone_id: Id | None = None
    accept: bool = False
    max_length_mm: Positive | None = None
    max_area_mm2: Positive | None = None
    max_count: Count | None = None


class ReviewRules(MessagePart):
    """Who looks at what, how often and how fast.

    `needs` is a skill that a person must have to judge this product. More slots than `capacity_per_hour`, or one
    older than `max_age_ms`, ask for a slower line or a stop; neither ever moves a threshold.
    """

    reviews_required: Annotated[int, Field(ge=1, le=3)] = 1
    needs: Id | None = None
    audit_share_of_passes: Share = 0.0
    reject_review_share: Share = 0.0
    ng_outcome: Outcome = Outcome.SCRAP
    undo_window_ms: DurationMs = 20_000
    capacity_per_hour: Annotated[int, Field(ge=1)] | None = None
    max_age_ms: DurationMs = 3_600_000
    slack_low_risk_ms: DurationMs = 600_000
    evidence_keep_ms: DurationMs = 30 * 86_400_000


LEAST_HORIZON_MS = 60_000


class TimeBudget(MessagePart):
    """The line's deadline and the margins that a trusted pass must keep.

    Where the line has a gate, it must have reported what it did `gate_report_ms` after the deadline.
    """

    decide_by_ms: DurationMs = 10_000
    commit_margin_ms: DurationMs = 500
    max_skew_ms: DurationMs = 5_000
    spool_horizon_ms: DurationMs = 86_400_000
    gate_report_ms: DurationMs = 10_000

    @property
    def remembered_ms(self) -> int:
        """How long a final visit is remembered at least, and can be opened again, whatever the recipe says."""
        return max(LEAST_HORIZON_MS, self.decide_by_ms, self.spool_horizon_ms)


class MasterPart(MessagePart):
    """A part whose answer is known: NG in `ng_views`, OK in every other view; a good one has none."""

    part_id: Id
    ng_views: tuple[Id, ...] = ()


class CheckRules(MessagePart):
    """Which master parts prove that the line still sees, how often, and how long such a check may take.

    They are known by their serial, or with `in_order` by the order in which they are run. `every_ms` after a good
    check, or after `every_parts` decided parts, the next one is due; what is overdue locks passing.
    """

    masters: Annotated[tuple[MasterPart, ...], Field(min_length=1, max_length=32)]
    in_order: bool = False
    within_ms: Annotated[int, Field(ge=1)] = 900_000
    every_ms: Annotated[int, Field(ge=1)] | None = None
    every_parts: Annotated[int, Field(ge=1)] | None = None


class Recipe(Message):
    """One version of a recipe. `thresholds` absent means those of the bundle's card.

    Pieces of a mask nearer than `defect_gap_mm` are one defect. Only with `accepts_above_threshold` are acceptable
    defects let go although the probability of a defect is above its threshold. An assisted bundle lets parts go only
    while a live limit holds that is not above `max_defect_rate_of_passes`.
    """

    TYPE: ClassVar[str] = "linewarden.recipe.v1"

    recipe_id: Id
    version: Annotated[int, Field(ge=1)]
    product_id: Id
    bundle_digest: Digest
    views: Annotated[tuple[ViewSpec, ...], Field(min_length=1)]
    verdict_rule: VerdictRule = VerdictRule.CLASSIFIER
    thresholds: Thresholds | None = None
    zones: tuple[Zone, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    defect_gap_mm: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.0
    accepts_above_threshold: bool = False
    max_defect_rate_of_passes: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    review: ReviewRules = ReviewRules()
    time: TimeBudget = TimeBudget()
    check: CheckRules | None = None
    created_ms: EpochMs
    created_by: Actor
    note: Text | None = None

    @model_validator(mode="after")
    def _views_and_zones_are_unique(self) -> Self:
        for what, names in (
            ("view", [view.view_id for view in self.views]),
            ("zone", [zone.zone_id for zone in self.zones]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"a {what} is named twice in recipe {self.recipe_id}@{self.version}")
        return self

    @model_validator(mode="after")
    def _says_everything_when_written(self, info: ValidationInfo) -> Self:
        if not is_reading(info):
            _say_everything(self)
        return self

    def to_json(self) -> bytes:
        """UTF-8 JSON: every field that this recipe was made or read with, and no default that it never named."""
        return self.model_dump_json(exclude_none=True, exclude_unset=True).encode()

    def digest(self) -> str:
        """SHA-256 of the content in its canonical form, which every reader of the record comes to.

        It covers the fields that the record has, also those that a newer writer added, and no default that the
        record does not name: JSON without nulls and spaces, keys sorted, whole numbers without a fraction, UTF-8.
        """
        content = self.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        canonical = json.dumps(_whole(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return ids.digest(canonical.encode())

    def ref(self) -> RecipeRef:
        """The reference that captures, frames and inspections carry."""
        return RecipeRef(recipe_id=self.recipe_id, version=self.version, digest=self.digest())


def _say_everything(part: MessagePart) -> None:
    """Count every field as named, so that the record keeps its meaning where a default changes."""
    part.__pydantic_fields_set__.update(type(part).model_fields)
    for _, value in part:
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, MessagePart):
                _say_everything(one)


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Numbers that are whole as integers: a writer may say 1 where another says 1.0."""
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def measures(recipe: Recipe) -> bool:
    """Whether a recipe has defects measured: it names acceptance criteria or zones."""
    return bool(recipe.criteria or recipe.zones)


def unjudged(recipe: Recipe) -> tuple[str, ...]:
    """What a recipe asks for and no stage of a line can judge by it, in words; its visits never pass on trust."""
    can_measure = recipe.verdict_rule is VerdictRule.EITHER and all(view.mm_per_pixel for view in recipe.views)
    asked = ((recipe.criteria, "acceptance criteria"), (recipe.zones, "zones"))
    return () if can_measure else tuple(what for given, what in asked if given)
