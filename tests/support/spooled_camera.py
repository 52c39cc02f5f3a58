"""A camera with its spool and no broker: the steps of ingest one by one, restarted at will."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from linewarden_ingest.cameras.options import CameraOptions, CameraRun
from linewarden_ingest.cameras.pictures import Encoding
from linewarden_ingest.intake import Intake
from linewarden_ingest.metrics import Losses
from linewarden_ingest.settings import Overload
from linewarden_ingest.spool.reader import Record
from linewarden_ingest.spool.spool import Spool, SpoolLimits
from linewarden_ingest.ticket import Ticket
from linewarden_ingest.worker import resume_at
from linewarden_runtime.clock import Clock
from linewarden_schemas.capture import Capture
from tests.support.processes import wait_for
from tests.unit.ingest.lines import PINS, PLACE, watch_of


class SpooledCamera:
    """Opens spool and camera as the worker does; `close` is an orderly end without a last word to the camera."""

    def __init__(self, options: CameraOptions, folder: Path, clock: Clock, limits: SpoolLimits | None = None) -> None:
        self.spool = Spool(folder, limits or SpoolLimits(), clock)
        first = resume_at(self.spool, 1_000, begins_anew=False)
        torn = first - 1 if self.spool.recovered.is_torn else None
        run = CameraRun(PLACE, clock, threading.Event(), 1_000, first, torn, folder)
        try:
            self.camera = options.open(run)
        except BaseException:
            self.spool.close()
            raise
        self.intake = Intake(
            self.camera,
            self.spool,
            lambda _at_ms: PINS,
            place=PLACE,
            encoding=Encoding(),
            max_picture_bytes=5 << 20,
            overload=Overload.BLOCK,
            losses=Losses(PLACE.camera_id),
            run_ms=1_000,
            stop=run.stop,
            watch=watch_of(clock, camera=PLACE.camera_id),
        )

    def turn(self) -> None:
        """Take what is there, make it safe, and say so with the next turn."""
        self.intake.step()
        self.spool.sync()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take turns until something holds."""

        def turned() -> bool:
            self.turn()
            return condition()

        wait_for(turned, what)

    def taken(self) -> list[tuple[Capture, bytes | None]]:
        """What is in the spool, safe or not."""
        self.spool.sync()
        reader = self.spool.reader()
        found = []
        while (record := reader.next()) is not None:
            if isinstance(record, Record):
                found.append((Ticket.from_bytes(record.header).capture, record.payload))
        reader.close()
        return found

    def close(self) -> None:
        """End camera and spool."""
        self.camera.close()
        self.spool.close()
