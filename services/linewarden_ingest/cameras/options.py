"""What ingest asks of every kind of camera: its settings, what it brings, and to be opened for a run."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from linewarden_ingest.cameras.conditions import CameraLimits
from linewarden_ingest.cameras.interface import Camera
from linewarden_ingest.cameras.pictures import Encoding
from linewarden_ingest.captures import CameraPlace
from linewarden_runtime.clock import Clock
from linewarden_schemas.base import Id


@dataclass(frozen=True, slots=True)
class CameraRun:
    """What a camera is opened for.

    `start_ms` (epoch ms) names the run, the same for all cameras of the station, and is when shot 0 is due; it may lie
    in the past. `first` is the index of the first shot that is wanted: those before it are safe already.
    """

    place: CameraPlace
    clock: Clock
    stop: threading.Event
    start_ms: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class FramePacer:
    """Shot n is due n periods after the start, so that a slow moment is caught up.

    `rate_per_s` None means as fast as they are taken. `start_ms` is when shot 0 is due, epoch ms.
    """

    clock: Clock
    stop: threading.Event
    start_ms: int
    rate_per_s: float | None = None

    def due_ms(self, number: int) -> int:
        """When shot `number` is due, epoch ms."""
        return self.start_ms + (round(number * 1000 / self.rate_per_s) if self.rate_per_s else 0)

    def reached(self, number: int, timeout_s: float) -> bool:
        """Whether shot `number` is due, after waiting for it at most `timeout_s` or until the stop."""
        late_s = (self.due_ms(number) - self.clock.now_ms()) / 1000
        if late_s <= 0:
            return True
        self.clock.wait(self.stop, min(late_s, timeout_s))
        return self.clock.now_ms() >= self.due_ms(number)


class CameraOptions(BaseModel):
    """The settings of one camera; a kind of camera is a subclass, whose `kind` is a Literal with itself as default.

    `limits` are what its pictures are held against. `read_limit_s` is how long opening, a read or closing may take
    before the process ends; None for no limit.

    The process that supervises the cameras reads them too: what a device needs is imported where it is opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    camera_id: Id
    view_id: Id
    encoding: Literal["png", "jpeg"] = "png"
    jpeg_quality: int = Field(95, ge=1, le=100)
    rate_per_s: float | None = Field(None, gt=0)
    limits: CameraLimits = CameraLimits()
    read_limit_s: float | None = Field(30.0, gt=0)

    @classmethod
    def discover(cls) -> Sequence[Mapping[str, str]]:
        """Devices of this kind that answer now, each by what tells it apart, best in the words of the settings.

        None by default, as of a kind that cannot look for any.

        Raises:
            ConfigurationError, CameraFault: where it cannot look now.
        """
        return ()

    @property
    def is_live(self) -> bool:
        """Whether its pictures are of now, so that no two are equal bit by bit; not so of files."""
        return True

    @property
    def brings_visits(self) -> bool:
        """Whether each shot has a trigger with its visit's number; a station with several cameras needs it of all."""
        return False

    @property
    def begins_anew(self) -> bool:
        """Whether each run begins with shot 0, as where visits are named by the run; else it goes on behind the last.

        A source that came to its end begins anew in any case.
        """
        return False

    @property
    def sends_apart(self) -> bool:
        """Whether the Kafka client gets a process of its own where `LINEWARDEN_INGEST__SENDS_APART` is not set."""
        return True

    @property
    def raw_encoding(self) -> Encoding:
        """How raw pictures are encoded."""
        return Encoding(self.encoding, self.jpeg_quality)

    def prepare(self, is_stopped: Callable[[], bool]) -> None:
        """Do what has to be done before any camera's process starts; by default nothing."""

    @abstractmethod
    def open(self, run: CameraRun) -> Camera:
        """The camera, to go on with shot `run.first`.

        Raises:
            ConfigurationError: where what people set is not as it must be; ingest ends.
            CameraFault: where the device does not answer; it is opened again after a while.
        """

    def pace(self, run: CameraRun) -> FramePacer:
        """Pictures at `rate_per_s` from now on, whatever was missed."""
        return FramePacer(run.clock, run.stop, max(run.start_ms, run.clock.now_ms()), self.rate_per_s)
