"""Batches of frames, here or in several processes: inspected again, compared, each difference given its cause."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

import torch

from linewarden_history.maps import TOLERANCE, distance
from linewarden_replay.compare import (
    Difference,
    DifferenceCause,
    DifferenceKind,
    FrameAnswer,
    attribute,
    kind_of,
    without_change,
)
from linewarden_replay.inspecting import Bundles, RecordedFrame, Reinspector, ReplayPlan, Setting
from linewarden_runtime.clock import Clock, SystemClock
from linewarden_schemas.ids import recipe_key
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import RecipeRef
from linewarden_schemas.recipe import Recipe


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """What is answered now of a frame, and what differs."""

    recorded: RecordedFrame
    inspection: Inspection
    now: FrameAnswer
    difference: Difference | None


class FrameJudge:
    """Judges batches by a plan; belongs to one thread, and sets the network's threads of the whole process.

    `recipes` by ID@VERSION and ID@VERSION@DIGEST; they may become more meanwhile.

    Raises:
        BundleError: for a bundle of the setting that is not in the store; one that a recipe names diverts instead.
    """

    def __init__(self, plan: ReplayPlan, recipes: Mapping[str, Recipe], clock: Clock | None = None) -> None:
        self._setting, self._tolerances, self._recipes = plan.setting, plan.tolerances, recipes
        if plan.torch_threads:
            torch.set_num_threads(plan.torch_threads)
        bundles = Bundles(plan.store, device=plan.device, precision=plan.precision)
        if plan.setting.bundle is not None:
            bundles.get(plan.setting.bundle)
        self._reinspector = Reinspector(bundles, self._recipe, clock or SystemClock())

    def judge(self, batch: Sequence[RecordedFrame]) -> list[JudgedFrame]:
        """Everything about a batch, in order."""
        inspections = self._reinspector.answer(batch, self._setting)
        answers = [FrameAnswer.of(one) for one in inspections]
        kinds = [self._kind(*each) for each in zip(batch, inspections, answers, strict=True)]
        differing = [(one, now, kind) for one, now, kind in zip(batch, answers, kinds, strict=True) if kind]
        causes = iter(self._causes(differing))
        judged = []
        for one, inspection, now, kind in zip(batch, inspections, answers, kinds, strict=True):
            found = None
            if kind is not None:
                found = Difference(inspection.frame_id, inspection.visit_id, kind, one.then, now, next(causes))
            judged.append(JudgedFrame(one, inspection, now, found))
        return judged

    def _kind(self, one: RecordedFrame, inspection: Inspection, now: FrameAnswer) -> DifferenceKind | None:
        kind = kind_of(one.then, now, self._tolerances)
        if kind is not None or one.then is None or one.then.maps == now.maps:
            return kind
        # Maps of then are only looked at where digests differ.
        is_near = (
            one.maps is not None and inspection.maps is not None and distance(one.maps, inspection.maps) <= TOLERANCE
        )
        return None if is_near else DifferenceKind.MAPS

    def _causes(
        self, differing: Sequence[tuple[RecordedFrame, FrameAnswer, DifferenceKind]]
    ) -> list[tuple[DifferenceCause, ...]]:
        changed = [self._changed(one) for one, _, _ in differing]
        tried = [one for (one, _, _), changes in zip(differing, changed, strict=True) if changes and one.then]
        base = self._try(tried, lambda _: Setting())
        alone = {cause: self._try(tried, change) for cause, change in self._changes().items()}
        found: list[tuple[DifferenceCause, ...]] = []
        for (one, now, kind), changes in zip(differing, changed, strict=True):
            if one.then is None:
                found.append((DifferenceCause.NOT_RECORDED,))
            elif not changes:
                found.append(without_change(one.then, now))
            else:
                singly = {cause: alone[cause][one.frame.meta.frame_id] for cause in changes}
                found.append(attribute(kind, one.then, base[one.frame.meta.frame_id], singly, self._tolerances))
        return found

    def _changed(self, one: RecordedFrame) -> list[DifferenceCause]:
        """What the setting changes for a frame: its bundle, its recipe, both or nothing."""
        own = one.frame.meta.recipe
        recipe = self._setting.recipe
        changed = [] if recipe is None or recipe.is_same(own) else [DifferenceCause.RECIPE]
        return [DifferenceCause.BUNDLE, *changed] if self._bundle(own) != self._bundle_now(own) else changed

    def _changes(self) -> dict[DifferenceCause, Callable[[RecordedFrame], Setting]]:
        """Settings that change one thing alone."""

        def bundle(one: RecordedFrame) -> Setting:
            return Setting(bundle=self._bundle_now(one.frame.meta.recipe))

        def recipe(one: RecordedFrame) -> Setting:
            return Setting(self._bundle(one.frame.meta.recipe), self._setting.recipe)

        return {DifferenceCause.BUNDLE: bundle, DifferenceCause.RECIPE: recipe}

    def _recipe(self, ref: RecipeRef) -> Recipe | None:
        """What a reference names, by its digest where it has one; None for an unknown one."""
        return self._recipes.get(recipe_key(ref.recipe_id, ref.version, ref.digest))

    def _bundle(self, ref: RecipeRef) -> str | None:
        found = self._recipe(ref)
        return None if found is None else found.bundle_digest

    def _bundle_now(self, own: RecipeRef) -> str | None:
        return self._setting.bundle or self._bundle(self._setting.recipe or own)

    def _try(
        self, works: Sequence[RecordedFrame], setting_of: Callable[[RecordedFrame], Setting]
    ) -> dict[str, FrameAnswer]:
        """Answers by frame, each frame by its own setting."""
        groups: dict[Setting, list[RecordedFrame]] = {}
        for one in works:
            groups.setdefault(setting_of(one), []).append(one)
        found: dict[str, FrameAnswer] = {}
        for setting, group in groups.items():
            answered = self._reinspector.answer(group, setting)
            found |= {one.frame_id: FrameAnswer.of(one) for one in answered}
        return found


def judge_all(
    plan: ReplayPlan, recipes: Mapping[str, Recipe], batches: Iterable[list[RecordedFrame]]
) -> Iterator[list[JudgedFrame]]:
    """Judge every batch, in order; with one worker in this process, else in as many others, which hold no client.

    Raises:
        BundleError: for a bundle of the setting that is not in the store.
    """
    if plan.workers == 1:
        yield from map(FrameJudge(plan, recipes).judge, batches)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(plan.workers, context, _begin, (plan, recipes)) as pool:
        waiting: deque[Future[list[JudgedFrame]]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(_judged, batch))
                if len(waiting) >= 2 * plan.workers:  # two wait at each worker; the others need no memory yet
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


_judge: FrameJudge | None = None


def _begin(plan: ReplayPlan, recipes: Mapping[str, Recipe]) -> None:
    global _judge  # noqa: PLW0603 - a pool's initializer has no other place

    def end_with_parent() -> None:  # a killed one cannot say so
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // plan.workers))
    _judge = FrameJudge(plan, recipes)


def _judged(batch: list[RecordedFrame]) -> list[JudgedFrame]:
    if _judge is None:
        raise RuntimeError("the worker was not begun")
    return _judge.judge(batch)
