"""What differs between a recorded inspection and the same frame inspected again, and which change makes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from linewarden_domain.agreement import ACROSS_DEVICES_TOLERANCE, SAME_DEVICE_TOLERANCE, deviation
from linewarden_history.maps import digest_of
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.vocabulary import Undecidable, Verdict


class DifferenceKind(StrEnum):
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


class DifferenceCause(StrEnum):
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
class FrameAnswer:
    """What an inspection said; of its maps only their digest."""

    verdict: Verdict
    undecidable: Undecidable | None
    doubtful: bool
    p_defect: float | None
    suspicion: float | None
    maps: str | None = None
    made: Made = Made()

    @classmethod
    def of(cls, inspection: Inspection) -> FrameAnswer:
        """What an inspection said, with the digest of its maps and what made it."""
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

    def between(self, one: FrameAnswer, other: FrameAnswer) -> float:
        """The tolerance for two answers."""
        return self.same_device if one.made.same_device(other.made) else self.across


@dataclass(frozen=True, slots=True)
class Difference:
    """One frame that is answered differently now."""

    frame_id: str
    visit_id: str
    kind: DifferenceKind
    recorded: FrameAnswer | None
    replayed: FrameAnswer
    causes: tuple[DifferenceCause, ...] = ()


def kind_of(recorded: FrameAnswer | None, replayed: FrameAnswer, tolerances: Tolerances) -> DifferenceKind | None:
    """What differs, None where both say the same within the tolerance; maps are left to whoever has them."""
    if recorded is None:
        return DifferenceKind.NOT_RECORDED
    if (recorded.verdict, recorded.undecidable) != (replayed.verdict, replayed.undecidable):
        return DifferenceKind.VERDICT
    if recorded.doubtful != replayed.doubtful:
        return DifferenceKind.TRUST
    return DifferenceKind.NUMBERS if deviation(recorded, replayed) > tolerances.between(recorded, replayed) else None


def without_change(recorded: FrameAnswer, replayed: FrameAnswer) -> tuple[DifferenceCause, ...]:
    """The cause where bundle and recipe are those of then."""
    same_code = recorded.made.code == replayed.made.code
    return (
        DifferenceCause.DEVICE if same_code and not recorded.made.same_device(replayed.made) else DifferenceCause.CODE,
    )


def attribute(
    kind: DifferenceKind,
    recorded: FrameAnswer,
    base: FrameAnswer,
    alone: Mapping[DifferenceCause, FrameAnswer],
    tolerances: Tolerances,
) -> tuple[DifferenceCause, ...]:
    """The changes each of which alone makes a difference as weighty as `kind`: told by trying one at a time.

    `base` is the answer of today's code with bundle and recipe of then; `alone` the answers where only one of the two
    is changed from that.
    """

    def differ(one: FrameAnswer, other: FrameAnswer) -> bool:
        """Whether two answers differ in something at least as weighty."""
        if kind is DifferenceKind.MAPS and one.maps != other.maps:
            return True
        found = kind_of(one, other, tolerances)
        return found is not None and weights.index(found) <= weights.index(kind)

    weights = list(DifferenceKind)
    not_at_hand = base.undecidable in {Undecidable.UNKNOWN_BUNDLE, Undecidable.UNKNOWN_RECIPE}
    if not_at_hand and base.undecidable is not recorded.undecidable:
        return (DifferenceCause.NOT_TRIED,)
    found = without_change(recorded, base) if differ(recorded, base) else ()
    return (*found, *(cause for cause, answer in alone.items() if differ(base, answer))) or (DifferenceCause.TOGETHER,)
