"""Any camera with what a side channel tells: pictures joined to triggers, and codes read from them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import structlog

from linewarden_ingest.cameras.codes import CodeReadingCamera, checked_serial
from linewarden_ingest.cameras.interface import (
    Camera,
    CameraFault,
    EndOfPictures,
    Receipt,
    Shot,
    TriggeredCamera,
)
from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.metrics import JOINS
from linewarden_ingest.triggers.feed import TriggerFeed
from linewarden_ingest.triggers.joining import JoinCause, Joiner, JoinOutcome
from linewarden_ingest.triggers.signal import PartSignal
from linewarden_schemas.vocabulary import CameraCondition, Loss

_STEP_S = 0.02
_log = structlog.get_logger(__name__)


def open_camera(options: CameraOptions, run: CameraRun, feed: TriggerFeed) -> Camera:
    """The camera of these options, joined and read as they say; `feed` is what the side channel tells.

    Raises:
        ConfigurationError: where what people set is not as it must be.
        CameraFault: where the device does not answer.
    """
    camera = options.open(run)
    if options.join is not None:
        camera = JoinedCamera(camera, options.join.joiner(), feed, run)
    if options.read_code is not None:
        camera = CodeReadingCamera(camera, options.read_code, options.camera_id)
    return camera


class JoinedCamera:
    """Gives each picture with its trigger's visit and part data, and each that has no partner with the cause.

    A picture alone is a visit of its own, a trigger alone a capture without picture; both divert. Of a camera that
    counts its pictures, the one behind a jump diverts as well.
    """

    def __init__(self, camera: Camera, joiner: Joiner, feed: TriggerFeed, run: CameraRun) -> None:
        self._camera, self._joiner, self._feed, self._run = camera, joiner, feed, run
        self._ready: deque[JoinOutcome] = deque()
        self._end: CameraFault | EndOfPictures | None = None
        self._index = run.first - 1
        self._counter: int | None = None

    @property
    def in_hand(self) -> Shot | None:
        """What the camera itself tells of the picture that it waits for."""
        return self._camera.in_hand if isinstance(self._camera, TriggeredCamera) else None

    def poll(self, timeout_s: float) -> Shot | None:
        """The next that is decided. What is held when the source ends, or dies, comes before that is told."""
        until_s = self._run.clock.monotonic() + timeout_s
        while not self._ready:
            if self._end is not None:
                raise self._end
            left_s = until_s - self._run.clock.monotonic()
            if left_s <= 0:
                return None
            self._turn(min(left_s, _STEP_S))
        return self._shot(self._ready.popleft())

    def close(self) -> None:
        """Close the camera; what is held was not taken, and its parts are missing a view."""
        self._camera.close()

    def _turn(self, timeout_s: float) -> None:
        """Poll the camera once; what came of both until then decides."""
        horizon_ms = self._run.clock.now_ms()
        try:
            shot = self._camera.poll(timeout_s)
        except CameraFault as fault:
            shot, self._end = fault.shot, CameraFault(str(fault))
            shot = None if shot is None else replace(shot, picture=None, loss=Loss.CAMERA_FAULT, loss_detail=str(fault))
        except EndOfPictures as end:
            shot, self._end = None, end
        if shot is not None:
            self._joiner.picture(self._counted(shot))
            # The camera may hold others that were taken since, but none of before.
            horizon_ms = min(horizon_ms, shot.captured_ms)
        for signal in self._feed.taken():
            self._joiner.signal(signal)
        self._ready.extend(self._joiner.due(horizon_ms) if self._end is None else self._joiner.flush())

    def _counted(self, shot: Shot) -> Shot:
        before, self._counter = self._counter, shot.counter
        if before is None or shot.counter is None or shot.counter == before + 1:
            return shot
        return replace(shot, doubt=_all(shot.doubt, f"the camera's counter jumped from {before} to {shot.counter}"))

    def _shot(self, outcome: JoinOutcome) -> Shot:
        shot = self._received(self._made(outcome), outcome.signal)
        cause = outcome.cause
        if cause is JoinCause.JOINED and shot.doubt is not None:
            cause = JoinCause.COUNTER_JUMP
        JOINS.labels(camera=self._run.place.camera_id, cause=cause.value).inc()
        if cause is not JoinCause.JOINED:
            why = shot.doubt or shot.loss_detail
            camera_id = self._run.place.camera_id
            _log.warning("a part diverts", camera_id=camera_id, shot=shot.index, cause=cause.value, why=why)
        self._index = max(self._index, shot.index)
        return shot

    def _received(self, shot: Shot, signal: PartSignal | None) -> Shot:
        """So that whoever reads the side channel learns when this process cannot lose the trigger any more."""
        if signal is None:
            return shot
        before = shot.receipt

        def safe() -> None:
            if before is not None:
                before.safe()
            self._feed.safe(signal)

        return replace(shot, receipt=Receipt((lambda _capture: None) if before is None else before.given, safe))

    def _made(self, outcome: JoinOutcome) -> Shot:
        picture, signal = outcome.picture, outcome.signal
        if picture is None:
            if signal is None:
                raise ValueError("an outcome of nothing")
            return self._without_picture(signal, outcome)
        if signal is None:
            away = f"the side channel is away: {self._feed.away}" if self._feed.away else None
            return replace(picture, doubt=_all(picture.doubt, outcome.why, away))
        part, differs = checked_serial(picture.part.part_id, signal.part, "the picture came with")
        doubt = _all(picture.doubt, signal.doubt, differs)
        return replace(picture, trigger=signal.trigger, part=part, doubt=doubt)

    def _without_picture(self, signal: PartSignal, outcome: JoinOutcome) -> Shot:
        return Shot(
            index=self._index,
            captured_ms=signal.arrived_ms,
            picture=None,
            loss=Loss.CAMERA_FAULT,
            loss_detail=_all(outcome.why, signal.doubt),
            trigger=signal.trigger,
            part=signal.part,
            conditions=(CameraCondition.LOST,) if outcome.cause is JoinCause.NO_PICTURE else (),
        )


def _all(*words: str | None) -> str | None:
    return "; ".join(filter(None, words)) or None
