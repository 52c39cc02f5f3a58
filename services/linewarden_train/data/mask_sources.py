"""Where a picture's mask comes from: files, run lengths, polygons. Each is decoded when it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from linewarden_train.data.coco_masks import draw
from linewarden_train.data.reading import Drawn, Size, read_mask


class MaskSource(Protocol):
    """A mask that can be read; ``present`` is False where nobody made one."""

    @property
    def present(self) -> bool:
        """Whether there is anything to read; cheap."""

    def read(self, size: Size | None) -> Drawn | None:
        """Decode for a picture of that (height, width), None where nothing is marked.

        Raises ValueError for another size and for what cannot be decoded. Without a size, as where
        the picture itself is broken, only a file is looked at.
        """


@dataclass(frozen=True, slots=True)
class FileMask:
    """A mask picture, white where the defect is; ``required`` where its absence is an error."""

    path: Path
    required: bool = False

    @property
    def present(self) -> bool:
        """Whether the file is there, or has to be."""
        return self.required or self.path.is_file()

    def read(self, size: Size | None) -> Drawn | None:
        """Decode the file."""
        if self.required and not self.path.is_file():
            raise ValueError(f"{self.path} is missing")
        return read_mask(self.path, size)


@dataclass(frozen=True, slots=True)
class NoMask:
    """Nobody marked anything."""

    @property
    def present(self) -> bool:
        """Never."""
        return False

    def read(self, size: Size | None) -> Drawn | None:  # noqa: ARG002  # the protocol's
        """Return None."""
        return None


NO_MASK = NoMask()


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Severstal's run lengths: "start length start length …", counted from 1 down the columns, one text a class."""

    texts: tuple[str, ...]
    source: str
    """What an error names: the file and the picture."""

    @property
    def present(self) -> bool:
        """Whether there is a text."""
        return bool(self.texts)

    def read(self, size: Size | None) -> Drawn | None:
        """Draw all texts into one mask."""
        if size is None:
            return None
        flat = np.zeros(size[0] * size[1], bool)
        for text in self.texts:
            for start, length in self._pairs(text):
                if start < 1 or length < 1 or start - 1 + length > flat.size:
                    raise ValueError(f"{self.source}: run {start} {length} leaves a picture of {size[1]} x {size[0]}")
                flat[start - 1 : start - 1 + length] = True
        return Drawn(flat.reshape(size[::-1]).T) if flat.any() else None

    def area(self) -> int:
        """Count the marked pixels; raises ValueError like ``read``."""
        return sum(length for text in self.texts for _, length in self._pairs(text))

    def _pairs(self, text: str) -> Sequence[tuple[int, int]]:
        numbers = text.split()
        if len(numbers) % 2 or not all(number.isdecimal() and len(number) < 19 for number in numbers):
            raise ValueError(f"{self.source}: run lengths are pairs of numbers, not {text[:40]!r}")
        values = [int(number) for number in numbers]
        return list(zip(values[::2], values[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class CocoMask:
    """COCO segmentations of one picture of (height, width): polygons, and run lengths packed or not."""

    segmentations: tuple[tuple[Any, Any], ...]
    """Each with the number of its annotation."""
    size: Size
    source: str
    """What an error names: the file and the picture."""

    @property
    def present(self) -> bool:
        """Whether any annotation has a segmentation; a box alone marks no pixel."""
        return bool(self.segmentations)

    def read(self, size: Size | None) -> Drawn | None:
        """Draw all segmentations into one mask."""
        if size is None:
            return None
        if size != self.size:
            raise ValueError(f"{self.source} is {size[1]} x {size[0]} pixels, its annotation says {self.size[::-1]}")
        drawn = np.zeros(size, bool)
        for number, segmentation in self.segmentations:
            try:
                drawn |= draw(segmentation, size)
            except ValueError as error:
                raise ValueError(f"{self.source}: annotation {number} cannot be drawn: {error}") from error
        return Drawn(drawn) if drawn.any() else None
