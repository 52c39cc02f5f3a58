"""Settings of the worker and the keeper, each a section of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from linewarden_runtime.deadletters import DeadLetterCap
from linewarden_runtime.settings import ServiceSettings
from linewarden_vision.pictures.reading import PictureLimits

Seconds = Annotated[float, Field(ge=0, le=60)]
HARDEST_PIXEL_LIMIT = 64_000_000
"""The decoder's own backstop, see linewarden_vision/__init__.py; limits of settings lie below it."""


class InspectSettings(BaseModel):
    """`LINEWARDEN_INSPECT__...`: one process for each device, told apart by `LINEWARDEN_INSTANCE`.

    `bundles` is a folder of bundle folders. `max_batch` pictures (or tiles of a large one) share a device pass;
    a pass waits at most `batch_wait_s` for pictures that are still being decoded. `forward` is how the network
    runs: auto, eager, graphs (CUDA) or compiled. `torch_threads` 0 leaves torch its default. A camera of which
    `moved_after` pictures in a row do not show the part where it may lie counts as moved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundles: Path
    device: str = "auto"
    precision: str = "auto"
    forward: str = "auto"
    max_batch: Annotated[int, Field(ge=1, le=256)] = 16
    max_poll_records: Annotated[int, Field(ge=1, le=512)] = 16
    batch_wait_s: Seconds = 0.005
    decode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    torch_threads: Annotated[int, Field(ge=0, le=256)] = 0
    bundles_held: Annotated[int, Field(ge=1, le=64)] = 4
    recipe_wait_s: Seconds = 2.0
    bundle_wait_s: Seconds = 10.0
    recipe_refresh_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    recipe_stale_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    device_timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    dead_letters_in_a_row: Annotated[int, Field(ge=1)] = 200
    dead_letter_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    moved_after: Annotated[int, Field(ge=2)] = 5
    max_device_faults_in_a_row: Annotated[int, Field(ge=1)] = 16
    max_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 5 << 20
    max_pixels: Annotated[int, Field(ge=1, le=HARDEST_PIXEL_LIMIT)] = 25_000_000

    def cap(self) -> DeadLetterCap:
        """When to stop rather than to dead-letter on.

        Wider than elsewhere: every refused frame with readable headers is answered, so its visit is diverted and
        seen, and one broken camera must not stop the others.
        """
        return DeadLetterCap(run=self.dead_letters_in_a_row, ratio=self.dead_letter_ratio)

    def limits(self) -> PictureLimits:
        """What a frame may be at most."""
        return PictureLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)


class KeeperSettings(BaseModel):
    """`LINEWARDEN_KEEPER__...`. Without `bundles`, maps that are missing stay missing.

    `nice` is how far the keeper stands back for processor time: a machine that is behind answers many frames late,
    each of which needs maps, and computing them must not put it further behind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundles: Path | None = None
    device: str = "cpu"
    precision: str = "auto"
    torch_threads: Annotated[int, Field(ge=0, le=256)] = 1
    max_poll_records: Annotated[int, Field(ge=1, le=512)] = 16
    fetch_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    remembered_frames: Annotated[int, Field(ge=1)] = 100_000
    nice: Annotated[int, Field(ge=0, le=19)] = 10
    max_bytes: Annotated[int, Field(ge=1, le=64 << 20)] = 5 << 20
    max_pixels: Annotated[int, Field(ge=1, le=HARDEST_PIXEL_LIMIT)] = 25_000_000

    def limits(self) -> PictureLimits:
        """What a picture may be at most for its maps to be computed."""
        return PictureLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)


class WorkerProcess(ServiceSettings):
    """What the environment says to a worker: `LINEWARDEN_...`, and `LINEWARDEN_INSPECT__...` for `inspect`."""

    SERVICE: ClassVar[str] = "inspect"

    inspect: InspectSettings


class KeeperProcess(ServiceSettings):
    """What the environment says to the keeper: `LINEWARDEN_...`, and `LINEWARDEN_KEEPER__...` for `keeper`."""

    SERVICE: ClassVar[str] = "keeper"

    keeper: KeeperSettings = KeeperSettings()
