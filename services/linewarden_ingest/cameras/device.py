"""A GenICam camera, whichever library speaks to it: Aravis, or a vendor's GenTL producer."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Protocol


class GenicamError(Exception):
    """What the library says went wrong; `is_of_settings` where the camera is there and refuses what was asked of it."""

    def __init__(self, message: str, *, is_of_settings: bool) -> None:
        super().__init__(message)
        self.is_of_settings = is_of_settings


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that answered the search; `device_id` names it in settings. A producer tells no address."""

    device_id: str
    vendor: str
    model: str
    serial: str
    address: str
    protocol: str

    def is_called(self, name: str) -> bool:
        """Whether the name is its id, serial or address."""
        return name in {self.device_id, self.serial, self.address}


@dataclass(frozen=True, slots=True)
class Block:
    """What came in one buffer, copied out of it; `status` 0 is a whole picture, `system_ms` when it began to arrive.

    A producer's `system_ms` is when it was whole. Where the first packet is lost, or a producer calls a block
    incomplete, `frame_id` and `system_ms` may be 0: blocks come in their order all the same. `pixel_format` is the
    code of the PFNC, `padding` bytes follow each row.
    """

    status: int
    frame_id: int
    system_ms: int
    width: int
    height: int
    pixel_format: int
    padding: int
    data: bytes


class GenicamDevice(Protocol):
    """A camera that was opened, its features, and its stream. `lost` is set where control of it is lost."""

    lost: threading.Event

    @property
    def is_gige(self) -> bool:
        """Whether packet size and socket are ours to set."""
        ...

    def ask(self, what: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the camera tells
        """Do or tell `what`, by the name that Aravis has for it behind `arv_camera_`; raises GenicamError."""
        ...

    def has(self, feature: str) -> bool:
        """Whether it has the feature, now; raises GenicamError."""
        ...

    def start(self, buffers: int, socket_bytes: int) -> None:
        """Begin to take pictures into a ring of buffers; raises GenicamError."""
        ...

    def pop(self, timeout_s: float) -> Block | None:
        """What came next, whole or not, copied out of the ring, or None where nothing came in time."""
        ...

    def close(self) -> None:
        """Stop it and give it up; a camera that does not answer any more is given up all the same."""
        ...
