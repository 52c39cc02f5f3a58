"""The place in the order of reviews of visits that were drawn rather than doubted: audits, reject reviews, known-bads.

Their own risk would tell them apart: an audited pass is harmless by the machine's measure, a reject certain. So they
take the risk of a real diversion, drawn by a key from the newest ones of the same line and recipe that came whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from linewarden_route.policy import drawn, missing_views
from linewarden_route.slots import risk_of_visit
from linewarden_runtime.bounded import Bounded
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.route_state import VisitSnapshot
from linewarden_schemas.vocabulary import Cause

DRAWN = frozenset({Cause.AUDIT, Cause.REJECT_REVIEW, Cause.KNOWN_BAD})
MOST = 256
"""Diversions that are remembered of each line and recipe; what people see now, not what they saw last week."""


def is_model(visit: VisitSnapshot, recipe: Recipe | None) -> bool:
    """Whether a drawn visit may pass for this one: doubted, with every view and picture."""
    is_whole = not missing_views(visit, recipe) and all(view.lost is None and view.captured for view in visit.views)
    return visit.causes[:1] == (Cause.LOW_TRUST,) and is_whole


def drawn_position(secret: bytes, visit_id: str, among: Sequence[float]) -> float:
    """The risk that a drawn visit shows, in [0, 1]: one of `among`, by HMAC-SHA256 of the visit under the secret.

    The same visit draws the same from the same diversions. With none yet it is uniform over what diverts.
    """
    number = drawn(secret, "position", visit_id)
    if among:
        return among[number % len(among)]
    # By the scale of `joining.risk_of` one half is the least that diverts.
    return 0.5 + 0.5 * number / (1 << 64)


class Positions:
    """Risks of the newest real diversions, by line and recipe, each visit once."""

    def __init__(self) -> None:
        self._risks: dict[tuple[str, str], Bounded[str, float]] = {}
        self._given: dict[tuple[str, str], tuple[float, ...]] = {}

    def of(self, visit: VisitSnapshot) -> tuple[float, ...]:
        """Risks to draw from for this visit, oldest first."""
        return self._given.get(_key(visit), ())

    def learn(self, visit: VisitSnapshot, recipe: Recipe | None) -> None:
        """Remember a visit if it is a real diversion."""
        risks = self._risks.setdefault(_key(visit), Bounded(MOST))
        # Once, however often it is read: what others draw must not depend on that.
        if visit.visit_id in risks or not is_model(visit, recipe):
            return
        risks[visit.visit_id] = risk_of_visit(visit, recipe)
        self._given[_key(visit)] = tuple(risks.values())


def _key(visit: VisitSnapshot) -> tuple[str, str]:
    return visit.line_id, visit.recipe.recipe_id
