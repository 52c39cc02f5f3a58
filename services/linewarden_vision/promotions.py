"""Promotions: the stage of a bundle is what they say, in order and for exactly this content.

taught -> shadow -> assisted -> released, one step at a time. Each step names who took it, on what evidence and on how
many independent groups. They are part of the bundle and so of its digest: a promoted bundle is another bundle, and a
recipe has to name it; the content digest, of which evidence speaks, stays.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from linewarden_schemas.violations import violations
from linewarden_vision.card import Stage
from linewarden_vision.errors import BundleError

PROMOTIONS = "promotions.json"
STAGES: tuple[Stage, ...] = ("taught", "shadow", "assisted", "released")


class PromotionEvidence(BaseModel):
    """The file that was looked at: its kind, its SHA-256, and n: independent groups in it, or frames of a shadow."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: Literal["evaluation", "qualification", "shadow"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    n: int = Field(gt=0)


class Promotion(BaseModel):
    """One step up: the stage reached, who took it, on which day (UTC), on what evidence, for which content.

    `worth` is what the evidence tells in one line. Where the stage asks for more than there was, `lacking` says what,
    and `override` why it was reached all the same.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    stage: Stage
    who: str = Field(min_length=1, max_length=128)
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    evidence: PromotionEvidence
    content_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    worth: str | None = None
    lacking: list[str] | None = None
    override: str | None = Field(default=None, min_length=1, max_length=500)


_LADDER = TypeAdapter(list[Promotion])


def next_stage(stage: Stage) -> Stage | None:
    """Return the only stage that may follow, None after the last."""
    place = STAGES.index(stage) + 1
    return STAGES[place] if place < len(STAGES) else None


def stage_of(promotions: Sequence[Promotion], content: str) -> Stage:
    """Return the stage that promotions of this content give; those of other content are void: taught.

    Raises BundleError where a step is left out, repeated or dated before the one it follows.
    """
    if any(step.content_digest != content for step in promotions):
        return "taught"
    reached: Stage = "taught"
    for place, step in enumerate(promotions):
        wanted = next_stage(reached)
        if step.stage != wanted:
            raise BundleError(f"{PROMOTIONS}: {step.stage} follows {reached}; no stage is left out or repeated")
        if place and step.date < promotions[place - 1].date:
            raise BundleError(f"{PROMOTIONS}: {step.stage} is dated before {reached}")
        reached = step.stage
    return reached


def promote(
    promotions: Sequence[Promotion],
    *,
    content: str,
    stage: Stage,
    who: str,
    date: str,
    evidence: PromotionEvidence,
    worth: str | None = None,
    lacking: Sequence[str] = (),
    override: str | None = None,
) -> list[Promotion]:
    """Append one step; void promotions of other content are dropped.

    Raises BundleError out of order, and for a step that lacks evidence and that nobody overrides.
    """
    if lacking and override is None:
        raise BundleError(f"{stage} asks for more: {'; '.join(lacking)}")
    valid = [step for step in promotions if step.content_digest == content]
    step = Promotion(
        stage=stage,
        who=who,
        date=date,
        evidence=evidence,
        content_digest=content,
        worth=worth,
        lacking=list(lacking) or None,
        override=override if lacking else None,
    )
    ladder = [*valid, step]
    stage_of(ladder, content)
    return ladder


def climb(content: str, stage: Stage, *, who: str, date: str, evidence: PromotionEvidence) -> list[Promotion]:
    """Take every step up to a stage on one piece of evidence, for bundles that a program makes whole."""
    ladder: list[Promotion] = []
    for step in STAGES[1 : STAGES.index(stage) + 1]:
        ladder = promote(ladder, content=content, stage=step, who=who, date=date, evidence=evidence)
    return ladder


def to_files(promotions: Sequence[Promotion]) -> dict[str, bytes]:
    """Return the file of a bundle by name; none without promotions."""
    if not promotions:
        return {}
    return {PROMOTIONS: _LADDER.dump_json(list(promotions), indent=1, exclude_none=True) + b"\n"}


def from_file(content: bytes) -> list[Promotion]:
    """The promotions in a bundle's file, in order; raises BundleError where it is not such a file."""
    try:
        return _LADDER.validate_json(content)
    except ValidationError as error:
        raise BundleError(f"{PROMOTIONS} cannot be read: {violations(error)}") from error
