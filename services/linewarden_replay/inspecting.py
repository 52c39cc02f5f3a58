"""Recorded frames through the very code that the live worker runs, one batch after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from linewarden_history.reading import source_of
from linewarden_history.selection import Selection
from linewarden_replay.compare import FrameAnswer, Tolerances
from linewarden_runtime.clock import Clock
from linewarden_runtime.records import InRecord
from linewarden_schemas.envelope import Frame
from linewarden_schemas.ids import Namespace
from linewarden_schemas.inspection import Inspection, Maps
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.bundle import find_bundle
from linewarden_vision.card import Card
from linewarden_vision.inspecting.judging import code_version, decided, not_decidable
from linewarden_vision.inspecting.preparing import Ready, Shelf, make_ready
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.inspecting.scorer import Scorer, score_batch
from linewarden_vision.inspector import Inspector, ViewScore
from linewarden_vision.pictures.decoders import Picture
from linewarden_vision.pictures.reading import PictureLimits
from linewarden_vision.standing import OkBacking

Recipes = Callable[[RecipeRef], Recipe | None]


@dataclass(frozen=True, slots=True)
class Setting:
    """By what a frame is inspected: its own recipe and that recipe's bundle, unless another is given.

    `bundle` is a digest. Its card's thresholds count then, since those of a recipe belong to the recipe's own bundle;
    and it is judged as if it was promoted: by its stage alone a candidate would let nothing pass.
    """

    bundle: str | None = None
    recipe: RecipeRef | None = None


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What to inspect again, and by what. `name` names the namespace of the run; its identity by default.

    `torch_threads`: of each worker; 0 leaves torch its own. Another number than the line's adds up in another order.
    """

    selection: Selection
    store: Path
    setting: Setting = field(default_factory=Setting)
    device: str = "auto"
    precision: str = "auto"
    tolerances: Tolerances = field(default_factory=Tolerances)
    workers: int = 1
    name: str | None = None
    torch_threads: int = 0

    def identity(self, live: Namespace, recipe: Recipe | None) -> str:
        """A digest of all that the results depend on: selection, bundle, recipe, code and device.

        Where no other recipe is tried, each frame's own counts, and a version of a recipe never changes.
        """
        told = {
            "live": live.name,
            "selection": self.selection.words(),
            "bundle": self.setting.bundle,
            "recipe": None if recipe is None else hashlib.sha256(recipe.to_json()).hexdigest(),
            "code": code_version(),
            "device": [self.device, self.precision, self.torch_threads],
            "tolerances": asdict(self.tolerances),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A frame as it lies in the log, beside what was answered then; None where nothing was."""

    record: InRecord
    frame: Frame
    then: FrameAnswer | None = None
    maps: Maps | None = None


class Bundles:
    """Loads each bundle of a store once."""

    def __init__(self, store: Path, *, device: str, precision: str) -> None:
        self._store, self._device, self._precision = store, device, precision
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

    def shelf(self, recipes: Recipes, bundle: str | None) -> Shelf:
        """Recipes, all of them with `bundle` where one is given."""
        if bundle is None:
            return Shelf(recipes, self.get)

        def recipe(ref: RecipeRef) -> Recipe | None:
            found = recipes(ref)
            if found is None or found.bundle_digest == bundle:
                return found
            return found.model_copy(update={"bundle_digest": bundle, "thresholds": None})

        return Shelf(recipe, lambda digest: _AsPromoted(self.get(digest)))


class _AsPromoted:
    """A bundle whose OK can be believed by its own thresholds, whatever stage it has reached."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.digest, self.device = scorer.digest, scorer.device
        self.card: Card = scorer.card.model_copy(update={"stage": "released"})
        self.standing = OkBacking("released", is_tried=True)

    @property
    def precision(self) -> str:
        """The number format in which the bundle runs."""
        return self._scorer.precision

    def prepare(self, picture: Picture) -> Any:  # noqa: ANN401 - passed back as it is
        """The network's input of a picture, as the bundle makes it; raises UnusablePicture."""
        return self._scorer.prepare(picture)

    def score(self, batch: Sequence[Any]) -> list[ViewScore]:
        """One device pass of the bundle over prepared pictures."""
        return self._scorer.score(batch)


class Reinspector:
    """Answers frames again; belongs to one thread.

    The deadline of then cannot be tried again, so a frame is late exactly where it was recorded as late.
    """

    def __init__(self, bundles: Bundles, recipes: Recipes, clock: Clock, limits: PictureLimits | None = None) -> None:
        self._bundles, self._recipes, self._clock = bundles, recipes, clock
        self._limits = limits or PictureLimits()
        self._shelves: dict[str | None, Shelf] = {}

    def answer(self, batch: Sequence[RecordedFrame], setting: Setting) -> list[Inspection]:
        """One inspection a frame, marked as simulated, in order."""
        if setting.bundle not in self._shelves:
            self._shelves[setting.bundle] = self._bundles.shelf(self._recipes, setting.bundle)
        shelf = self._shelves[setting.bundle]
        prepared = [self._prepare(one, setting.recipe, shelf) for one in batch]
        ready = [one for one in prepared if isinstance(one, Ready)]
        judged = {id(one): inspection for one, inspection in zip(ready, self._score(ready), strict=True)}
        answered = [judged[id(one)] if isinstance(one, Ready) else one for one in prepared]
        return [inspection.model_copy(update={"is_simulated": True}) for inspection in answered]

    def _prepare(self, one: RecordedFrame, recipe: RecipeRef | None, shelf: Shelf) -> Ready | Inspection:
        frame, source = one.frame, source_of(one.record)
        if recipe is not None:
            frame = replace(frame, meta=frame.meta.model_copy(update={"recipe": recipe}))
        was_late = one.then is not None and one.then.undecidable is Undecidable.LATE
        at_ms = frame.meta.decide_by_ms if was_late else 0
        try:
            return make_ready(frame, source, shelf, self._limits, lambda: at_ms)
        except PictureRefused as refused:
            return not_decidable(frame, source, refused, self._clock.now_ms())

    def _score(self, ready: Sequence[Ready]) -> list[Inspection]:
        found: dict[int, Inspection] = {}
        for scorer in {one.scorer.digest: one.scorer for one in ready}.values():
            group = [one for one in ready if one.scorer.digest == scorer.digest]
            answers = score_batch(scorer, [one.prepared for one in group])
            for one, answer in zip(group, answers, strict=True):
                now_ms = self._clock.now_ms()
                found[id(one)] = (
                    not_decidable(one.frame, one.source, answer, now_ms)
                    if isinstance(answer, PictureRefused)
                    else decided(one, answer, now_ms)
                )
        return [found[id(one)] for one in ready]
