"""Pictures of a folder in the order of their names, each a visit unless a label says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import structlog
from pydantic import Field, model_validator

from linewarden_ingest.cameras.interface import CameraFault, EndOfPictures, Shot, Trigger
from linewarden_ingest.cameras.options import CameraOptions, CameraRun, FramePacer
from linewarden_ingest.cameras.pictures import Encoding, Unreadable, from_bytes
from linewarden_ingest.cameras.sidecar import PictureLabel, compile_pattern, label_from_name, read_sidecar
from linewarden_ingest.captures import require_short_ids
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Loss
from linewarden_vision.pictures.folders import SUFFIXES, pictures_in

_log = structlog.get_logger(__name__)


class FolderOptions(CameraOptions):
    """A folder of pictures. `sidecar` is a CSV, `pattern` a regular expression with named groups; not both."""

    kind: Literal["folder"] = "folder"
    path: Path
    sidecar: Path | None = None
    pattern: str | None = None
    repeat: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _labelled_one_way(self) -> Self:
        if self.sidecar is not None and self.pattern is not None:
            raise ValueError("labels come from a sidecar or from a pattern, not from both")
        return self

    @property
    def is_live(self) -> bool:
        """Never: a folder may hold a picture twice."""
        return False

    @property
    def brings_visits(self) -> bool:
        """Whether a sidecar or a pattern tells the visit of each picture."""
        return self.sidecar is not None or "(?P<visit>" in (self.pattern or "")

    def open(self, run: CameraRun) -> FolderCamera:
        """The folder as it is now.

        Raises:
            ConfigurationError: where it holds no picture, or labels are not as they must be.
        """
        pictures = list_pictures(self.path)
        labels = self._labels(pictures)
        for view_id in {label.view_id for label in labels.values() if label.view_id is not None}:
            require_short_ids(replace(run.place, view_id=view_id))
        return FolderCamera(
            pictures,
            labels,
            self.pace(run),
            self.raw_encoding,
            run_ms=run.start_ms,
            rounds=self.repeat,
            first=run.first,
        )

    def _labels(self, pictures: Sequence[Path]) -> dict[str, PictureLabel]:
        if self.sidecar is not None:
            return read_sidecar(self.sidecar)
        if self.pattern is not None:
            pattern = compile_pattern(self.pattern)
            return {path.name: label_from_name(path.name, pattern) for path in pictures}
        return {}


def list_pictures(folder: Path) -> list[Path]:
    """Files of a folder that are pictures by their names, sorted.

    Raises:
        ConfigurationError: where the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder")
    found = pictures_in(folder)
    if not found:
        raise ConfigurationError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))})")
    return found


class FolderCamera:
    """Emits the pictures `rounds` times over, from shot `first` on; an unreadable one is a shot without picture.

    Labelled visits are named by the run, `run_ms`, so that other cameras of the station come to the same ids.
    """

    def __init__(
        self,
        pictures: Sequence[Path],
        labels: Mapping[str, PictureLabel],
        pace: FramePacer,
        encoding: Encoding,
        *,
        run_ms: int,
        rounds: int = 1,
        first: int = 0,
    ) -> None:
        self._run_ms = run_ms
        self._pictures, self._labels, self._pace, self._encoding = pictures, labels, pace, encoding
        self._end = rounds * len(pictures)
        self._first = self._index = first
        self._visits_a_round = 1 + max((one.visit or 0 for one in labels.values()), default=0)

    def poll(self, timeout_s: float) -> Shot | None:
        """The next picture when it is due."""
        if self._index >= self._end:
            raise EndOfPictures
        if not self._pace.reached(self._index - self._first, timeout_s):
            return None
        shot = self._shot(self._index)
        self._index += 1
        return shot

    def close(self) -> None:
        """Does nothing: each file is closed once it is read."""

    def _shot(self, index: int) -> Shot:
        path = self._pictures[index % len(self._pictures)]
        label = self._labels.get(path.name, PictureLabel())
        shot = Shot(
            index=index,
            captured_ms=self._pace.clock.now_ms(),
            picture=None,
            trigger=self._trigger(label, index),
            view_id=label.view_id,
            part=label.part,
        )
        try:
            return replace(shot, picture=from_bytes(path.read_bytes(), self._encoding))
        except Unreadable as error:
            _log.warning("picture unreadable", file=path.name, why=str(error))
            return replace(shot, loss=Loss.UNREADABLE, loss_detail=f"{path.name}: {error}")
        except OSError as error:
            raise CameraFault(f"{path}: {error}", shot) from error

    def _trigger(self, label: PictureLabel, index: int) -> Trigger | None:
        if label.visit is None:
            return None
        counter = label.visit + self._visits_a_round * (index // len(self._pictures))
        return Trigger(counter, self._run_ms)
