"""A data set of files: an entry per picture, decoded when it is asked for."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from linewarden_train.data.reading import DefectMask, read_mask, read_picture
from linewarden_train.data.samples import Label, Sample
from linewarden_vision.tiles import Size


class MaskSource(Protocol):
    """A mask that can be read: from a file, from run lengths, from polygons."""

    @property
    def present(self) -> bool:
        """Whether there is anything to read; cheap, and False where nobody made a mask."""

    def read(self, size: Size | None) -> DefectMask | None:
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

    def read(self, size: Size | None) -> DefectMask | None:
        """Decode the file as ``read_mask`` does; raises ValueError where it is required and missing."""
        if self.required and not self.path.is_file():
            raise ValueError(f"{self.path} is missing")
        return read_mask(self.path, size)


@dataclass(frozen=True, slots=True)
class SampleFile:
    """Where a picture and its mask come from, and its label."""

    picture: Path
    label: Label
    mask: MaskSource | None = None
    """None where the set has no masks."""


class FileSamples:
    """Pictures on disk, grey or colour, 8 or 16 bit. Warns once, with the count, about defects without a mask."""

    def __init__(self, entries: Sequence[SampleFile]) -> None:
        self.entries = list(entries)
        self.labels: Sequence[Label] = [entry.label for entry in self.entries]
        self.without_mask = sum(
            entry.label.defective and not (entry.mask and entry.mask.present) for entry in self.entries
        )
        if self.without_mask:
            text = f"{self.without_mask} defective pictures have no mask: kept for classification only"
            warnings.warn(text, stacklevel=2)

    def regroup(self, groups: Mapping[str, str]) -> None:
        """Put other groups on the pictures named (their names, with or without a leading images/).

        Raises ValueError, naming some, for pictures that the set does not hold.
        """
        names = [label.name for label in self.labels]
        given = {name: groups.get(name, groups.get(name.removeprefix("images/"))) for name in names}
        used = {*given, *(name.removeprefix("images/") for name in given)}
        strangers = sorted(set(groups) - used)
        if strangers:
            raise ValueError(f"{len(strangers)} pictures with a group are not in the set: {', '.join(strangers[:5])}")
        labels = [replace(label, group=given[label.name] or label.group) for label in self.labels]
        self.entries = [replace(entry, label=label) for entry, label in zip(self.entries, labels, strict=True)]
        self.labels = labels

    def __getitem__(self, index: int) -> Sample:
        """Decode one; raises ValueError naming every file of it that cannot be read."""
        entry = self.entries[index]
        try:
            picture = read_picture(entry.picture)
        except ValueError as error:
            wrong = [str(error)]
            try:
                if entry.mask is not None:
                    entry.mask.read(None)
            except ValueError as also:
                wrong.append(str(also))
            raise ValueError("; ".join(wrong)) from error
        size = (picture.shape[0], picture.shape[1])
        drawn = entry.mask.read(size) if entry.mask and entry.mask.present else None
        if not entry.label.defective:
            if drawn is not None:
                raise ValueError(f"{entry.picture} is called good, but {int(drawn.mask.sum())} pixels of it are marked")
            return Sample(picture, np.zeros(size, bool), entry.label)
        return Sample(picture, None if drawn is None else drawn.mask, entry.label, drawn.scale if drawn else None)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.entries)
