"""The one interface of data sets: labelled pictures with a group that is never split."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

GOOD = "good"

Picture = NDArray[Any]
"""HxW or HxWx3 (RGB), uint8 or uint16."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is known without decoding the picture; ``defect_class`` is "good" for good parts.

    ``name`` is the picture's path inside its set, ``split`` the side that the set itself puts it on
    (train, calibration, test, or empty where the set has none). ``group`` is what hangs together and is never split;
    what is judged is the picture, unless the set says that several show one ``part``.
    """

    defect_class: str
    group: str
    name: str = ""
    split: str = ""
    part: str = ""

    @property
    def judged(self) -> str:
        """What is good or defective as a whole: the part, else the picture, else the group."""
        return self.part or self.name or self.group

    @property
    def defective(self) -> bool:
        """True for anything that is not good."""
        return self.defect_class != GOOD


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, HxW or HxWx3 uint8 or uint16; mask HxW bool, or None where a defect is not annotated.

    ``scale`` says by what values the mask marks, where it comes from a picture: a set has one way.
    """

    picture: Picture
    mask: NDArray[np.bool_] | None
    label: Label
    scale: Enum | None = None


class Samples(Protocol):
    """A finite, indexable data set; labels are cheap, pictures need not be."""

    @property
    def labels(self) -> Sequence[Label]:
        """Labels by index, known without decoding a picture."""

    def __getitem__(self, index: int) -> Sample:
        """Return one sample, decoded."""

    def __len__(self) -> int:
        """Count the pictures."""


def digest_of(samples: Samples) -> str:
    """Return the SHA-256 (hex) over labels, shapes, pictures and masks in order."""
    running = hashlib.sha256()
    for index in range(len(samples)):
        sample = samples[index]
        head = f"{sample.label.defect_class}|{sample.label.group}|{sample.picture.shape}|{sample.mask is not None}"
        running.update(head.encode())
        running.update(sample.picture.tobytes())
        if sample.mask is not None:
            running.update(sample.mask.tobytes())
    return running.hexdigest()
