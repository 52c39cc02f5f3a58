"""Defects among what a bundle lets go on a line, or would: counted from the stories of visits. Pure.

An assisted bundle whose limit is unknown passes nothing, and people see every OK that it would have let go: a stratum
of its own, of which each visit is drawn. Once it passes, the coin draws audits. What people or the field found of a
pass that nobody drew counts as drawn, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from linewarden_audit.report.tally import counting
from linewarden_history.reports.story import VisitHistory
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.vocabulary import Cause, Judgement, LineMode, Routing, Verdict
from linewarden_vision.standing import LIVE_CODES
from linewarden_vision.watch.estimate import CatchRecord, LiveEstimate, Stratum, estimate


def estimated(
    stories: Iterable[VisitHistory], recipe: RecipeRef, *, confidence: float, simulated: bool = False
) -> LiveEstimate:
    """The estimate over visits of a line in production under one content of a recipe.

    Raises:
        ValueError: where there was no pass.
    """
    passes, good, bad, open_ = (Counter[str]() for _ in range(4))
    shown = caught = 0
    for story in stories:
        if story.is_simulated and not simulated:
            continue
        if story.is_known_bad:
            shown += 1
            caught += Judgement.NG in {one.judgement for one in counting(story).values()}
            continue
        stratum = _stratum(story, recipe)
        if stratum is None:
            continue
        passes[stratum] += 1
        if story.found_bad or story.escapes:
            bad[stratum] += 1
        elif story.found_good:
            good[stratum] += 1
        elif stratum == "withheld" or Cause.AUDIT in story.causes:
            open_[stratum] += 1
    if not passes:
        raise ValueError(
            f"no trusted pass under {recipe.short} in the window: was another version active? Name it as ID@VERSION"
        )
    strata = [Stratum(name, count, good[name], bad[name], open_[name]) for name, count in sorted(passes.items())]
    return estimate(strata, CatchRecord(shown, caught), delta=1 - confidence)


def _stratum(story: VisitHistory, recipe: RecipeRef) -> str | None:
    """`passed` or `withheld`; None for a visit that is no pass of this content in production."""
    first, state = story.first, story.state
    if first is None or first.recipe != recipe or state is None or state.mode is not LineMode.PRODUCTION:
        return None
    if first.routing is Routing.TRUSTED_PASS or first.causes == (Cause.AUDIT,):
        return "passed"
    return "withheld" if first.causes == (Cause.LOW_TRUST,) and _would_pass(story) else None


def _would_pass(story: VisitHistory) -> bool:
    """Whether nothing but the live limit withheld it: each view is an OK below the suspicion limit of its own."""
    for one in story.inspections.values():
        own = [coded.parameters.get("own_limit") for coded in one.reasons_coded if coded.code in LIVE_CODES]
        limit = next((number for number in own if isinstance(number, int | float)), None)
        if one.verdict is not Verdict.OK or limit is None or one.suspicion is None or one.suspicion >= limit:
            return False
    return bool(story.inspections)
