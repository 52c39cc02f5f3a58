"""The record of a qualification: what was promised, on which parts, of which content, until when.

Bounded is ``trusted_pass_rate_of_defects``, P(trusted pass | defect of the calibration mix). It is not ppm shipped, not
a person's misses and not about a kind of defect that the calibration does not hold.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from linewarden_domain.acceptance import criteria_digest
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.violations import violations
from linewarden_vision.content import at_precision
from linewarden_vision.errors import BundleError

QUALIFICATION = "qualification.json"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_SHA256 = r"^[0-9a-f]{64}$"


class _Proof(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Statement(_Proof):
    """One bound: with confidence 1 - delta at most ``max_pass_rate`` of defects (of a class) pass with trust."""

    defect_class: str | None
    """None: all defects of the calibration mix."""
    max_pass_rate: FiniteFloat = Field(gt=0, lt=1)
    delta: FiniteFloat = Field(gt=0, lt=1)
    n: int = Field(gt=0)
    allowed: int = Field(ge=0)
    limit: FiniteFloat | None
    """Divert from here on, ties included; None where the bound needs nothing diverted."""


class ClassEvidence(_Proof):
    """Drawn groups of one class, and how many of them the bundle passes with trust; n = 0 is no evidence."""

    defect_class: str
    n: int = Field(ge=0)
    passed: int = Field(ge=0)


class Attempt(_Proof):
    """One qualification on these parts; every further one has its own share of delta."""

    content_digest: str = Field(pattern=_SHA256)
    parts_digest: str = Field(pattern=_SHA256)
    date: str = Field(pattern=_DAY)
    delta: FiniteFloat = Field(gt=0, lt=1)


_OF_CRITERIA = {"criteria_digest", "recipe", "within_limits"}


class Qualification(_Proof):
    """The whole record; ``content_digest`` is that of the content at ``precision``.

    Where a recipe's criteria let marked defects go, they are part of what was qualified, by ``criteria_digest``: what
    they passed of the defects beyond their limits counts as passed.
    """

    schema_version: Literal[1] = 1
    content_digest: str = Field(pattern=_SHA256)
    precision: str
    device: str
    data_digest: str = Field(pattern=_SHA256)
    parts_digest: str = Field(pattern=_SHA256)
    """Of the drawn groups' names: other pictures of the same parts are the same parts."""
    set_name: str
    curve_point: str
    date: str = Field(pattern=_DAY)
    expires: str = Field(pattern=_DAY)
    seed: int = Field(ge=0)
    tolerance: FiniteFloat = Field(ge=0)
    divert_from: FiniteFloat
    """The bundle's suspicion threshold: not above the smallest limit less the tolerance."""
    statements: list[Statement] = Field(min_length=1)
    classes: list[ClassEvidence]
    n: int = Field(gt=0)
    rejected: int = Field(ge=0)
    diverted: int = Field(ge=0)
    undecidable: int = Field(ge=0)
    passed: int = Field(ge=0)
    attempts: list[Attempt] = Field(min_length=1)
    criteria_digest: str | None = Field(default=None, pattern=_SHA256)
    recipe: str | None = None
    """The recipe whose criteria they were, as id@version."""
    within_limits: int = Field(default=0, ge=0)
    """Defective pictures that no bound speaks of: their true defects lie within what the criteria accept."""

    @property
    def joint_confidence(self) -> float:
        """Confidence that every statement of every attempt on these parts holds."""
        return max(0.0, 1.0 - sum(attempt.delta for attempt in self.attempts))

    def to_files(self) -> dict[str, bytes]:
        """Return the file of a bundle by name; without criteria as versions before them wrote and read it."""
        left_out = None if self.criteria_digest else _OF_CRITERIA
        return {QUALIFICATION: self.model_dump_json(indent=1, exclude=left_out).encode() + b"\n"}

    @classmethod
    def from_file(cls, content: bytes) -> "Qualification":
        """The qualification in a bundle's file; raises BundleError where it is not such a file."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise BundleError(f"{QUALIFICATION} cannot be read: {violations(error)}") from error

    def void_because(self, content: str, precision: str | None = None) -> str | None:
        """Say why the record does not speak of this content (at the precision in use), None where it does."""
        if self.content_digest != at_precision(content, self.precision):
            return "weights, a threshold, the calibration or the preprocessing are not those that were qualified"
        if precision is not None and precision != self.precision:
            return f"qualified at {self.precision}, in use at {precision}"
        return None

    def void_under(self, recipe: Recipe) -> str | None:
        """Say why the record does not speak of parts that a recipe lets pass, None where it does."""
        if recipe.thresholds is not None:
            return "the recipe has a threshold of its own"
        if self.criteria_digest == (asked := criteria_digest(recipe)):
            return None
        if self.criteria_digest is None:
            return "the recipe lets marked defects go, and was not qualified with its criteria"
        changed = "the recipe lets none go" if asked is None else "the recipe's differ"
        return f"qualified with the criteria {self.criteria_digest[:12]} of {self.recipe}: {changed}"

    def is_expired(self, today: str) -> bool:
        """Whether the day (YYYY-MM-DD) lies after the last one."""
        return today > self.expires
