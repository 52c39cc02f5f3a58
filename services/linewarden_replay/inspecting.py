"""Recorded frames through the very code that the live worker runs, one batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from linewarden_runtime.books import RecipeBook
from linewarden_runtime.clock import Clock
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import Frame
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.bundles import find_bundle
from linewarden_vision.inspecting.intake import Limits
from linewarden_vision.inspecting.judging import decided, not_decidable
from linewarden_vision.inspecting.preparing import Ready, Shelf, make_ready
from linewarden_vision.inspecting.refusal import Refused
from linewarden_vision.inspecting.scorer import Scorer, score_batch
from linewarden_vision.inspector import Inspector

from .compare import Answer
from .reading import source_of

Received = tuple[InRecord, Frame]


class Bundles:
    """Loads each bundle once; `override` stands in for whatever a recipe names."""

    def __init__(self, store: Path, *, device: str, precision: str, override: str | None) -> None:
        self._store, self._device, self._precision, self._override = store, device, precision, override
        self._loaded: dict[str, Scorer] = {}

    def get(self, digest: str) -> Scorer:
        """The bundle; raises BundleError or GateError."""
        if digest not in self._loaded:
            self._loaded[digest] = Inspector.load(
                find_bundle(self._store, digest),
                device=self._device,
                precision=self._precision,
                expected_digest=digest,
            )
        return self._loaded[digest]

    def shelf(self, recipes: RecipeBook) -> Shelf:
        """Recipes with the override; thresholds of a recipe belong to its own bundle, so the card's take over."""

        def recipe(ref: RecipeRef) -> Recipe | None:
            found = recipes.get(ref)
            if found is None or self._override is None or found.bundle_digest == self._override:
                return found
            return found.model_copy(update={"bundle_digest": self._override, "thresholds": None})

        return Shelf(recipe, self.get)


class Reinspector:
    """Answers frames again; belongs to one thread.

    The deadline of then cannot be tried again, so a frame is late exactly where it was recorded as late.
    """

    def __init__(self, shelf: Shelf, clock: Clock, limits: Limits | None = None) -> None:
        self._shelf, self._clock, self._limits = shelf, clock, limits or Limits()

    def answer(self, batch: Sequence[Received], recorded: Mapping[str, Answer]) -> list[Inspection]:
        """One inspection a frame, marked as simulated, in order."""
        prepared = [self._prepare(record, frame, recorded.get(frame.meta.frame_id)) for record, frame in batch]
        ready = [one for one in prepared if isinstance(one, Ready)]
        judged = {id(one): inspection for one, inspection in zip(ready, self._score(ready), strict=True)}
        answered = [judged[id(one)] if isinstance(one, Ready) else one for one in prepared]
        return [inspection.model_copy(update={"is_simulated": True}) for inspection in answered]

    def _prepare(self, record: InRecord, frame: Frame, before: Answer | None) -> Ready | Inspection:
        was_late = before is not None and before.undecidable is Undecidable.LATE
        now: Callable[[], int] = (lambda: frame.meta.decide_by_ms) if was_late else (lambda: 0)
        try:
            return make_ready(frame, source_of(record), self._shelf, self._limits, now)
        except Refused as refused:
            return not_decidable(frame, source_of(record), refused, self._clock.now_ms())

    def _score(self, ready: Sequence[Ready]) -> list[Inspection]:
        found: dict[int, Inspection] = {}
        for scorer in {id(one.scorer): one.scorer for one in ready}.values():
            group = [one for one in ready if one.scorer is scorer]
            answers = score_batch(scorer, [one.prepared for one in group]).answers
            for one, answer in zip(group, answers, strict=True):
                now_ms = self._clock.now_ms()
                found[id(one)] = (
                    not_decidable(one.frame, one.source, answer, now_ms)
                    if isinstance(answer, Refused)
                    else decided(one, answer, now_ms)
                )
        return [found[id(one)] for one in ready]
