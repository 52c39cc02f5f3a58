"""A data set of files: an entry per picture, decoded when it is asked for."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from linewarden_train.data.mask_sources import NO_MASK, MaskSource
from linewarden_train.data.reading import read_picture
from linewarden_train.data.samples import Label, Sample


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a picture and its mask come from, and its label."""

    picture: Path
    label: Label
    mask: MaskSource = NO_MASK


class FileSamples:
    """Pictures on disk, grey or colour, 8 or 16 bit. Warns once, with the count, about defects without a mask."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = list(entries)
        self.labels: Sequence[Label] = [entry.label for entry in self.entries]
        self.without_mask = sum(entry.label.defective and not entry.mask.present for entry in self.entries)
        if self.without_mask:
            text = f"{self.without_mask} defective pictures have no mask: kept for classification only"
            warnings.warn(text, stacklevel=2)

    def regroup(self, groups: Mapping[str, str]) -> None:
        """Put other groups on the pictures named (their names, with or without a leading images/).

        Raises ValueError, naming some, for pictures that the set does not hold.
        """
        given = {name: groups.get(name, groups.get(name.removeprefix("images/"))) for name in self._names()}
        used = {*given, *(name.removeprefix("images/") for name in given)}
        strangers = sorted(set(groups) - used)
        if strangers:
            raise ValueError(f"{len(strangers)} pictures with a group are not in the set: {', '.join(strangers[:5])}")
        labels = [replace(label, group=given[label.name] or label.group) for label in self.labels]
        self.entries = [replace(entry, label=label) for entry, label in zip(self.entries, labels, strict=True)]
        self.labels = labels

    def _names(self) -> list[str]:
        return [label.name for label in self.labels]

    def __getitem__(self, index: int) -> Sample:
        """Decode one; raises ValueError naming every file of it that cannot be read."""
        entry = self.entries[index]
        try:
            picture = read_picture(entry.picture)
        except ValueError as error:
            raise ValueError("; ".join([str(error), *_also_wrong(entry)])) from error
        size = (picture.shape[0], picture.shape[1])
        drawn = entry.mask.read(size) if entry.mask.present else None
        if not entry.label.defective:
            if drawn is not None:
                raise ValueError(f"{entry.picture} is called good, but {int(drawn.mask.sum())} pixels of it are marked")
            return Sample(picture, np.zeros(size, bool), entry.label)
        return Sample(picture, None if drawn is None else drawn.mask, entry.label, drawn.scale if drawn else None)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.entries)


def _also_wrong(entry: Entry) -> list[str]:
    """What is wrong with the mask of a picture that cannot be read."""
    try:
        entry.mask.read(None)
    except ValueError as error:
        return [str(error)]
    return []
