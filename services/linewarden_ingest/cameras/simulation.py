"""The simulated line as pure functions of a seed: which part a visit shows, what is wrong with it, who comes back.

Camera processes agree without talking, and whoever scores the flow asks the same functions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linewarden_vision.synthetic.part import SyntheticPart, SyntheticView

SEEDS_PER_PLAN = 1_000_003
"""Plans of different seeds make different parts, up to so many visits."""


@dataclass(frozen=True, slots=True)
class LinePlan:
    """What a simulated line makes; equal plans make equal visits. Shares lie between 0 and 1.

    `pool` bounds how many different parts there are, so that their pictures can be made beforehand. Parts come
    back `return_after` visits later: of the defective ones `rework_share`, of the good ones `return_share`. No view is
    missing of the first `whole_before` visits. The first visits of all show the defective parts whose seeds
    `opens_with` names.
    """

    seed: int = 1
    views: int = 3
    size: int = 160
    defect_rate: float = 0.1
    difficulty: float = 0.5
    missing_share: float = 0.005
    rework_share: float = 0.5
    return_share: float = 0.02
    repaired_share: float = 0.8
    unauthorised_share: float = 0.1
    return_after: int = 25
    pool: int | None = None
    whole_before: int = 0
    opens_with: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """A visit before any picture is drawn. `previous` is the number of the visit before, of a part that came back."""

    number: int
    part_number: int
    part_seed: int
    defective: bool
    missing_view: int | None = None
    previous: int | None = None
    authority: str | None = None

    @property
    def part_id(self) -> str:
        """The serial, the same when the part comes back."""
        return f"P{self.part_number:07d}"


def plan_visit(plan: LinePlan, number: int) -> PlannedVisit:
    """Which part visit `number` (from 0) shows, and in what state."""
    returned = _returned(plan, number)
    if returned is not None:
        return returned
    return _fresh(plan, number)


def draw(plan: LinePlan, visit: PlannedVisit) -> SyntheticPart:
    """All views of a visit's part. A part that was repaired is the flawless twin of what it was."""
    from linewarden_vision.synthetic.part import make_part  # noqa: PLC0415 - OpenCV, which a plan does without

    return make_part(
        visit.part_seed,
        views=plan.views,
        size=plan.size,
        defect_rate=1.0 if visit.defective else 0.0,
        difficulty=plan.difficulty,
    )


def draw_view(plan: LinePlan, visit: PlannedVisit, view: int) -> SyntheticView:
    """One view of the same part, without the work for the others."""
    from linewarden_vision.synthetic.part import make_view  # noqa: PLC0415 - the same

    return make_view(
        visit.part_seed,
        view,
        views=plan.views,
        size=plan.size,
        defect_rate=1.0 if visit.defective else 0.0,
        difficulty=plan.difficulty,
    )


def _fresh(plan: LinePlan, number: int) -> PlannedVisit:
    if number < len(plan.opens_with):
        return PlannedVisit(number, number, plan.opens_with[number], defective=True)
    chance = _chance(plan, number, "part")
    defective = chance.random() < plan.defect_rate
    missing = chance.randrange(plan.views) if chance.random() < plan.missing_share else None
    missing = None if number < plan.whole_before else missing
    kind = number if plan.pool is None else chance.randrange(plan.pool)
    return PlannedVisit(number, number, plan.seed * SEEDS_PER_PLAN + kind, defective, missing)


def _returned(plan: LinePlan, number: int) -> PlannedVisit | None:
    # Parts leave from even stretches of the line and come back in odd ones, so nothing comes back twice.
    before = number - plan.return_after
    if before < 0 or number // plan.return_after % 2 == 0:
        return None
    first = _fresh(plan, before)
    chance = _chance(plan, before, "return")
    if chance.random() >= (plan.rework_share if first.defective else plan.return_share):
        return None
    still = first.defective and chance.random() >= plan.repaired_share
    authority = None if chance.random() < plan.unauthorised_share else f"RW-{before:07d}"
    return PlannedVisit(number, first.part_number, first.part_seed, still, previous=before, authority=authority)


def _chance(plan: LinePlan, number: int, what: str) -> random.Random:
    return random.Random(f"{plan.seed}:{number}:{what}")  # noqa: S311 - a simulation, no secret
