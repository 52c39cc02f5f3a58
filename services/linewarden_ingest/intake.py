"""From the camera into the spool: every shot gets its sequence and its capture, picture or not."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

import structlog

from linewarden_ingest.camera_watch import CameraWatch
from linewarden_ingest.cameras.interface import (
    Camera,
    CameraFault,
    EncodedPicture,
    EndOfPictures,
    Receipt,
    Shot,
    TriggeredCamera,
)
from linewarden_ingest.cameras.pictures import Encoding, Unreadable, encode
from linewarden_ingest.captures import CameraPlace, Pins, build_capture
from linewarden_ingest.metrics import HOLDS, REFUSED, SPOOL_LEVEL, SPOOL_SHARE, TAKEN, TAKEN_BYTES, Losses
from linewarden_ingest.node_clock import NodeClock
from linewarden_ingest.settings import Overload
from linewarden_ingest.spool.faults import SpoolFull
from linewarden_ingest.spool.format import Kind
from linewarden_ingest.spool.spool import Spool
from linewarden_ingest.ticket import Ticket
from linewarden_schemas.vocabulary import Loss

_POLL_S = 0.2
_UNSAFE_POLL_S = 0.01
_log = structlog.get_logger(__name__)


class Level(IntEnum):
    """How full the spool is, as the line is told."""

    NORMAL = 0
    WARN = 1
    SLOW = 2
    HOLD = 3

    @classmethod
    def of(cls, used_share: float) -> Level:
        """Warn at 70 %, ask the line to slow down at 90 %, hold it at 100 %."""
        marks = ((1.0, cls.HOLD), (0.9, cls.SLOW), (0.7, cls.WARN))
        return next((level for mark, level in marks if used_share >= mark), cls.NORMAL)


@dataclass(frozen=True, slots=True)
class _InHand:
    """A shot on its way into the spool; its sequence is the next one until it is there."""

    ticket: Ticket
    picture: bytes | None
    receipt: Receipt | None


class Intake:
    """One camera's intake; belongs to one thread. `pins` answers for a time, `run_ms` is the run's, in epoch ms.

    `encoding` is that of raw pictures, `overload` what happens when the spool is full.
    """

    def __init__(
        self,
        camera: Camera,
        spool: Spool,
        pins: Callable[[int], Pins],
        *,
        place: CameraPlace,
        encoding: Encoding,
        max_picture_bytes: int,
        overload: Overload,
        losses: Losses,
        run_ms: int,
        stop: threading.Event,
        watch: CameraWatch,
        node: NodeClock | None = None,
    ) -> None:
        self._run_ms, self._node, self._watch = run_ms, node, watch
        # Held while a shot becomes a record: also whoever gives up a read that hangs may make one.
        self._hand = threading.Lock()
        self._is_held = False
        self._camera, self._spool, self._pins = camera, spool, pins
        self._unsafe: deque[tuple[int, Receipt]] = deque()  # by sequence, of what is not fsynced yet
        self._place, self._losses, self._stop = place, losses, stop
        self._encoding, self._max_picture_bytes, self._overload = encoding, max_picture_bytes, overload
        self._level = Level.NORMAL
        self._in_hand: _InHand | None = None
        self._fault: CameraFault | None = None
        self._taken = TAKEN.labels(camera=place.camera_id)
        self._taken_bytes = TAKEN_BYTES.labels(camera=place.camera_id)
        self._spool_share = SPOOL_SHARE.labels(camera=place.camera_id)

    def run(self) -> bool:
        """Take shots until the stop or the source's end; whether it came to its end.

        Raises:
            CameraFault: where the camera died, after the trigger without a picture was spooled.
            SpoolBroken: where the disk failed.
        """
        has_ended = self._take()
        self._spool.sync()
        self._tell_safe()
        return has_ended

    def _take(self) -> bool:
        while not self._stop.is_set():
            try:
                if not self.step():
                    self._spool.wait_room()
                if self._is_held:
                    self._stop.wait(_POLL_S)
            except EndOfPictures:
                return True
        self._refuse()
        return False

    def step(self) -> bool:
        """Spool the shot in hand, or poll the camera for one; whether nothing waits for room.

        Raises:
            EndOfPictures: where the source came to its end.
            CameraFault: where the camera died and its last trigger is spooled.
            SpoolBroken: where the disk failed.
        """
        self._tell_safe()
        if self._in_hand is None and self._held_by_clock():
            return True
        shot = None if self._in_hand else self._polled()
        with self._hand:
            return self._stepped(shot)

    def give_up(self) -> None:
        """Spool the trigger whose picture a hanging read was to bring, where the camera tells it; take no other shot.

        Called on another thread, of a process that ends afterwards: the next one publishes it.

        Raises:
            SpoolBroken: where the disk failed.
        """
        self._hand.acquire()  # for good, so that a read that comes back after all makes no second record
        shot = self._camera.in_hand if isinstance(self._camera, TriggeredCamera) else None
        if shot is not None and self._in_hand is None:
            why = "the camera hung, and its process was ended"
            if self._spooled(self._in_hand_of(shot, None, Loss.CAMERA_FAULT, why)):
                self._spool.sync()

    def _polled(self) -> Shot | None:
        try:
            with self._watch.reading():
                return self._camera.poll(_UNSAFE_POLL_S if self._unsafe else _POLL_S)
        except CameraFault as fault:
            if fault.shot is None:
                raise
            self._fault = fault
            return fault.shot

    def _stepped(self, shot: Shot | None) -> bool:
        if self._in_hand is None:
            if shot is None:
                return True
            if self._fault is None:
                self._in_hand = self._prepared(shot)
            else:
                self._in_hand = self._in_hand_of(shot, None, Loss.CAMERA_FAULT, str(self._fault))
        if not self._spooled(self._in_hand):
            return False
        self._in_hand = None
        if self._fault is not None:
            raise self._fault
        return True

    def _prepared(self, shot: Shot) -> _InHand:
        """A shot as it will be spooled; a picture that cannot be had is a capture with its loss."""
        picture, loss, detail = self._encoded(shot)
        if picture is not None and len(picture.data) > self._max_picture_bytes:
            _log.error(
                "the picture is too large and its visit diverts; lower the resolution, use JPEG, or raise "
                "max_record_bytes together with max.message.bytes of the topic 'frames'",
                camera_id=self._place.camera_id,
                shot=shot.index,
                size_bytes=len(picture.data),
                allowed_bytes=self._max_picture_bytes,
            )
            detail = f"{len(picture.data)} bytes; {self._max_picture_bytes} are allowed"
            picture, loss = None, Loss.OVERSIZE
        return self._in_hand_of(shot, picture, loss, detail)

    def _encoded(self, shot: Shot) -> tuple[EncodedPicture | None, Loss | None, str | None]:
        if shot.picture is None:
            return None, shot.loss or Loss.CAMERA_FAULT, shot.loss_detail
        if isinstance(shot.picture, EncodedPicture):
            return shot.picture, None, None
        try:
            return encode(shot.picture, self._encoding), None, None
        except Unreadable as error:
            _log.error(
                "the picture cannot be encoded", camera_id=self._place.camera_id, shot=shot.index, error=str(error)
            )
            return None, Loss.UNREADABLE, str(error)

    def _in_hand_of(self, shot: Shot, picture: EncodedPicture | None, loss: Loss | None, detail: str | None) -> _InHand:
        capture = build_capture(
            replace(shot, conditions=self._watch.judged(shot, picture, loss)),
            picture,
            loss=loss,
            loss_detail=detail,
            place=self._place,
            pins=self._pins(shot.captured_ms),  # a trigger may only name its run
            spool_epoch=self._spool.epoch,
            sequence=self._spool.next_sequence,
            clock_checked=self._node is not None and self._node.is_checked,
        )
        ticket = Ticket(capture, shot.index, self._run_ms, picture.content_type if picture else None)
        return _InHand(ticket, None if picture is None else picture.data, shot.receipt)

    def _spooled(self, one: _InHand) -> bool:
        """Spool it, where the policy says so in the room of older pictures; else the line holds and it is False."""
        header, kind = one.ticket.to_bytes(), Kind.BARE if one.picture is None else Kind.WHOLE
        while True:
            try:
                if one.receipt is not None:
                    one.receipt.given(one.ticket.capture)
                sequence = self._spool.append(header, one.picture or b"", kind, one.ticket)
            except SpoolFull as full:
                if not self._sheds():
                    self._hold(full)
                    return False
            else:
                if one.receipt is not None:
                    self._unsafe.append((sequence, one.receipt))
                self._show(self._spool.used_share)
                self._count(one)
                return True

    def _tell_safe(self) -> None:
        """Tell who waits for shots which of them the disk has."""
        while self._unsafe and self._unsafe[0][0] < self._spool.durable_next:
            self._unsafe.popleft()[1].safe()

    def _sheds(self) -> bool:
        if self._overload is not Overload.DROP_OLDEST or not (dropped := self._spool.shed()):
            return False
        self._losses.add(Loss.DROPPED_OLDEST, dropped)
        return True

    def _hold(self, full: SpoolFull) -> None:
        if self._level is not Level.HOLD:
            HOLDS.labels(camera=self._place.camera_id).inc()
        self._show(max(1.0, self._spool.used_share), str(full))

    def _refuse(self) -> None:
        if self._in_hand is not None:
            REFUSED.labels(camera=self._place.camera_id).inc()
            _log.error("stopped while the spool is full; one shot was not taken", camera_id=self._place.camera_id)

    def _show(self, used_share: float, why: str = "") -> None:
        self._spool_share.set(used_share)
        self._tell(Level.of(used_share), why)

    def _held_by_clock(self) -> bool:
        """Whether the node's clock is wrong: every visit would divert, so the camera isn't asked for any."""
        why = self._node.why_held() if self._node else None
        if why is not None:
            self._tell(Level.HOLD, why)
        elif self._is_held:
            self._show(self._spool.used_share)
        self._is_held = why is not None
        return self._is_held

    def _tell(self, level: Level, why: str) -> None:
        if level is not self._level:
            SPOOL_LEVEL.labels(camera=self._place.camera_id).set(level)
            tell = _log.warning if level > self._level else _log.info
            tell("spool level", camera_id=self._place.camera_id, level=level.name.lower(), why=why)
            self._level = level

    def _count(self, one: _InHand) -> None:
        self._taken.inc()
        if one.picture is not None:
            self._taken_bytes.inc(len(one.picture))
        if (loss := one.ticket.capture.lost) is not None:
            self._losses.add(loss)
