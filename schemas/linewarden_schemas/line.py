"""What the line tells: its state, and which recipe is active from when."""

from __future__ import annotations

from typing import ClassVar

from .base import Actor, Digest, EpochMs, Id, Message, Part, Text
from .vocabulary import LineMode


class RecipeRef(Part):
    """One immutable version of a recipe."""

    recipe_id: Id
    version: int


class LineStateRef(Part):
    """The line state pinned into a capture."""

    mode: LineMode
    since_ms: EpochMs
    order_id: Id | None = None
    shift: Id | None = None


class LineState(Message):
    """A change of a line's state, order, lot, product or shift."""

    TYPE: ClassVar[str] = "linewarden.line-state.v1"

    line_id: Id
    mode: LineMode
    since_ms: EpochMs
    actor: Actor
    order_id: Id | None = None
    lot_id: Id | None = None
    product_id: Id | None = None
    shift: Id | None = None
    reason: Text | None = None

    def ref(self) -> LineStateRef:
        """The part of the state that a capture pins."""
        return LineStateRef(mode=self.mode, since_ms=self.since_ms, order_id=self.order_id, shift=self.shift)


class Activation(Message):
    """Which recipe, and with it which bundle, a line runs from when on, and who said so."""

    TYPE: ClassVar[str] = "linewarden.activation.v1"

    line_id: Id
    recipe: RecipeRef
    bundle_digest: Digest | None = None
    from_ms: EpochMs
    actor: Actor
    approved_by: Actor | None = None
    reason: Text | None = None
