"""The figures of a limit sample, as an inspection would give them: written beside its picture, shown at the station."""

from __future__ import annotations

from pydantic import Field

from linewarden_domain.acceptance import measuring_digest
from linewarden_schemas.base import Count, Digest, EpochMs, Id, MessagePart
from linewarden_schemas.inspection import MeasuredDefect
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Verdict

SUFFIX = ".figures.json"
"""Of the file beside a picture, in the place of the picture's own."""


class SampleFigures(MessagePart):
    """What was measured in one picture, by which bundle and criteria; `defects` the largest first."""

    sha256: Digest
    view_id: Id
    bundle_digest: Digest
    measuring_digest: Digest
    verdict: Verdict
    accepted: bool
    defects: tuple[MeasuredDefect, ...]
    count: Count = Field(default=0)
    """Defects that are judged: those in ignored zones are not."""
    measured_ms: EpochMs

    def is_of(self, recipe: Recipe, sha256: str) -> bool:
        """Whether an inspection by this recipe would give the same of this picture (by its digest)."""
        return (self.bundle_digest, self.measuring_digest, self.sha256) == (
            recipe.bundle_digest,
            measuring_digest(recipe),
            sha256,
        )
