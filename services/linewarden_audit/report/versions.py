"""Which recipes and bundles were in force, who put them there, and what stands behind them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import Recipe


def in_force(told: Iterable[Activation], from_ms: int, to_ms: int, line_id: str | None) -> list[dict[str, Any]]:
    """Activations of each line that hold in a range: the last one before it, and all within, in order of time."""
    by_line: dict[str, list[Activation]] = {}
    for one in told:
        if line_id in {None, one.line_id} and one.from_ms <= to_ms:
            by_line.setdefault(one.line_id, []).append(one)
    rows: list[dict[str, Any]] = []
    for line, ordered in sorted(by_line.items()):
        ordered.sort(key=lambda one: one.from_ms)  # stable: of two for the same moment the later told comes last
        before = [one for one in ordered if one.from_ms <= from_ms][-1:]
        within = [one for one in ordered if one.from_ms > from_ms]
        rows += [
            {
                "line_id": line,
                "recipe": recipe_key(one.recipe.recipe_id, one.recipe.version, one.recipe.digest),
                "bundle": one.bundle_digest,
                "from_ms": one.from_ms,
                "actor": one.actor,
                "approved_by": one.approved_by,
                "reason": one.reason,
            }
            for one in (*before, *within)
        ]
    return rows


def recipes_used(known: Iterable[Recipe], used: Collection[str]) -> list[dict[str, Any]]:
    """The recipes by which something was judged, by ID@VERSION@DIGEST, or ID@VERSION where no digest was told.

    One that is nowhere published is told as unknown, and so is a version without a digest that has two contents.
    """
    found: dict[str, Recipe | None] = {}
    for one in known:
        name, content = recipe_key(one.recipe_id, one.version), one.digest()
        found[name] = one if found.get(name, one) == one else None
        found[f"{name}@{content}"] = one
    return [_recipe(name, found.get(name)) for name in sorted(used)]


def bundles_used(frames: Mapping[str, int], look: Callable[[str], Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Stage and qualification of every bundle that judged, by frames; `look` tells what stands behind a digest."""
    nothing: dict[str, Any] = {"stage": None, "promotions": [], "thresholds": [], "statements": [], "expires": None}
    rows = []
    for digest, count in sorted(frames.items()):
        told: Mapping[str, Any] = {"status": "not looked at: name the folder of bundles with --bundles"}
        if digest == "none":
            told = {"status": "no bundle judged these frames: they were not decidable"}
        elif look is not None:
            told = look(digest)
        rows.append({"bundle": digest, "frames": count, "joint_confidence": None, **nothing, **told})
    return rows


def _recipe(name: str, one: Recipe | None) -> dict[str, Any]:
    if one is None:
        return {"recipe": name, "known": False}
    return {
        "recipe": name,
        "known": True,
        "product_id": one.product_id,
        "bundle": one.bundle_digest,
        "created_ms": one.created_ms,
        "created_by": one.created_by,
        "note": one.note,
        "reviews_required": one.review.reviews_required,
        "audit_share_of_passes": one.review.audit_share_of_passes,
        "reject_review_share": one.review.reject_review_share,
    }
