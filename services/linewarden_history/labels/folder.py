"""A folder of labels: pictures as they were judged, drawn masks, parts.csv, COCO, provenance, and a manifest.

The pictures' pixels are those captured; tags by which a reader would turn them away from their masks are left out.

The sides follow from each group's name alone, so a part stays on its side in every export that will ever be made.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewarden_history.labels.choosing import FrameLabel, LeftOut
from linewarden_history.labels.coco import LabelledPicture, as_coco
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.inspection import Evidence, Inspection
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.reading import read_header, read_picture

MANIFEST = "manifest.json"
_SIDES = (("train", 60), ("calibration", 80), ("test", 100))


def side_of(group: str) -> str:
    """``train`` (60 of 100), ``calibration`` (20) or ``test`` (20), by the digest of the group's name."""
    place = int.from_bytes(hashlib.sha256(f"linewarden side {group}".encode()).digest()[:4], "big") % 100
    return next(side for side, end in _SIDES if place < end)


@dataclass(slots=True)
class LabelFolder:
    """Collects pictures of labelled frames, and writes the rest when all have been seen."""

    folder: Path
    labels: Mapping[str, FrameLabel]
    left_out: Counter[LeftOut]
    _drawn: dict[str, LabelledPicture] = field(default_factory=dict)
    _unusable: set[str] = field(default_factory=set)

    @classmethod
    def make(cls, folder: Path, labels: Iterable[FrameLabel], left_out: Counter[LeftOut]) -> LabelFolder:
        """Make the folder; raises ConfigurationError where it holds anything: what was exported stays as it is."""
        if folder.exists() and any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty; an export is never changed, choose another folder")
        for name in ("images", "masks", "coco"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return cls(folder, {label.frame_id: label for label in labels}, left_out)

    def take(self, evidence: Evidence) -> None:
        """Write the picture of a labelled frame, and its mask where somebody drew one.

        Left out, and counted, is a picture that nothing here reads, and one whose mask is not of its size: it would
        be a wrong label. Raises ConfigurationError for a picture that isn't what was captured.
        """
        picture, label = evidence.picture, self.labels[evidence.frame_id]
        if picture is None:
            return
        if hashlib.sha256(picture).hexdigest() != evidence.sha256:
            raise ConfigurationError(f"the evidence of {label.frame_id} is not what was captured: its digest differs")
        try:
            header = read_header(picture)
        except PictureRefused:
            self._leave_out(label, LeftOut.PICTURE_UNREADABLE)
            return
        height, width = header.height, header.width
        mask = _mask(label)
        if mask is not None and mask.shape != (height, width):
            self._leave_out(label, LeftOut.MASK_UNUSABLE)
            return
        name = f"{label.frame_id}.{'jpg' if evidence.content_type == 'image/jpeg' else 'png'}"
        (self.folder / "images" / name).write_bytes(header.plain(picture))
        if label.mask_png is not None:
            (self.folder / "masks" / f"{label.frame_id}.png").write_bytes(label.mask_png)
        self._drawn[label.frame_id] = LabelledPicture(label, name, height, width, mask, side_of(label.group))

    def _leave_out(self, label: FrameLabel, why: LeftOut) -> None:
        if label.frame_id not in self._unusable:
            self._unusable.add(label.frame_id)
            self.left_out[why] += 1

    def finish(self, inspections: Mapping[str, Inspection], about: Mapping[str, Any]) -> dict[str, Any]:
        """Write tables, provenance and manifest; returns the manifest."""
        missing = len(self.labels) - len(self._drawn) - len(self._unusable)
        left = self.left_out + Counter({LeftOut.NO_PICTURE: missing})
        drawn = [self._drawn[frame] for frame in self.labels if frame in self._drawn]
        labels = [one.label for one in drawn]
        with (self.folder / "parts.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("image", "class", "defective", "group", "split"))
            for one in drawn:
                label = one.label
                rows.writerow(
                    (one.file_name, label.defect_class or "good", int(label.defective), label.group, one.side)
                )
        (self.folder / "coco/labels.json").write_text(json.dumps(as_coco(drawn)) + "\n")
        for side, _ in _SIDES:
            own = as_coco([one for one in drawn if one.side == side])
            (self.folder / f"coco/{side}.json").write_text(json.dumps(own) + "\n")
        lines = [json.dumps(provenance(label, inspections.get(label.frame_id))) for label in labels]
        (self.folder / "labels.jsonl").write_text("".join(f"{line}\n" for line in lines))
        manifest = {
            **about,
            "pictures": len(labels),
            "groups": len({label.group for label in labels}),
            "with_mask": sum(label.mask_png is not None for label in labels),
            "blind": sum(label.blind for label in labels),
            "classes": dict(Counter(label.defect_class or "good" for label in labels)),
            "sides": dict(Counter(one.side for one in drawn)),
            "left_out": {cause.value: n for cause, n in left.items()},
            "files": digests(self.folder),
        }
        (self.folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        return manifest


def _mask(label: FrameLabel) -> NDArray[np.bool_] | None:
    """The mask that somebody drew, None where nobody did; empty where it cannot be read."""
    if label.mask_png is None:
        return None
    try:
        return np.asarray(read_picture(label.mask_png), np.uint16) > 0
    except PictureRefused:
        return np.zeros((0, 0), np.bool_)


def provenance(label: FrameLabel, inspection: Inspection | None) -> dict[str, Any]:
    """Who said it of which frame, what was on the screen, and what the machine had said."""
    latest = label.told.latest
    kept = {"verdict", "p_defect", "suspicion", "bundle_digest", "frame_sha256", "code_version"}
    return {
        "frame_id": label.frame_id,
        "visit_id": latest.visit_id,
        "view_id": label.view_id,
        "line_id": latest.line_id,
        "part_id": latest.part_id,
        "lot_id": latest.lot_id,
        "recipe": latest.recipe.model_dump(mode="json"),
        "defective": label.defective,
        "class": label.defect_class,
        "mask": "drawn" if label.mask_png is not None else None,
        "blind": label.blind,
        "outcome": latest.outcome,
        "causes": [cause.value for cause in label.told.first.causes],
        "decisions": [
            {
                "decision_id": one.decision_id,
                "actor": one.actor,
                "role": one.role.value,
                "decided_ms": one.decided_ms,
                "judgement": one.judgement,
                "first_judgement": one.first_judgement,
                "blind": one.blind,
                "shown": [
                    shown.model_dump(mode="json")
                    for shown in (*one.first_shown, *one.shown)
                    if shown.frame_id == label.frame_id
                ],
            }
            for one in label.told.decisions
        ],
        "machine": None if inspection is None else inspection.model_dump(mode="json", include=kept),
    }


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the manifest, by its path within the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def verify(folder: Path) -> list[str]:
    """Name every file that is missing, new or changed since the export; raises ConfigurationError without manifest."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ConfigurationError(f"{folder} holds no {MANIFEST}: it is no export of labels")
    then, now = json.loads(path.read_text())["files"], digests(folder)
    return [
        f"{name}: {'missing' if name not in now else 'not in the manifest' if name not in then else 'changed'}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]
