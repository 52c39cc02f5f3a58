"""One batch of recorded frames, inspected again, compared, and every difference put down to what causes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from linewarden_history.maps import TOLERANCE, distance
from linewarden_replay.compare import Answer, Cause, Difference, Kind, Tolerances, kind_of
from linewarden_replay.inspecting import Bundles, Recorded, Reinspector, Setting
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection, Maps
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe

from .causes import attribute, without_change


@dataclass(frozen=True, slots=True)
class Work:
    """A frame and what was answered then; None where nothing was."""

    one: Recorded
    then: Answer | None
    maps: Maps | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What is answered now, and what differs."""

    work: Work
    inspection: Inspection
    now: Answer
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Bench:
    """All that a worker needs, fit to be sent to another process: no client, no way to a broker."""

    store: Path
    setting: Setting
    recipes: Mapping[str, Recipe]
    device: str = "auto"
    precision: str = "auto"
    tolerances: Tolerances = field(default_factory=Tolerances)
    torch_threads: int = 0
    """Of each worker; 0 leaves torch its own. Another number than the line's adds up in another order."""

    def recipe(self, ref: RecipeRef) -> Recipe | None:
        """What a reference names, by its digest where it has one; None for an unknown one."""
        return self.recipes.get(recipe_key(ref.recipe_id, ref.version, ref.digest))


class Judge:
    """Judges batches at a bench; belongs to one thread, and sets the network's threads of the whole process.

    Raises:
        BundleError: for a bundle of the setting that is not in the store; one that a recipe names diverts instead.
    """

    def __init__(self, bench: Bench, clock: Clock | None = None) -> None:
        self._bench = bench
        if bench.torch_threads:
            torch.set_num_threads(bench.torch_threads)
        bundles = Bundles(bench.store, device=bench.device, precision=bench.precision)
        if bench.setting.bundle is not None:
            bundles.get(bench.setting.bundle)
        self._reinspector = Reinspector(bundles, bench.recipe, clock or SystemClock())

    def judge(self, batch: Sequence[Work]) -> list[Judged]:
        """Everything about a batch, in order."""
        inspections = self._reinspector.answer([work.one for work in batch], self._bench.setting)
        answers = [Answer.of(one) for one in inspections]
        kinds = [self._kind(*each) for each in zip(batch, inspections, answers, strict=True)]
        differing = [(work, now, kind) for work, now, kind in zip(batch, answers, kinds, strict=True) if kind]
        causes = iter(self._causes(differing))
        judged = []
        for work, inspection, now, kind in zip(batch, inspections, answers, kinds, strict=True):
            found = None
            if kind is not None:
                found = Difference(inspection.frame_id, inspection.visit_id, kind, work.then, now, next(causes))
            judged.append(Judged(work, inspection, now, found))
        return judged

    def _kind(self, work: Work, inspection: Inspection, now: Answer) -> Kind | None:
        kind = kind_of(work.then, now, self._bench.tolerances)
        return Kind.MAPS if kind is None and _maps_differ(work, inspection, now) else kind

    def _causes(self, differing: Sequence[tuple[Work, Answer, Kind]]) -> list[tuple[Cause, ...]]:
        changed = [self._changed(work) for work, _, _ in differing]
        tried = [work for (work, _, _), changes in zip(differing, changed, strict=True) if changes and work.then]
        base = self._try(tried, lambda _: Setting())
        alone = {cause: self._try(tried, change) for cause, change in self._changes().items()}
        found: list[tuple[Cause, ...]] = []
        for (work, now, kind), changes in zip(differing, changed, strict=True):
            if work.then is None:
                found.append((Cause.NOT_RECORDED,))
            elif not changes:
                found.append(without_change(work.then, now))
            else:
                singly = {cause: alone[cause][_name(work)] for cause in changes}
                found.append(attribute(kind, work.then, base[_name(work)], singly, self._bench.tolerances))
        return found

    def _changed(self, work: Work) -> list[Cause]:
        """What the setting changes for a frame: its bundle, its recipe, both or nothing."""
        own = work.one.frame.meta.recipe
        recipe = self._bench.setting.recipe
        changed = [] if recipe is None or recipe.is_same(own) else [Cause.RECIPE]
        return [Cause.BUNDLE, *changed] if self._bundle(own) != self._bundle_now(own) else changed

    def _changes(self) -> dict[Cause, Callable[[Work], Setting]]:
        """Settings that change one thing alone."""

        def bundle(work: Work) -> Setting:
            return Setting(bundle=self._bundle_now(work.one.frame.meta.recipe))

        def recipe(work: Work) -> Setting:
            return Setting(self._bundle(work.one.frame.meta.recipe), self._bench.setting.recipe)

        return {Cause.BUNDLE: bundle, Cause.RECIPE: recipe}

    def _bundle(self, ref: RecipeRef) -> str | None:
        found = self._bench.recipe(ref)
        return None if found is None else found.bundle_digest

    def _bundle_now(self, own: RecipeRef) -> str | None:
        return self._bench.setting.bundle or self._bundle(self._bench.setting.recipe or own)

    def _try(self, works: Sequence[Work], setting_of: Callable[[Work], Setting]) -> dict[str, Answer]:
        """Answers by frame, each frame by its own setting."""
        groups: dict[Setting, list[Work]] = {}
        for work in works:
            groups.setdefault(setting_of(work), []).append(work)
        found: dict[str, Answer] = {}
        for setting, group in groups.items():
            answered = self._reinspector.answer([work.one for work in group], setting)
            found |= {one.frame_id: Answer.of(one) for one in answered}
        return found


def _name(work: Work) -> str:
    return work.one.frame.meta.frame_id


def _maps_differ(work: Work, inspection: Inspection, now: Answer) -> bool:
    """Whether maps are further apart than the tolerance; those of then are only looked at where digests differ."""
    if work.then is None or work.then.maps == now.maps:
        return False
    if work.maps is None or inspection.maps is None:
        return True
    return distance(work.maps, inspection.maps) > TOLERANCE
