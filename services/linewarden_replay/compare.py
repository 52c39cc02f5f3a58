"""What differs between a recorded inspection and the same frame inspected again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from linewarden_domain.agreement import ACROSS_DEVICES_TOLERANCE, SAME_DEVICE_TOLERANCE, deviation
from linewarden_history.maps import digest_of
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Undecidable, Verdict


class Kind(StrEnum):
    """The weightiest thing that differs, weightiest first."""

    NOT_RECORDED = "not_recorded"
    """The live line never answered this frame."""

    VERDICT = "verdict"
    """Verdict, or the reason why there is none."""

    TRUST = "trust"
    """Both OK, but only one of them trusted."""

    NUMBERS = "numbers"
    """Same verdict and trust; scores further apart than the tolerance."""

    MAPS = "maps"
    """Same numbers; maps further apart than `maps.TOLERANCE`."""


class Cause(StrEnum):
    """The change that alone makes the difference."""

    BUNDLE = "bundle"
    RECIPE = "recipe"
    CODE = "code"
    """Same bundle, same recipe, and still another answer."""

    DEVICE = "device"
    """The same, by the same version of the code on another device or in another number format."""

    TOGETHER = "together"
    """No change alone, but all of them at once."""

    NOT_TRIED = "not_tried"
    """The bundle or recipe of then is not at hand, so that the changes cannot be told apart."""

    NOT_RECORDED = "not_recorded"
    """There is no answer of then."""


@dataclass(frozen=True, slots=True)
class Made:
    """By what an answer was made; `recipe` is ID@VERSION."""

    bundle: str | None = None
    recipe: str = ""
    code: str = ""
    device: str | None = None
    precision: str | None = None

    def same_device(self, other: Made) -> bool:
        """Whether device and number format are the same, so that numbers are expected to be."""
        return (self.device, self.precision) == (other.device, other.precision)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an inspection said; of its maps only their digest."""

    verdict: Verdict
    undecidable: Undecidable | None
    doubtful: bool
    p_defect: float | None
    suspicion: float | None
    maps: str | None = None
    made: Made = Made()

    @classmethod
    def of(cls, inspection: Inspection) -> Answer:
        """Reduce an inspection."""
        recipe = recipe_key(inspection.recipe.recipe_id, inspection.recipe.version)
        return cls(
            inspection.verdict,
            inspection.undecidable,
            inspection.is_doubtful,
            inspection.p_defect,
            inspection.suspicion,
            digest_of(inspection.maps),
            Made(inspection.bundle_digest, recipe, inspection.code_version, inspection.device, inspection.precision),
        )

    @property
    def is_trusted_ok(self) -> bool:
        """Whether this view lets its visit pass."""
        return self.verdict is Verdict.OK and not self.doubtful


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far p_defect and suspicion may lie apart, on the device of then and on another."""

    same_device: float = SAME_DEVICE_TOLERANCE
    across: float = ACROSS_DEVICES_TOLERANCE

    def between(self, one: Answer, other: Answer) -> float:
        """The tolerance for two answers."""
        return self.same_device if one.made.same_device(other.made) else self.across


@dataclass(frozen=True, slots=True)
class Difference:
    """One frame that is answered differently now."""

    frame_id: str
    visit_id: str
    kind: Kind
    recorded: Answer | None
    replayed: Answer
    causes: tuple[Cause, ...] = ()


def kind_of(recorded: Answer | None, replayed: Answer, tolerances: Tolerances) -> Kind | None:
    """What differs, None where both say the same within the tolerance; maps are left to whoever has them."""
    if recorded is None:
        return Kind.NOT_RECORDED
    if (recorded.verdict, recorded.undecidable) != (replayed.verdict, replayed.undecidable):
        return Kind.VERDICT
    if recorded.doubtful != replayed.doubtful:
        return Kind.TRUST
    return Kind.NUMBERS if deviation(recorded, replayed) > tolerances.between(recorded, replayed) else None
