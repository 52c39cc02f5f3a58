"""A data set of files: an entry per picture, decoded when it is asked for."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linewarden_train.data.reading import read_grey, read_mask
from linewarden_train.data.samples import Label, Sample


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a picture and its mask lie (the mask's file may be absent), and its label."""

    picture: Path
    mask: Path
    label: Label


class FileSamples:
    """Grey pictures on disk. Warns once, with the count, about defective ones without a mask."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = list(entries)
        self.labels: Sequence[Label] = [entry.label for entry in self.entries]
        self.without_mask = sum(entry.label.defective and not entry.mask.is_file() for entry in self.entries)
        if self.without_mask:
            text = f"{self.without_mask} defective pictures have no mask: kept for classification only"
            warnings.warn(text, stacklevel=2)

    def __getitem__(self, index: int) -> Sample:
        """Decode one; raises ValueError naming the file that cannot be read."""
        entry = self.entries[index]
        picture = read_grey(entry.picture)
        size = (picture.shape[0], picture.shape[1])
        if not entry.label.defective:
            return Sample(picture, np.zeros(size, bool), entry.label)
        return Sample(picture, read_mask(entry.mask, size), entry.label)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.entries)
