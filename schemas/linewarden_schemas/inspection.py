"""What inspect says of one frame, and the evidence that the keeper saves of it."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from linewarden_schemas.base import Count, Digest, EpochMs, Finite, Id, Message, MessagePart, Share, Text
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.reason import CodedReasons
from linewarden_schemas.recipe import Thresholds
from linewarden_schemas.vocabulary import Undecidable, Verdict


class SourceRef(MessagePart):
    """Where a record lies: physical topic, partition and offset."""

    topic: Id
    partition: Count
    offset: Count


class Maps(MessagePart):
    """Small maps as PNG files (8 bit grey): the mask at native size, the heatmaps on the bundle's fixed scale."""

    mask_png: bytes
    class_specific_png: bytes
    class_agnostic_png: bytes


class MeasuredDefect(MessagePart):
    """A connected part of a mask, or several that the recipe counts as one: where it lies and how large it is.

    `x`, `y`, `width`, `height` in pixels of the native picture. Length is the larger of its greatest extent and of its
    skeleton; each figure has its uncertainty, at about two standard deviations. `zones` are those that it touches,
    `is_outside` where some of it lies in none. `is_within`: within the recipe's limits, or wholly in ignored zones
    (`is_ignored`). `class_probability` is that of the most probable class, where the bundle tells classes; where that
    is too low, the class is unknown: `defect_class` is absent, and `may_be` names every class that the bundle knows.
    """

    x: Count
    y: Count
    width: Count
    height: Count
    length_mm: Finite
    length_error_mm: Finite
    area_mm2: Finite
    area_error_mm2: Finite
    zones: tuple[Id, ...] = ()
    is_outside: bool = True
    is_ignored: bool = False
    defect_class: Id | None = None
    class_probability: Share | None = None
    may_be: tuple[Id, ...] = ()
    is_within: bool = False


class Location(MessagePart):
    """Where the part lay, against the picture that the recipe's template was cut from.

    The shift is of the template's middle, in pixels of the native picture; the turn is clockwise. Their uncertainties
    are at about two standard deviations. `score` is the normalised correlation with the template.
    """

    shift_x_px: Finite
    shift_y_px: Finite
    turn_deg: Finite
    score: Share
    error_px: Finite
    error_deg: Finite


class Inspection(Message):
    """Verdict and trust of one frame. Scores are absent exactly where the frame was not decidable.

    `location`: of a part that the recipe has located.
    `defects` are what was measured for the recipe's criteria and zones, the largest first; None where nobody measured.
    `defect_class` is that of the first of them that is beyond its limits, else of the first that counts.
    `accepted`: an OK although something is marked, since all of it lies within what the recipe accepts.
    `clock_checked` is the frame's: whether the clock behind `captured_ms` had been compared with the broker's.
    """

    TYPE: ClassVar[str] = "linewarden.inspection.v1"

    frame_id: Id
    visit_id: Id
    view_id: Id
    line_id: Id
    camera_id: Id
    verdict: Verdict
    undecidable: Undecidable | None = None
    reasons: tuple[Text, ...] = ()
    reasons_coded: CodedReasons = ()
    p_defect: Share | None = None
    margin: Finite | None = None
    suspicion: Finite | None = None
    ingredients: dict[str, Finite] = Field(default_factory=dict)
    thresholds: Thresholds | None = None
    defect_class: Id | None = None
    defects: tuple[MeasuredDefect, ...] | None = None
    accepted: bool = False
    location: Location | None = None
    maps: Maps | None = None
    recipe: RecipeRef
    frame_sha256: Digest | None = None
    bundle_digest: Digest | None = None
    code_version: Text
    device: Text | None = None
    precision: Text | None = None
    source: SourceRef
    captured_ms: EpochMs
    decide_by_ms: EpochMs
    inspected_ms: EpochMs
    clock_checked: bool = False
    is_simulated: bool = False

    @model_validator(mode="after")
    def _scores_exist_where_decided(self) -> Self:
        decided = self.verdict is not Verdict.NOT_DECIDABLE
        if decided == (self.undecidable is not None):
            raise ValueError("NOT_DECIDABLE carries its reason, and only it does")
        if decided and None in (self.p_defect, self.suspicion, self.thresholds, self.bundle_digest):
            raise ValueError("a decided frame carries p_defect, suspicion, thresholds and the bundle's digest")
        if self.accepted and (self.verdict is not Verdict.OK or not self.defects):
            raise ValueError("what is accepted is OK, and has defects that were measured")
        return self

    @property
    def is_doubtful(self) -> bool:
        """Whether a person must cover this frame before its visit can be accepted."""
        if self.verdict is not Verdict.OK or self.thresholds is None or self.suspicion is None:
            return True
        return self.suspicion >= self.thresholds.suspicion


class Evidence(Message):
    """Picture and maps of a frame of a requested visit, kept beyond the retention of `frames`."""

    TYPE: ClassVar[str] = "linewarden.evidence.v1"

    frame_id: Id
    visit_id: Id
    view_id: Id
    picture: bytes | None = None
    content_type: Text | None = None
    sha256: Digest | None = None
    maps: Maps | None = None
    missing: Text | None = None
    kept_ms: EpochMs

    @model_validator(mode="after")
    def _absence_has_a_reason(self) -> Self:
        if self.picture is None and self.missing is None:
            raise ValueError("evidence without a picture says why")
        return self
