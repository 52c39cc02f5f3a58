"""From options to a camera; a new kind of camera is added here and in the settings."""

from __future__ import annotations

import threading
from dataclasses import fields, replace
from pathlib import Path

from linewarden_ingest.captures import Place, require_short_ids, visit_id
from linewarden_ingest.settings import CameraOptions, FolderOptions, LineOptions, VideoOptions
from linewarden_runtime.clock import Clock

from .folder import FolderCamera, list_pictures
from .gallery import Gallery
from .interface import Camera
from .line import LineCamera
from .pace import Pace
from .pictures import Encoding
from .sidecar import Label, compile_pattern, label_from_name, read_sidecar
from .simulation import LinePlan
from .video import VideoCamera


def encoding_of(options: CameraOptions) -> Encoding:
    """How this camera's raw pictures are encoded."""
    return Encoding(options.encoding, options.jpeg_quality)


def plan_of(options: LineOptions) -> LinePlan:
    """The plan that all cameras of the simulated line share."""
    return LinePlan(**{field.name: getattr(options, field.name) for field in fields(LinePlan)})


def gallery_of(options: LineOptions) -> Gallery:
    """The pictures of the simulated line."""
    return Gallery(plan_of(options), encoding_of(options), options.gallery)


def open_camera(
    options: CameraOptions, place: Place, *, clock: Clock, stop: threading.Event, start_ms: int, first: int
) -> Camera:
    """The camera, to go on with shot `first` of the run that began at `start_ms` (epoch ms).

    Files come at their rate from now on, whatever was missed; the simulated line keeps the run's time.

    Raises:
        ConfigurationError: where its folder, file or labels are not as they must be.
    """
    from_now = Pace(clock, stop, max(start_ms, clock.now_ms()), options.rate_per_s)
    if isinstance(options, FolderOptions):
        return _folder(options, place, from_now, start_ms, first)
    if isinstance(options, VideoOptions):
        return VideoCamera(options.path, from_now, stride=options.stride, first=first)
    return LineCamera(
        plan_of(options),
        gallery_of(options),
        Pace(clock, stop, start_ms, options.rate_per_s),
        lambda trigger: visit_id(place, trigger),
        view=options.view,
        visits=options.visits,
        first=first,
    )


def _folder(options: FolderOptions, place: Place, pace: Pace, run_ms: int, first: int) -> FolderCamera:
    pictures = list_pictures(options.path)
    labels = _labels(options, pictures)
    for view_id in {label.view_id for label in labels.values() if label.view_id is not None}:
        require_short_ids(replace(place, view_id=view_id))
    return FolderCamera(pictures, labels, pace, encoding_of(options), run_ms=run_ms, rounds=options.repeat, first=first)


def _labels(options: FolderOptions, pictures: list[Path]) -> dict[str, Label]:
    if options.sidecar is not None:
        return read_sidecar(options.sidecar)
    if options.pattern is not None:
        pattern = compile_pattern(options.pattern)
        return {path.name: label_from_name(path.name, pattern) for path in pictures}
    return {}
