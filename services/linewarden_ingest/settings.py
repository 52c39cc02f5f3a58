"""Settings of ingest: cameras, spool and limits, from the environment and, for the cameras, a TOML file."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from linewarden_ingest.cameras.kinds import AnyCameraOptions
from linewarden_ingest.cameras.options import CameraOptions
from linewarden_ingest.captures import CameraPlace, require_short_ids
from linewarden_ingest.triggers.sources import AnyTrigger
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.base import Id
from linewarden_schemas.topics import CATALOGUE

MIB = 1 << 20


class Overload(StrEnum):
    """The policy of a full spool."""

    BLOCK = "block"
    """The camera is not polled until there is room: the line holds, nothing is lost."""

    DROP_OLDEST = "drop-oldest"
    """The oldest pictures not yet sent go; their captures stay and say so, and their visits divert."""


class _Section(BaseModel):
    # Of what is refused only its name is told: a camera's URL may hold a password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SpoolOptions(_Section):
    """Where pictures are safe, and how many bytes of them. A camera's spool is a folder below `folder`."""

    folder: Path = Path("spool")
    capacity_bytes: int = Field(2048 * MIB, ge=MIB)
    segment_bytes: int = Field(64 * MIB, ge=64 << 10)
    overload: Overload = Overload.BLOCK

    @model_validator(mode="after")
    def _has_segments(self) -> Self:
        if self.capacity_bytes < 4 * self.segment_bytes:
            raise ValueError("capacity_bytes must hold at least four segments, else nothing old can be dropped")
        return self


class IngestOptions(_Section):
    """Section `LINEWARDEN_INGEST__...`. `cameras` is a JSON list, or comes from the file `config`.

    `sends_apart` gives each camera's Kafka client a process of its own, so that taking and sending do not share an
    interpreter; by default the kind of camera says so: all but the simulated line, whose pictures are small. `trigger`
    is the station's side channel, which cameras with `join` are joined to.
    """

    line_id: Id = "line1"
    station_id: Id = "st1"
    cameras: tuple[AnyCameraOptions, ...] = ()
    trigger: AnyTrigger | None = None
    config: Path | None = None
    spool: SpoolOptions = SpoolOptions()
    # Less what headers and the batch around a picture take.
    max_picture_bytes: int = Field(CATALOGUE["frames"].max_record_bytes - (64 << 10), ge=1024)
    sends_apart: bool | None = None
    unacked_bytes: int = Field(32 * MIB, ge=MIB)
    unacked_age_s: float = Field(60.0, gt=0)
    pins_max_age_s: float = Field(60.0, gt=0)
    heartbeat_s: float = Field(5.0, gt=0)
    drain_s: float = Field(10.0, ge=0)
    start_in_s: float = Field(2.0, ge=0)
    restart_after_s: float = Field(1.0, gt=0)
    restart_at_most_s: float = Field(30.0, gt=0)


class IngestSettings(ServiceSettings):
    """What the environment says to an ingest process: `LINEWARDEN_...`, and `LINEWARDEN_INGEST__...` for `ingest`."""

    SERVICE: ClassVar[str] = "ingest"

    ingest: IngestOptions = IngestOptions()


def with_cameras(options: IngestOptions) -> IngestOptions:
    """The options with the cameras of their TOML file (tables `[[cameras]]`), checked as a whole.

    Raises:
        ConfigurationError: where there is no camera, a station of several would have to mint visits, or names are so
            long that the ids of visits would be none.
    """
    if options.config is not None:
        options = _from_file(options, options.config)
    if not options.cameras:
        raise ConfigurationError(
            "ingest has no camera; set LINEWARDEN_INGEST__CAMERAS to a JSON list or LINEWARDEN_INGEST__CONFIG to a TOML"
        )
    names = [camera.camera_id for camera in options.cameras]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"two cameras have the same camera_id among {', '.join(names)}")
    _require_triggers(options)
    for camera in options.cameras:
        require_short_ids(CameraPlace(options.line_id, options.station_id, camera.camera_id, camera.view_id))
    return options


def _from_file(options: IngestOptions, path: Path) -> IngestOptions:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        file = IngestOptions.model_validate(given)
    except (OSError, tomllib.TOMLDecodeError, ValidationError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return options.model_copy(update={name: getattr(file, name) for name in given})


def _require_triggers(options: IngestOptions) -> None:
    """Only a station with one camera can mint its visits; several need a trigger that tells them."""
    for camera in options.cameras:
        _require_channel(options.trigger, camera)
    if options.trigger is not None and not any(camera.join for camera in options.cameras):
        raise ConfigurationError("the side channel 'trigger' is read for no camera; give a camera its 'join'")
    if len(options.cameras) == 1:
        return
    for camera in options.cameras:
        if not (camera.brings_visits or camera.join):
            raise ConfigurationError(
                f"camera {camera.camera_id} brings no visit numbers, and station {options.station_id} has several "
                "cameras; give a folder's pictures a 'visit' by sidecar or pattern, take a kind that brings it, "
                "or join it to a side channel by 'trigger' and 'join'"
            )


def _require_channel(trigger: AnyTrigger | None, camera: CameraOptions) -> None:
    """A camera is joined to a side channel that there is, counts where it must, and has nothing beside it."""
    if camera.join is None:
        return
    if trigger is None:
        raise ConfigurationError(f"camera {camera.camera_id} has a 'join' and the station no 'trigger'; set both")
    if camera.brings_visits:
        raise ConfigurationError(f"camera {camera.camera_id} brings its visits by itself; take its 'join' away")
    if camera.join.by == "counter" and not trigger.format.counts:
        raise ConfigurationError(
            f"camera {camera.camera_id} is joined by counter, but the side channel's lines bring none "
            "(trigger.format.counts = false); join it by time"
        )
