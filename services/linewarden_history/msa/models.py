"""The files of a study: the plan, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from linewarden_schemas.vocabulary import Judgement as Answer


class ReferenceValue(StrEnum):
    """What a part is known to be."""

    OK = "OK"
    NG = "NG"


class _StudyFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReferencePart(_StudyFile):
    """A part with its reference. `pictures`: paths of its presentations to a camera, each re-loaded."""

    part_id: str = Field(min_length=1)
    reference: ReferenceValue
    defect_class: str | None = None
    pictures: tuple[str, ...] = Field(min_length=1)


class SheetLine(_StudyFile):
    """One presentation on a sheet: what the person sees is the token alone."""

    token: str
    part_id: str
    picture: str


class AppraisalSheet(_StudyFile):
    """What one person judges in one round, in this order."""

    operator: str
    round: int = Field(ge=1)
    places: tuple[SheetLine, ...]


class AppraisalPlan(_StudyFile):
    """Who judges what in which order. The same parts and seed give the same plan."""

    schema_name: Literal["linewarden.msa-plan.v1"] = "linewarden.msa-plan.v1"
    seed: int
    rounds: int
    operators: tuple[str, ...]
    parts: tuple[ReferencePart, ...] = Field(min_length=2)
    sheets: tuple[AppraisalSheet, ...]
    left_out: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_both_kinds(self) -> AppraisalPlan:
        if {part.reference for part in self.parts} != set(ReferenceValue):
            raise ValueError("a study needs good and defective parts")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the plan, by which a study names it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Presentation(_StudyFile):
    """What the machine said of one picture. `verdict` is the network's, `answer` that of network and trust together."""

    part_id: str
    picture: str
    sha256: str
    verdict: Answer
    answer: Answer
    p_defect: float | None = None
    suspicion: float | None = None
    undecidable: str | None = None


class Machine(_StudyFile):
    """The machine's part of a study, and with what it was done."""

    bundle_digest: str
    stage: str
    code_version: str
    device: str
    precision: str
    defect: float
    suspicion: float
    presentations: tuple[Presentation, ...]


class Appraisal(_StudyFile):
    """One answer of one person."""

    operator: str
    round: int = Field(ge=1)
    part_id: str
    answer: Answer


class AttributeStudy(_StudyFile):
    """Everything that was collected for a plan. `dropped` counts answers that belong to nothing, by cause."""

    schema_name: Literal["linewarden.msa-study.v1"] = "linewarden.msa-study.v1"
    plan: AppraisalPlan
    machine: Machine | None = None
    judgements: tuple[Appraisal, ...] = ()
    dropped: dict[str, int] = Field(default_factory=dict)


_File = TypeVar("_File", AppraisalPlan, AttributeStudy)


def read(kind: type[_File], path: Path) -> _File:
    """Read a plan or a study; raises ValueError with the first thing that is wrong."""
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        said = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        what = "plan" if kind is AppraisalPlan else "study"
        raise ValueError(f"{path} is no {what} of a study: {said}") from error


def write(path: Path, content: AppraisalPlan | AttributeStudy) -> None:
    """Write a plan or a study."""
    path.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


def with_judgements(study: AttributeStudy, found: Sequence[Appraisal], dropped: dict[str, int]) -> AttributeStudy:
    """Add answers; of two to the same round and part by the same person the first stands, and the other is counted."""
    known = {(one.operator, one.round, one.part_id): one for one in study.judgements}
    lost = dict(study.dropped)
    for cause, count in dropped.items():
        lost[cause] = lost.get(cause, 0) + count
    for one in found:
        held = known.setdefault((one.operator, one.round, one.part_id), one)
        if held is not one:
            lost["answered before"] = lost.get("answered before", 0) + 1
    return study.model_copy(update={"judgements": tuple(known.values()), "dropped": lost})
