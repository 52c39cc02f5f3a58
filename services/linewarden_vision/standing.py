"""Whether an OK of a bundle may be believed at a moment: by its stage, and by what stands behind it.

Taught and shadow are believed in nothing. Released passes parts only while a qualification holds: of this content at
the precision in use, under the recipe's thresholds, and not expired on the day (UTC) of the picture. Assisted passes
them only while a live limit of this line and recipe holds, and is not above the recipe's own; one that is unknown is
above it. The picture's own time decides, so that a replay later says what the line said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from scipy.special import expit

from linewarden_schemas.live_limit import LiveLimit
from linewarden_schemas.recipe import Recipe
from linewarden_vision.bundle import Bundle
from linewarden_vision.card import Card, Stage
from linewarden_vision.qualification import Qualification

NOTICE_DAYS = 14
"""How many days before its last one the end of a qualification, or of a live limit, is announced."""
UNTRUSTED_STAGES: Mapping[str, str] = {"taught": "network_taught", "shadow": "network_shadow"}
"""Stages of a bundle in which no OK is believed, with the code of the reason."""
LIVE_CODES = frozenset({"network_live_above", "network_live_unasked", "network_live_unknown"})
"""Reasons of an OK that only the live limit withholds; each keeps `own_limit`, from which on it is doubted anyhow."""


@dataclass(frozen=True, slots=True)
class OkDoubt:
    """Why no OK is believed: the code of a sentence of `linewarden_domain.words`, and what it names beside p."""

    code: str
    facts: Mapping[str, str | float] = field(default_factory=dict)


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

    def doubt(self, card: Card, recipe: Recipe | None, at_ms: int, live: LiveLimit | None = None) -> OkDoubt | None:
        """Why no OK of a picture taken at `at_ms` (epoch ms) is believed, None where its thresholds decide.

        `live` is the newest live limit of the picture's line and recipe, None where nobody has told one.
        """
        if self.is_tried:
            return None
        if self.stage in UNTRUSTED_STAGES:
            return OkDoubt(UNTRUSTED_STAGES[self.stage])
        if self.stage == "assisted":
            return _of_live(card, recipe, live, at_ms)
        return self._of_record(card, recipe, at_ms)

    def _of_record(self, card: Card, recipe: Recipe | None, at_ms: int) -> OkDoubt | None:
        if self.record is None:
            return OkDoubt("network_unqualified")
        void = self.void or loosened(card, recipe) or _of_criteria(self.record, recipe)
        if void is not None:
            return OkDoubt("network_void", {"why": void})
        if self.record.is_expired(day_of(at_ms)):
            return OkDoubt("network_expired", {"until": self.record.expires})
        return None

    def days_left(self, now_ms: int, live: Sequence[LiveLimit] = ()) -> int | None:
        """Whole days until the last one, negative afterwards; None where nothing that passes parts will end.

        `live` are the live limits of the bundle; the first that ends counts.
        """
        last = self._last_day(live)
        return None if last is None else (date.fromisoformat(last) - date.fromisoformat(day_of(now_ms))).days

    def notice(self, now_ms: int, live: Sequence[LiveLimit] = ()) -> str | None:
        """What to announce of the end of what stands behind it, None while that is farther than `NOTICE_DAYS`."""
        last, left = self._last_day(live), self.days_left(now_ms, live)
        if last is None or left is None or left > NOTICE_DAYS:
            return None
        what, how = ("live limit", "live") if self.stage == "assisted" else ("qualification", "qualify")
        if left < 0:
            return f"its {what} ended on {last}: every OK diverts; linewarden {how}"
        return f"its {what} ends on {last}, in {left} days; then every OK diverts"

    def _last_day(self, live: Sequence[LiveLimit]) -> str | None:
        if self.stage == "assisted":
            return min((day_of(one.until_ms) for one in live), default=None)
        if self.stage in UNTRUSTED_STAGES or self.record is None or self.void is not None:
            return None
        return self.record.expires


def loosened(card: Card, recipe: Recipe | None) -> str | None:
    """Why a recipe's own thresholds void a qualification: they let more pass. Stricter ones pass a part of the same."""
    own = None if recipe is None else recipe.thresholds
    if own is None:
        return None
    named = card.thresholds
    if own.defect > float(expit(named.defect.value)) or own.suspicion > named.suspicion.value:
        return "the recipe's own thresholds let more pass than was qualified"
    return None


def _of_live(card: Card, recipe: Recipe | None, live: LiveLimit | None, at_ms: int) -> OkDoubt | None:
    """Why a live limit lets nothing pass; the reason keeps the suspicion from which on it would be doubted anyhow.

    So the OKs that would have passed can be told from the rest: people see all of them, and their answers make the
    next live limit.
    """
    most = None if recipe is None else recipe.max_defect_rate_of_passes
    own = None if recipe is None else recipe.thresholds
    own_limit = card.thresholds.suspicion.value if own is None else own.suspicion
    if most is None:
        return OkDoubt("network_live_unasked", {"own_limit": own_limit})
    if live is None or not live.made_ms <= at_ms < live.until_ms:
        return OkDoubt("network_live_unknown", {"own_limit": own_limit})
    if live.upper > most:
        return OkDoubt("network_live_above", {"own_limit": own_limit, "upper": live.upper, "most": most})
    return None


def _of_criteria(record: Qualification, recipe: Recipe | None) -> str | None:
    """Why a recipe's criteria void a qualification; its thresholds are `loosened`'s to judge."""
    return None if recipe is None else record.void_under(recipe.model_copy(update={"thresholds": None}))


def day_of(at_ms: int) -> str:
    """The day of a moment (epoch ms) in UTC, as YYYY-MM-DD."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
