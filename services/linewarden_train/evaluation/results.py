"""What an evaluation says, as one JSON document. A figure that has no evidence is null, never zero."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from linewarden_vision.region_classes import ClassTable


class EvaluationRecord(BaseModel):
    """Frozen, with no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Size(EvaluationRecord):
    """How much evidence a figure rests on; groups are the unit of every claim."""

    n_pictures: int
    n_groups: int
    n_seeds: int


class EvaluationPlan(EvaluationRecord):
    """What is fixed before anyone looks."""

    score: str = "trust"
    rival: str = "margin"
    budget: FiniteFloat = Field(default=0.05, gt=0, lt=1)
    overkill: FiniteFloat = Field(default=0.01, gt=0, lt=1)
    budgets: tuple[FiniteFloat, ...] = (0.01, 0.02, 0.05, 0.10, 0.20)
    confidence: FiniteFloat = Field(default=0.95, gt=0, lt=1)
    bootstraps: int = Field(default=1000, ge=0)


class Interval(EvaluationRecord):
    """A value with the percentile interval of a bootstrap over groups, where one was drawn."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Endpoint(EvaluationRecord):
    """The primary endpoint: one named score against one rival, groups caught more by either side."""

    score: str
    rival: str
    budget: float
    recall: Interval
    rival_recall: Interval
    difference: Interval
    size: Size
    more_by_score: list[str]
    more_by_rival: list[str]
    tied: int
    p_value: float

    @property
    def discordant(self) -> int:
        """Groups that one side caught more of."""
        return len(self.more_by_score) + len(self.more_by_rival)


class ScoreRow(EvaluationRecord):
    """One score at equal load with all others; loads are shares of good groups."""

    name: str
    recall: dict[str, float | None]
    """By budget, such as "0.05"."""
    at_budget: Interval
    """At the plan's budget, with its interval."""
    diverted_for_95: float | None
    diverted_for_all: float | None
    auroc: float | None
    average_precision: float | None
    aurc: float | None
    augrc: float | None


class Curve(EvaluationRecord):
    """Share of good groups diverted against ``trusted_pass_rate_of_defects``, both by group; a step function."""

    name: str
    diverted: list[float]
    trusted_pass_rate_of_defects: list[float]


class EitherRule(EvaluationRecord):
    """``either`` as the verdict rule against diverting by a score, at the same total load on good groups."""

    overkill_rate_of_good: float
    total_load: float
    recall: float | None
    at_same_load: dict[str, float | None]


class Rates(EvaluationRecord):
    """The verdict alone; each rate by group, with its own denominator."""

    miss_rate_of_defects: float | None
    overkill_rate_of_good: float | None
    image_average_precision: float | None
    image_auroc: float | None
    good: Size
    defective: Size
    missed: Size
    undecidable_good: int
    undecidable_defective: int


class Findings(EvaluationRecord):
    """Everything about one set of pictures."""

    rates: Rates
    endpoint: Endpoint | None
    """None where no defective part is missed: nothing is left to catch."""
    scores: list[ScoreRow]
    curves: list[Curve]
    random_catches_all: dict[str, float]
    """Probability, by budget, that a random ranking catches every group: budget to the power of groups."""
    either: EitherRule | None


class ClassFigure(EvaluationRecord):
    """What one class of defects met: its own miss rate, mask figures where it is annotated."""

    defect_class: str
    size: Size
    miss_rate_of_defects: float | None
    defect_iou: float | None
    seg_recall: float | None
    annotated: int


class MaskFigures(EvaluationRecord):
    """Masks at native size over annotated pictures, by the definitions of linewarden_vision.metrics."""

    size: Size
    unannotated: int
    pooled_iou: float | None
    sample_miou: float | None
    seg_miou: float | None
    seg_recall: float | None
    two_class_pooled_miou: float | None
    by_class: list[ClassFigure]


class OperatingPoint(EvaluationRecord):
    """What the bundle's own thresholds do here; shares by group."""

    divert_from: float
    diverted_share_of_good: float | None
    recall: float | None
    trusted_pass_rate_of_defects: float | None


class EvaluationSource(EvaluationRecord):
    """What was evaluated on what."""

    bundle_digest: str
    content_digest: str
    name: str
    set_name: str
    split: str
    data_digest: str
    device: str
    precision: str
    code_version: str
    date: str


class Evaluation(EvaluationRecord):
    """Findings with all pictures and without groups of mixed labels; ``plan`` was fixed beforehand."""

    kind: Literal["evaluation"] = "evaluation"
    schema_version: Literal[1] = 1
    plan: EvaluationPlan
    source: EvaluationSource | None = None
    findings: Findings
    masks: MaskFigures
    mixed_groups: list[str]
    without_mixed: Findings | None
    """None where no group is mixed, or where nothing is left without them."""
    operating: OperatingPoint | None = None
    shared_groups: int | None = None
    """Groups of the set that also made the bundle; None where the bundle does not say which did."""
    classes: ClassTable | None = None
    """Of what the bundle marked; None where it tells no classes."""
    notes: list[str] = []

    @property
    def n(self) -> int:
        """Independent defective groups: the number that evidence is quoted with."""
        return self.findings.rates.defective.n_groups
