"""Which visits are meant, and the one place that turns it into a query."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from linewarden_schemas.capture import FrameMetadata
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.vocabulary import Routing, Verdict


@dataclass(frozen=True, slots=True)
class Selection:
    """Visits captured from `from_ms` to `to_ms` (epoch ms, both included) that fit every word that is given.

    `recipe` is an id, or a version of it as `id@version`; `bundle` a digest; `routing` the first one; `operator`
    whoever judged or undid. `camera_id`, `bundle` and `verdict` are of one and the same frame.

    Raises:
        ValueError: where it ends before it begins.
    """

    from_ms: int
    to_ms: int
    line_id: str | None = None
    camera_id: str | None = None
    lot_id: str | None = None
    part_id: str | None = None
    product_id: str | None = None
    recipe: str | None = None
    bundle: str | None = None
    verdict: Verdict | None = None
    routing: Routing | None = None
    operator: str | None = None

    def __post_init__(self) -> None:
        if self.to_ms < self.from_ms:
            raise ValueError(f"the selection ends ({self.to_ms}) before it begins ({self.from_ms})")

    @property
    def needs_index(self) -> bool:
        """Whether it names anything that a frame alone does not tell."""
        return bool(self.words().keys() - {"from_ms", "to_ms", "line_id", "camera_id", "recipe"})

    def words(self) -> dict[str, Any]:
        """The criteria that are given, the range among them, as an index and a manifest keep them."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: getattr(value, "value", value) for name, value in given.items() if value is not None}

    def holds(self, line_id: str, captured_ms: int) -> bool:
        """Whether something of a line and time belongs to it, as far as the two tell."""
        return self.from_ms <= captured_ms <= self.to_ms and self.line_id in {None, line_id}

    def holds_frame(self, frame: FrameMetadata) -> bool:
        """Whether a frame belongs to it, as far as its own headers tell."""
        ref = frame.recipe
        return (
            self.holds(frame.line_id, frame.captured_ms)
            and self.camera_id in {None, frame.camera_id}
            and self.recipe in {None, ref.recipe_id, ref.name, recipe_key(ref.recipe_id, ref.version, ref.digest)}
        )

    def __and__(self, other: Selection) -> Selection:
        """Select what both select.

        Raises:
            ValueError: where no visit can be in both.
        """
        mine, theirs = self.words(), other.words()
        for name in mine.keys() & theirs.keys() - {"from_ms", "to_ms"}:
            if mine[name] != theirs[name]:
                raise ValueError(f"no visit has {name} {mine[name]} and {theirs[name]}")
        both = {field.name: getattr(self, field.name) for field in fields(self)}
        both |= {name: getattr(other, name) for name in theirs}
        both |= {"from_ms": max(self.from_ms, other.from_ms), "to_ms": min(self.to_ms, other.to_ms)}
        return Selection(**both)


def where(selection: Selection) -> tuple[str, dict[str, Any]]:
    """The condition on a row `v` of the index's `visits`, and its values by name."""
    of_visit = {
        "line_id": "v.line_id = :line_id",
        "lot_id": "v.lot_id = :lot_id",
        "part_id": "v.part_id = :part_id",
        "product_id": "v.product_id = :product_id",
        "recipe": "(v.recipe = :recipe OR v.recipe_id = :recipe)",
        "routing": "v.routing = :routing",
        "operator": "EXISTS (SELECT 1 FROM entries e WHERE e.visit_id = v.visit_id AND e.kind IN ('judged', 'undone') "
        "AND e.actor = :operator)",
    }
    of_frame = {
        "camera_id": "f.camera_id = :camera_id",
        "bundle": "f.bundle = :bundle",
        "verdict": "f.verdict = :verdict",
    }
    words = selection.words()
    parts = ["v.captured_ms BETWEEN :from_ms AND :to_ms", *(sql for name, sql in of_visit.items() if name in words)]
    seen = [sql for name, sql in of_frame.items() if name in words]
    if seen:
        parts.append(f"EXISTS (SELECT 1 FROM frames f WHERE f.visit_id = v.visit_id AND {' AND '.join(seen)})")  # noqa: S608 - fixed words
    return " AND ".join(parts), words
