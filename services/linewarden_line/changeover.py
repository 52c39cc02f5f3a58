"""How far a changeover has come: who has the recipe, and which visits of before are not decided. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from linewarden_domain.words import Said, said
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.changeover import Changeover, WorkerHeartbeat
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.recipe import Recipe
from linewarden_schemas.vocabulary import ChangeoverStage

SILENT_MS = 15_000
"""A camera or worker that was not heard for so long is not there."""
_SETTLE_MS = 2_000
"""How long after the last acknowledgement captures of before may still be on their way here."""
_GIVEN_UP_MS = 60_000
"""How long after its deadline a visit is waited for; it can not pass any more, and another alarm tells of it."""
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class ChangeoverProgress:
    """A stage, what the next one still needs in words, who has acknowledged, and how many visits of before are open."""

    stage: ChangeoverStage
    waiting_for: tuple[Said, ...] = ()
    acknowledged: tuple[str, ...] = ()
    open_before: int | None = None


@dataclass(slots=True)
class _OpenVisit:
    since_ms: int
    decide_by_ms: int


class ChangeoverTracker:
    """What is heard of one line. Times are epoch ms of whoever asks."""

    def __init__(self, line_id: str) -> None:
        self._line_id = line_id
        self._cameras: dict[str, tuple[CameraHeartbeat, int]] = {}
        self._workers: dict[str, tuple[WorkerHeartbeat, int]] = {}
        self._open: dict[str, _OpenVisit] = {}
        self._decided: OrderedDict[str, None] = OrderedDict()
        self._acknowledged: tuple[str, int] | None = None
        """The changeover that all have acknowledged, and since when."""

    def hear(self, beat: CameraHeartbeat | WorkerHeartbeat, now_ms: int) -> None:
        """Take what a camera or a worker says of itself."""
        if isinstance(beat, WorkerHeartbeat):
            self._workers[beat.worker] = beat, now_ms
        elif beat.line_id == self._line_id:
            self._cameras[beat.camera_id] = beat, now_ms

    def captured(self, capture: Capture) -> None:
        """Take a capture: its visit is open until it is decided."""
        if capture.line_id != self._line_id or capture.visit_id in self._decided:
            return
        known = self._open.get(capture.visit_id)
        since_ms, by_ms = capture.line_state.since_ms, capture.decide_by_ms
        if known is not None:
            since_ms, by_ms = min(known.since_ms, since_ms), max(known.decide_by_ms, by_ms)
        self._open[capture.visit_id] = _OpenVisit(since_ms, by_ms)

    def routed(self, told: Disposition) -> None:
        """Take a disposition: its visit is decided."""
        if told.line_id != self._line_id:
            return
        self._open.pop(told.visit_id, None)
        self._decided[told.visit_id] = None
        while len(self._decided) > _REMEMBERED:
            self._decided.popitem(last=False)

    def progress(self, change: Changeover, recipe: Recipe | None, now_ms: int) -> ChangeoverProgress:
        """How far an open changeover has come by what was heard."""
        if recipe is None:
            return ChangeoverProgress(ChangeoverStage.REQUESTED, (said("wait_recipe"),))
        missing = (*self._cameras_without(change, recipe, now_ms), *self._workers_without(change, now_ms))
        there = tuple(sorted((*self._alive_cameras(now_ms), *self._alive_workers(now_ms))))
        if missing:
            self._acknowledged = None
            return ChangeoverProgress(ChangeoverStage.REQUESTED, missing)
        if self._acknowledged is None or self._acknowledged[0] != change.changeover_id:
            self._acknowledged = change.changeover_id, now_ms
        left = self._open_before(change.requested_ms, now_ms)
        if left or now_ms - self._acknowledged[1] < _SETTLE_MS:
            words = said("wait_visits", count=left) if left else said("wait_settling")
            return ChangeoverProgress(ChangeoverStage.ACKNOWLEDGED, (words,), there, left)
        if recipe.check is None:
            return ChangeoverProgress(ChangeoverStage.CHECKED, (), there, 0)
        run = said("wait_masters", line=self._line_id)
        return ChangeoverProgress(ChangeoverStage.CLEARED, (run,), there, 0)

    def signals(self) -> Iterator[CameraHeartbeat]:
        """Heartbeats that tell a word of the side channel, the newest word last."""
        told = [beat for beat, _ in self._cameras.values() if beat.signal is not None]
        yield from sorted(told, key=lambda beat: 0 if beat.signal is None else beat.signal.at_ms)

    def _open_before(self, requested_ms: int, now_ms: int) -> int:
        over = [name for name, one in self._open.items() if one.decide_by_ms + _GIVEN_UP_MS < now_ms]
        for name in over:
            del self._open[name]
        return sum(one.since_ms < requested_ms for one in self._open.values())

    def _cameras_without(self, change: Changeover, recipe: Recipe, now_ms: int) -> Iterator[Said]:
        expected = {view.camera_id: view.view_id for view in recipe.views}
        alive = self._alive_cameras(now_ms)
        for camera_id, view_id in expected.items():
            if camera_id not in alive:
                yield said("wait_camera_silent", camera=camera_id, view=view_id)
        for camera_id, beat in alive.items():
            if beat.recipe is None or beat.line_state is None:
                yield said("wait_camera_mute", camera=camera_id)
            elif not beat.recipe.is_same(change.recipe) or beat.line_state.since_ms < change.requested_ms:
                yield said("wait_camera_other", camera=camera_id, recipe=beat.recipe.short)
            elif camera_id in expected and beat.view_id != expected[camera_id]:
                view = beat.view_id or "none"
                yield said("wait_camera_view", camera=camera_id, view=view, expected=expected[camera_id])

    def _workers_without(self, change: Changeover, now_ms: int) -> Iterator[Said]:
        alive = self._alive_workers(now_ms)
        if not alive:
            yield said("wait_worker_none")
        for name, beat in alive.items():
            has = next((one for one in beat.loaded if one.line_id == self._line_id), None)
            if has is None or not has.recipe.is_same(change.recipe):
                yield said("wait_worker_other", worker=name, recipe="-" if has is None else has.recipe.short)
            elif has.problem is not None:
                yield said("wait_worker_problem", worker=name, detail=has.problem)

    def _alive_cameras(self, now_ms: int) -> dict[str, CameraHeartbeat]:
        return {name: beat for name, (beat, at_ms) in self._cameras.items() if now_ms - at_ms < SILENT_MS}

    def _alive_workers(self, now_ms: int) -> dict[str, WorkerHeartbeat]:
        heard = self._workers.items()
        return {name: beat for name, (beat, at_ms) in heard if now_ms - at_ms < SILENT_MS and not beat.leaving}
