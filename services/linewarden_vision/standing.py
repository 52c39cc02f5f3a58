"""Whether an OK of a bundle may be believed at a moment: by its stage, and by the qualification behind it.

Taught and shadow are believed in nothing. Assisted and released pass parts only while a qualification holds: of this
content at the precision in use, under the recipe's thresholds, and not expired on the day (UTC) of the picture. The
picture's own day decides, so that a replay later says what the line said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from scipy.special import expit

from linewarden_schemas.recipe import Recipe
from linewarden_vision.bundle import Bundle
from linewarden_vision.card import Card, Stage
from linewarden_vision.qualification import Qualification

NOTICE_DAYS = 14
"""How many days before its last one the end of a qualification is announced."""
UNTRUSTED_STAGES: Mapping[str, str] = {"taught": "network_taught", "shadow": "network_shadow"}
"""Stages of a bundle in which no OK is believed, with the code of the reason."""


@dataclass(frozen=True, slots=True)
class OkDoubt:
    """Why no OK is believed: the code of a sentence of `linewarden_domain.words`, and what it names beside p."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OkBacking:
    """A bundle's stage and record; `void` says why the record does not speak of what is in use, None where it does.

    With `is_tried` its own thresholds decide whatever stands behind it: for a replay, which passes nothing.
    """

    stage: Stage
    record: Qualification | None = None
    void: str | None = None
    is_tried: bool = False

    @classmethod
    def of(cls, bundle: Bundle, precision: str) -> OkBacking:
        """The standing of a bundle at the precision that a device runs it with."""
        record = bundle.qualification
        return cls(
            bundle.card.stage, record, None if record is None else record.void_because(bundle.content, precision)
        )

    def doubt(self, card: Card, recipe: Recipe | None, at_ms: int) -> OkDoubt | None:
        """Why no OK of a picture taken at `at_ms` (epoch ms) is believed, None where its thresholds decide."""
        if self.is_tried:
            return None
        if self.stage in UNTRUSTED_STAGES:
            return OkDoubt(UNTRUSTED_STAGES[self.stage])
        if self.record is None:
            return OkDoubt("network_unqualified")
        void = self.void or loosened(card, recipe) or _of_criteria(self.record, recipe)
        if void is not None:
            return OkDoubt("network_void", {"why": void})
        if self.record.is_expired(day_of(at_ms)):
            return OkDoubt("network_expired", {"until": self.record.expires})
        return None

    def days_left(self, now_ms: int) -> int | None:
        """Whole days until the last one, negative afterwards; None where nothing that passes parts will end."""
        if self.stage in UNTRUSTED_STAGES or self.record is None or self.void is not None:
            return None
        return (date.fromisoformat(self.record.expires) - date.fromisoformat(day_of(now_ms))).days

    def notice(self, now_ms: int) -> str | None:
        """What to announce of the qualification's end, None while it is farther than `NOTICE_DAYS`."""
        left = self.days_left(now_ms)
        if left is None or self.record is None or left > NOTICE_DAYS:
            return None
        if left < 0:
            return f"its qualification ended on {self.record.expires}: every OK diverts; linewarden qualify"
        return f"its qualification ends on {self.record.expires}, in {left} days; then every OK diverts"


def loosened(card: Card, recipe: Recipe | None) -> str | None:
    """Why a recipe's own thresholds void a qualification: they let more pass. Stricter ones pass a part of the same."""
    own = None if recipe is None else recipe.thresholds
    if own is None:
        return None
    named = card.thresholds
    if own.defect > float(expit(named.defect.value)) or own.suspicion > named.suspicion.value:
        return "the recipe's own thresholds let more pass than was qualified"
    return None


def _of_criteria(record: Qualification, recipe: Recipe | None) -> str | None:
    """Why a recipe's criteria void a qualification; its thresholds are `loosened`'s to judge."""
    return None if recipe is None else record.void_under(recipe.model_copy(update={"thresholds": None}))


def day_of(at_ms: int) -> str:
    """The day of a moment (epoch ms) in UTC, as YYYY-MM-DD."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
