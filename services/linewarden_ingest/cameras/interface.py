"""What every source of pictures is to ingest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from linewarden_schemas.capture import Capture, ContentType, Returned
from linewarden_schemas.vocabulary import CameraCondition, Loss, PartIdSource

RawPicture = np.ndarray[Any, np.dtype[np.integer[Any] | np.floating[Any]]]


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A JPEG or PNG as it came, untouched."""

    data: bytes
    content_type: ContentType


@dataclass(frozen=True, slots=True)
class Trigger:
    """The visit as a side channel tells it, the same for all cameras of a station: its number and its time."""

    counter: int
    trigger_ms: int


@dataclass(frozen=True, slots=True)
class PartInfo:
    """What came with the picture about the part; nothing of it is needed.

    `cavity` is the mould cavity or nest that made it, `encoder_position` is in counts.
    """

    part_id: str | None = None
    part_id_source: PartIdSource | None = None
    lot_id: str | None = None
    product_id: str | None = None
    returned: Returned | None = None
    encoder_position: int | None = None
    cavity: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """How whoever waits for a shot learns that it is safe. Both are called on the camera's thread, between its polls.

    `given` comes before the record is written, with its capture, and again where the spool was full. What the camera
    keeps of it must last before it returns, since the record may; SpoolFull, raised where there is no room, lets the
    line hold. `safe` comes when the record is fsynced. Of a shot that a death left between both, the next `CameraRun`
    tells whether it is safe: by `first` and `torn`.
    """

    given: Callable[[Capture], None]
    safe: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Shot:
    """One trigger of one view.

    `picture` is encoded, or raw (HxW or HxWx3 BGR, uint8 or uint16), or None where `loss` says why, and `loss_detail`
    in words. `index` is the shot's place in its source: a process that starts again goes on behind it. Without a
    `trigger` ingest mints the visit. `view_id` is only set where one camera takes several views. `conditions` are what
    the camera itself knows to be wrong with it; what the picture shows is found by ingest. `counter` is the camera's
    own number of the picture, where it has one that also counts what was lost. `doubt` says why what is told of the
    part is not believed; its visit diverts. `receipt`
    is for a camera whose source must know when the shot is safe.
    """

    index: int
    captured_ms: int
    picture: EncodedPicture | RawPicture | None
    loss: Loss | None = None
    loss_detail: str | None = None
    trigger: Trigger | None = None
    view_id: str | None = None
    part: PartInfo = field(default_factory=PartInfo)
    is_simulated: bool = False
    conditions: tuple[CameraCondition, ...] = ()
    counter: int | None = None
    doubt: str | None = None
    receipt: Receipt | None = field(default=None, compare=False)


class EndOfPictures(Exception):
    """The source is finished; there is nothing wrong with it."""


class CameraFault(Exception):
    """The camera is dead and must be opened anew. `shot` is the trigger that got no picture, where one is known."""

    def __init__(self, reason: str, shot: Shot | None = None) -> None:
        super().__init__(reason)
        self.shot = shot


class Camera(Protocol):
    """A source of pictures, used by one thread."""

    def poll(self, timeout_s: float) -> Shot | None:
        """The next shot, or None where none came in time.

        Raises:
            EndOfPictures: where the source is finished.
            CameraFault: where it is dead.
        """
        ...

    def close(self) -> None:
        """Release the device; called once, also after a `CameraFault`."""
        ...


@runtime_checkable
class TriggeredCamera(Protocol):
    """A camera that can tell its trigger while `poll` waits for the picture of it."""

    @property
    def in_hand(self) -> Shot | None:
        """The trigger that still lacks its picture; None for none. Asked from another thread, and must not wait."""
        ...
