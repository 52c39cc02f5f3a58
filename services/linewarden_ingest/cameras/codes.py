"""Serials from bar and matrix codes in the picture, checked against what a side channel told of the part."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from linewarden_ingest.cameras.interface import Camera, EncodedPicture, PartInfo, RawPicture, Shot, TriggeredCamera
from linewarden_ingest.metrics import CODES
from linewarden_schemas.ids import InvalidId, check_id
from linewarden_schemas.vocabulary import PartIdSource
from linewarden_vision.inspecting.refusal import PictureRefused

_log = structlog.get_logger(__name__)


class CodeOptions(BaseModel):
    """A code in the picture that holds the part's serial: `qr`, or `bar` (EAN-13, EAN-8, UPC-A and UPC-E).

    `region` is x, y, width and height in pixels where it lies. `pattern` is a regular expression that the whole code
    matches, its group `serial` or else all of it being the serial; codes that do not match are others'. With
    `must_read` a part whose code cannot be read diverts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[Literal["qr", "bar"], ...] = Field(("qr",), min_length=1)
    region: tuple[int, int, int, int] | None = None
    pattern: str | None = None
    must_read: bool = False

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if self.region is not None and (min(self.region) < 0 or min(self.region[2:]) < 1):
            raise ValueError("region is x, y, width and height in pixels")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r}: {error}") from error
        return self

    def serials(self, codes: list[str]) -> list[str]:
        """The serials that these codes hold, each once.

        Raises:
            InvalidId: where one cannot be an id.
        """
        found = [re.fullmatch(self.pattern or ".*", code, re.DOTALL) for code in codes]
        return sorted({check_id(one.groupdict().get("serial") or one[0]) for one in found if one})


class CodeReadingCamera:
    """Looks for the part's code in each picture of a camera.

    Several serials, or another than was told, divert; one that cannot be read leaves the part as it was told.
    """

    def __init__(self, camera: Camera, options: CodeOptions, camera_id: str) -> None:
        self._camera, self._options, self._camera_id = camera, options, camera_id
        self._detectors = _detectors(options)

    @property
    def in_hand(self) -> Shot | None:
        """What the camera itself tells of the picture that it waits for."""
        return self._camera.in_hand if isinstance(self._camera, TriggeredCamera) else None

    def poll(self, timeout_s: float) -> Shot | None:
        """The camera's next shot with what its code says."""
        shot = self._camera.poll(timeout_s)
        return shot if shot is None or shot.picture is None else self._read(shot, shot.picture)

    def close(self) -> None:
        """Close the camera; the detectors hold nothing."""
        self._camera.close()

    def _read(self, shot: Shot, picture: EncodedPicture | RawPicture) -> Shot:
        try:
            serials = self._options.serials(self._codes(_grey(picture, self._options.region)))
        except (InvalidId, PictureRefused, ValueError) as error:
            return self._unread(shot, str(error))
        if not serials:
            return self._unread(shot, "no code was found")
        if len(serials) > 1:
            several = f"the picture shows several codes: {', '.join(serials)[:300]}"
            part = replace(shot.part, part_id=None, part_id_source=None)
            return self._told(replace(shot, part=part), "several", _told_as(shot.part, several))
        part, differs = checked_serial(serials[0], shot.part, "the code on the part reads")
        return self._told(replace(shot, part=part), "differs" if differs else "read", differs)

    def _codes(self, grey: np.ndarray[Any, np.dtype[np.uint8]]) -> list[str]:
        import cv2  # noqa: PLC0415 - the supervisor, which reads the options, stays small

        try:
            found = [detector.detectAndDecodeMulti(grey)[1] for detector in self._detectors]
        except cv2.error as error:
            raise ValueError(f"OpenCV: {error}") from error
        return [text for texts in found for text in texts or () if text]

    def _unread(self, shot: Shot, why: str) -> Shot:
        doubt = f"the part's code cannot be read: {why}" if self._options.must_read else None
        return self._told(shot, "unreadable", doubt)

    def _told(self, shot: Shot, outcome: str, doubt: str | None) -> Shot:
        CODES.labels(camera=self._camera_id, outcome=outcome).inc()
        if doubt is None:
            return shot
        _log.warning("a part diverts", camera_id=self._camera_id, shot=shot.index, cause=f"code {outcome}", why=doubt)
        return replace(shot, doubt="; ".join(filter(None, (shot.doubt, doubt))))


def checked_serial(read: str | None, told: PartInfo, how: str) -> tuple[PartInfo, str | None]:
    """The part with the serial that was read from it; none, and both in words, where another was told."""
    if read is None:
        return told, None
    if told.part_id not in {None, read}:
        differs = f"{how} {read}, the side channel told {told.part_id}"
        return replace(told, part_id=None, part_id_source=None), differs
    return replace(told, part_id=read, part_id_source=PartIdSource.READ), None


def _told_as(told: PartInfo, words: str) -> str:
    return words if told.part_id is None else f"{words}; the side channel told {told.part_id}"


def _detectors(options: CodeOptions) -> list[Any]:
    import cv2  # noqa: PLC0415 - as above

    made = {"qr": cv2.QRCodeDetector, "bar": cv2.barcode.BarcodeDetector}
    return [made[kind]() for kind in options.kinds]


def _grey(
    picture: EncodedPicture | RawPicture, region: tuple[int, int, int, int] | None
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The region as grey values of 8 bits; a picture that inspect would refuse raises PictureRefused."""
    import cv2  # noqa: PLC0415 - as above

    from linewarden_vision.pictures.reading import read_picture  # noqa: PLC0415 - as above

    is_raw = isinstance(picture, np.ndarray)
    found = picture if isinstance(picture, np.ndarray) else np.asarray(read_picture(picture.data))
    if region is not None:
        x, y, width, height = region
        found = found[y : y + height, x : x + width]
    if found.size == 0:
        raise ValueError(f"the region {region} is outside the picture")
    if found.ndim == 3:
        found = cv2.cvtColor(np.ascontiguousarray(found), cv2.COLOR_BGR2GRAY if is_raw else cv2.COLOR_RGB2GRAY)
    if found.dtype == np.uint16:
        darkest, brightest = int(found.min()), int(found.max())
        found = (found.astype(np.uint32) - darkest) * 255 // max(1, brightest - darkest)
    return np.ascontiguousarray(found, dtype=np.uint8)
