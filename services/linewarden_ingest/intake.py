"""From the camera into the spool: every shot gets its sequence and its capture, picture or not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from linewarden_schemas.vocabulary import Loss

from .cameras.interface import Camera, CameraFault, EncodedPicture, EndOfPictures, Shot
from .cameras.pictures import Encoding, Unreadable, encode
from .captures import Pins, Place, build_capture
from .losses import Losses
from .metrics import HOLDS, REFUSED, SPOOL_LEVEL, SPOOL_SHARE, TAKEN, TAKEN_BYTES
from .overload import Level, Overload, level_of
from .spool.faults import SpoolFull
from .spool.format import Kind
from .spool.spool import Spool
from .ticket import Ticket

_POLL_S = 0.2
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """How pictures are encoded, how large they may be (bytes), and what happens when the spool is full."""

    encoding: Encoding
    max_picture_bytes: int
    overload: Overload


class Intake:
    """One camera's intake; belongs to one thread. `pins` answers for a time, `run_ms` is the run's, in epoch ms."""

    def __init__(
        self,
        camera: Camera,
        spool: Spool,
        pins: Callable[[int], Pins],
        *,
        place: Place,
        rules: IntakeRules,
        losses: Losses,
        run_ms: int,
        stop: threading.Event,
    ) -> None:
        self._run_ms = run_ms
        self._camera, self._spool, self._pins = camera, spool, pins
        self._place, self._rules, self._losses, self._stop = place, rules, losses, stop
        self._level = Level.NORMAL
        self._taken = TAKEN.labels(camera=place.camera_id)
        self._taken_bytes = TAKEN_BYTES.labels(camera=place.camera_id)
        self._spool_share = SPOOL_SHARE.labels(camera=place.camera_id)

    def run(self) -> bool:
        """Take shots until the stop or the source's end; whether it came to its end.

        Raises:
            CameraFault: where the camera died, after the trigger without a picture was spooled.
            SpoolBroken: where the disk failed.
        """
        while not self._stop.is_set():
            try:
                shot = self._camera.poll(_POLL_S)
            except EndOfPictures:
                return True
            except CameraFault as fault:
                if fault.shot is not None:
                    self._spool_shot(fault.shot, None, Loss.CAMERA_FAULT)
                raise
            if shot is not None:
                self.take(shot)
        return False

    def take(self, shot: Shot) -> None:
        """Spool one shot; a picture that cannot be had is a capture with its loss."""
        picture, loss = self._encoded(shot)
        if picture is not None and len(picture.data) > self._rules.max_picture_bytes:
            _log.error(
                "the picture is too large and its visit diverts; lower the resolution, use JPEG, or raise "
                "max_record_bytes together with max.message.bytes of the topic 'frames'",
                camera_id=self._place.camera_id,
                size_bytes=len(picture.data),
                allowed_bytes=self._rules.max_picture_bytes,
            )
            picture, loss = None, Loss.OVERSIZE
        self._spool_shot(shot, picture, loss)

    def _encoded(self, shot: Shot) -> tuple[EncodedPicture | None, Loss | None]:
        if shot.picture is None:
            return None, shot.loss or Loss.CAMERA_FAULT
        if isinstance(shot.picture, EncodedPicture):
            return shot.picture, None
        try:
            return encode(shot.picture, self._rules.encoding), None
        except Unreadable as error:
            _log.error("the picture cannot be encoded", camera_id=self._place.camera_id, error=str(error))
            return None, Loss.UNREADABLE

    def _spool_shot(self, shot: Shot, picture: EncodedPicture | None, loss: Loss | None) -> None:
        capture = build_capture(
            shot,
            picture,
            loss=loss,
            place=self._place,
            pins=self._pins(shot.trigger.trigger_ms if shot.trigger else shot.captured_ms),
            spool_epoch=self._spool.epoch,
            sequence=self._spool.next_sequence,
        )
        ticket = Ticket(capture, shot.index, self._run_ms, picture.content_type if picture else None)
        if self._append(ticket, picture.data if picture else None):
            self._count(picture, loss)

    def _append(self, ticket: Ticket, picture: bytes | None) -> bool:
        kind, header = Kind.BARE if picture is None else Kind.WHOLE, ticket.to_bytes()
        while True:
            try:
                self._spool.append(header, picture or b"", kind, ticket)
            except SpoolFull as full:
                if not self._made_room(full):
                    return False
            else:
                self._show(self._spool.used_share)
                return True

    def _made_room(self, full: SpoolFull) -> bool:
        if self._rules.overload is Overload.DROP_OLDEST and (dropped := self._spool.shed()):
            self._losses.add(Loss.DROPPED_OLDEST, dropped)
            return True
        if self._stop.is_set():
            REFUSED.labels(camera=self._place.camera_id).inc()
            _log.error("stopped while the spool is full; one shot was not taken", camera_id=self._place.camera_id)
            return False
        if self._level is not Level.HOLD:
            HOLDS.labels(camera=self._place.camera_id).inc()
        self._show(max(1.0, self._spool.used_share), str(full))
        self._spool.wait_room()
        return True

    def _show(self, used_share: float, why: str = "") -> None:
        self._spool_share.set(used_share)
        level = level_of(used_share)
        if level is not self._level:
            SPOOL_LEVEL.labels(camera=self._place.camera_id).set(level)
            tell = _log.warning if level > self._level else _log.info
            tell("spool level", camera_id=self._place.camera_id, level=level.name.lower(), why=why)
            self._level = level

    def _count(self, picture: EncodedPicture | None, loss: Loss | None) -> None:
        self._taken.inc()
        if picture is not None:
            self._taken_bytes.inc(len(picture.data))
        if loss is not None:
            self._losses.add(loss)
