"""A small bundle with known groups, and labelled pictures of the kind that it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from linewarden_train.data.samples import GOOD, Label, Sample
from linewarden_vision.bundle import Bundle, read_bundle, write_bundle
from linewarden_vision.trained_groups import TrainedGroups
from tests.support.bundles import random_picture, tiny_bundle


@dataclass
class Pictures:
    """Noise with labels, one picture or more a group; a tenth of the defects have no mask."""

    labels: Sequence[Label]

    def __getitem__(self, index: int) -> Sample:
        label = self.labels[index]
        mask = np.zeros((64, 64), bool)
        mask[8:20, 8:20] = label.defective
        return Sample(random_picture(5000 + index), None if label.defective and index % 10 == 0 else mask, label)

    def __len__(self) -> int:
        return len(self.labels)


def pictures(groups: int, *, each: int = 1, good: int = 0, name: str = "part") -> Pictures:
    """Defective groups of so many pictures, spots and cracks in turn, and good groups of one."""
    labels = [
        Label("crack" if group % 4 == 0 else "spot", f"{name}-{group}", f"{name}-{group}-{copy}.png")
        for group in range(groups)
        for copy in range(each)
    ]
    return Pictures([*labels, *(Label(GOOD, f"good-{group}", f"good-{group}.png") for group in range(good))])


def bundle_of(folder: Path, groups: Sequence[str] = ("taught-1",)) -> Bundle:
    """A tiny bundle that says which groups made it."""
    tiny_bundle(folder / "plain")
    plain = read_bundle(folder / "plain")
    write_bundle(folder / "known", plain.card, plain.weights, plain.golden, TrainedGroups.of(groups).to_files())
    return read_bundle(folder / "known")


def write_set(folder: Path, samples: Pictures, split: str) -> None:
    """Write in the layout of the magnetic tiles, all on one side."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = ["image,class,defective,group,split"]
    for index, label in enumerate(samples.labels):
        sample, stem = samples[index], Path(label.name).stem
        cv2.imwrite(str(folder / "images" / label.name), sample.picture)
        if label.defective and sample.mask is not None:
            cv2.imwrite(str(folder / "masks" / f"{stem}.png"), sample.mask.astype(np.uint8) * 255)
        kind = label.defect_class if label.defective else "free"
        rows.append(f"{label.name},{kind},{int(label.defective)},{label.group},{split}")
    (folder / "parts.csv").write_text("\n".join(rows) + "\n")
