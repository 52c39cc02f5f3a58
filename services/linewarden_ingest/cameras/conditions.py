"""What is wrong with a camera, found from its pictures and their times, one after another; no clock and no I/O."""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from linewarden_ingest.cameras.interface import EncodedPicture, RawPicture, Shot
from linewarden_schemas.ids import digest
from linewarden_schemas.vocabulary import CameraCondition, Loss
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.png import MAGIC as PNG_MAGIC

LONGEST_SIDE = 640
"""Pixels of the longer side of the grey picture that is measured."""
_REMEMBERED = 64
"""Pictures among which a repeat is looked for: a ring of buffers repeats more than the last one."""
_NOTES = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Segments of a JPEG that say something about it: application data and comments."""
_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
"""Chunks of a PNG that make its pixels."""


class CameraLimits(BaseModel):
    """What the pictures of one camera are held against; a limit that is None is not judged.

    `frozen` None: judged where the source is live. `dark` and `bright` are mean grey levels, 0 to 255 whatever the
    depth; `focus` is the least focus figure (`measure`); `gap_s` the longest time between two pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frozen: bool | None = None
    dark: float | None = Field(None, ge=0, le=255)
    bright: float | None = Field(None, ge=0, le=255)
    focus: float | None = Field(None, ge=0)
    gap_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        if self.dark is not None and self.bright is not None and self.dark >= self.bright:
            raise ValueError(f"dark ({self.dark:g}) must lie below bright ({self.bright:g})")
        return self

    @property
    def measures(self) -> bool:
        """Whether a picture has to be measured, and for that decoded where the camera gives it encoded."""
        return (self.dark, self.bright, self.focus) != (None, None, None)


@dataclass(frozen=True, slots=True)
class PictureFigures:
    """Of the downscaled picture: `grey` is its mean grey level, 0 to 255, `focus` the variance of its Laplacian."""

    grey: float
    focus: float

    def against(self, limits: CameraLimits) -> Iterator[CameraCondition]:
        """The conditions that these figures show."""
        if limits.dark is not None and self.grey < limits.dark:
            yield CameraCondition.DARK
        if limits.bright is not None and self.grey > limits.bright:
            yield CameraCondition.BRIGHT
        if limits.focus is not None and self.focus < limits.focus:
            yield CameraCondition.BLURRED


def measure(picture: EncodedPicture | RawPicture) -> PictureFigures:
    """Mean grey level and focus figure of a picture, whose longer side is brought to `LONGEST_SIDE` where it is longer.

    Raises:
        PictureRefused: where it cannot be decoded, is damaged or cut short.
    """
    return figures_of(grey_of(picture))


def figures_of(grey: NDArray[np.float32]) -> PictureFigures:
    """The figures of a picture that is downscaled and grey already, as `grey_of` gives it."""
    import cv2  # noqa: PLC0415 - the supervisor, which reads the limits, stays small

    return PictureFigures(float(grey.mean()), float(cv2.Laplacian(grey, cv2.CV_32F).var()))


def grey_of(picture: EncodedPicture | RawPicture) -> NDArray[np.float32]:
    """The downscaled grey picture (HxW float32, 0 to 255) that is measured; raises PictureRefused as `measure` does."""
    import cv2  # noqa: PLC0415 - as above

    raw = _decoded(picture) if isinstance(picture, EncodedPicture) else picture
    scale = LONGEST_SIDE / max(raw.shape[:2])
    small = cv2.resize(raw, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1.0 else raw
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small
    return np.asarray(grey, np.float32) / np.float32(257 if raw.itemsize == 2 else 1)


def _decoded(picture: EncodedPicture) -> RawPicture:
    import cv2  # noqa: PLC0415 - as above

    from linewarden_vision.pictures.header import unreadable  # noqa: PLC0415 - as above
    from linewarden_vision.pictures.reading import PictureLimits, check_size, read_header  # noqa: PLC0415

    header = read_header(picture.data)  # which tells what is cut short; OpenCV fills it with grey
    check_size(header, PictureLimits(max_bytes=len(picture.data)))
    # A JPEG is decoded smaller for less; a PNG is decoded whole whatever is asked for.
    spare = 1 if picture.content_type == "image/png" else max(header.width, header.height) // LONGEST_SIDE
    flag = cv2.IMREAD_GRAYSCALE if spare < 2 else cv2.IMREAD_REDUCED_GRAYSCALE_2
    flag = cv2.IMREAD_REDUCED_GRAYSCALE_4 if spare >= 4 else flag
    raw = cv2.imdecode(np.frombuffer(picture.data, np.uint8), flag | cv2.IMREAD_ANYDEPTH)
    if raw is None:
        raise unreadable("it does not decode")
    return raw


class ConditionJudge:
    """Judges the shots of one camera in their order. `last_sha256` is of the last picture of the process before."""

    def __init__(self, limits: CameraLimits, *, is_live: bool, last_sha256: str | None = None) -> None:
        self._limits, self._last_sha256 = limits, last_sha256
        self._sees_repeats = is_live if limits.frozen is None else limits.frozen
        self._seen: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._pictured_ms: int | None = None

    def judge(self, shot: Shot, picture: EncodedPicture | None, loss: Loss | None) -> tuple[CameraCondition, ...]:
        """What is wrong with the camera by this shot: what it said itself, and what is found.

        `picture` is the shot's as it is published, None where `loss` says why there is none.
        """
        found = set(shot.conditions)
        if loss is Loss.CAMERA_FAULT:
            found.add(CameraCondition.LOST)
        if self.is_silent(shot.captured_ms):
            found.add(CameraCondition.SLOW)
        if picture is not None:
            found.update(self._of_picture(shot, picture))
            self._pictured_ms = shot.captured_ms
        return tuple(one for one in CameraCondition if one in found)

    def is_silent(self, now_ms: int) -> bool:
        """Whether the last picture lies further back than the limit allows."""
        gap_s, last_ms = self._limits.gap_s, self._pictured_ms
        return gap_s is not None and last_ms is not None and now_ms - last_ms > gap_s * 1000

    def _of_picture(self, shot: Shot, picture: EncodedPicture) -> Iterator[CameraCondition]:
        if self._sees_repeats and self._is_repeat(picture):
            yield CameraCondition.FROZEN
        if not self._limits.measures:
            return
        # Raw where it came so, which saves the decoding.
        raw = picture if shot.picture is None or isinstance(shot.picture, EncodedPicture) else shot.picture
        try:
            yield from measure(raw).against(self._limits)
        except PictureRefused:
            yield CameraCondition.TORN

    def _is_repeat(self, picture: EncodedPicture) -> bool:
        mark = content_mark(picture.data)
        is_last, self._last_sha256 = self._last_sha256 == digest(picture.data), None
        is_repeat = mark in self._seen or is_last
        self._seen.append(mark)
        return is_repeat


def content_mark(data: bytes) -> bytes:
    """A digest of what makes the pixels of a JPEG or PNG; what it says about itself, such as its time, is left out."""
    pieces = list(_of_png(data) if data.startswith(PNG_MAGIC) else _of_jpeg(data))
    marked = hashlib.blake2b(digest_size=16)
    for piece in pieces or [data]:
        marked.update(piece)
    return marked.digest()


def _of_png(data: bytes) -> Iterator[bytes]:
    at = len(PNG_MAGIC)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in _PIXELS:
            yield data[at : at + 8 + length]
        at += 12 + length


def _of_jpeg(data: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:  # the scans, to the end
            yield data[at:]
            return
        if marker not in _NOTES:
            yield data[at : at + 2 + length]
        at += 2 + length
