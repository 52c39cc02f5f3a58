"""The live limit: how many defects there may be among the trusted passes of a line, by the audits of a stretch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from linewarden_schemas.base import Actor, Count, Digest, EpochMs, Id, Message, Share
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.line import RecipeRef


class LiveLimit(Message):
    """With `confidence`, at most `upper` of the trusted passes of a line under a recipe were defective.

    Counted are visits captured in [`from_ms`, `to_ms`): `passes` that the machine let go, or would have; of those drawn
    for people, how many were `audited` (answered), `unanswered` and `found_defective`; of the seeded known-bads how
    many were shown and caught. It holds from when it was `made_ms` until `until_ms`. The newest of a line and a recipe
    counts.
    """

    TYPE: ClassVar[str] = "linewarden.live-limit.v1"

    line_id: Id
    recipe: RecipeRef
    bundle_digest: Digest
    from_ms: EpochMs
    to_ms: EpochMs
    passes: Annotated[int, Field(ge=1)]
    audited: Count
    unanswered: Count
    found_defective: Count
    known_bads_shown: Count
    known_bads_caught: Count
    upper: Share
    confidence: Share
    made_ms: EpochMs
    until_ms: EpochMs
    actor: Actor

    @property
    def key(self) -> str:
        """The record's key: the line, and the recipe with the digest of its content."""
        return limit_key(self.line_id, self.recipe)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.recipe.digest is None:
            raise ValueError("a live limit names the content of its recipe")
        if not self.from_ms < self.to_ms <= self.made_ms < self.until_ms:
            raise ValueError("a live limit is of a stretch that is over, and holds for a time to come")
        if self.found_defective > self.audited or self.audited + self.unanswered > self.passes:
            raise ValueError("more was found than audited, or more drawn than passed")
        if self.known_bads_caught > self.known_bads_shown:
            raise ValueError("more known-bads were caught than shown")
        return self


def limit_key(line_id: str, recipe: RecipeRef) -> str:
    """What a live limit of a line under a recipe is found by."""
    return f"{line_id}|{recipe_key(recipe.recipe_id, recipe.version, recipe.digest)}"
