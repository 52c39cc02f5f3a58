"""Settings of onward: one output a process, from the environment or a TOML file."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from linewarden_onward.kinds import AnyOutputOptions
from linewarden_onward.options import OutputOptions
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.base import Id


class FirstStart(StrEnum):
    """Where an output begins that was never told anything."""

    LATEST = "latest"
    """With what comes from now on: a plant is not told the past as new."""
    EARLIEST = "earliest"
    """With the oldest disposition that is kept, for receivers that gather."""


class OnwardOptions(BaseModel):
    """Section `LINEWARDEN_ONWARD__...`. `output` is a JSON object, or the table `[output]` of the file `config`.

    Dispositions of other lines than `line_id` are passed over. With `simulated_opens` a simulated part may have a
    permission: for demos and tests alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: Id = "line1"
    output: AnyOutputOptions | None = None
    config: Path | None = None
    start: FirstStart = FirstStart.LATEST
    simulated_opens: bool = False
    beat_s: float = Field(0.2, gt=0, le=1.0)
    retry_s: float = Field(0.5, gt=0)
    retry_at_most_s: float = Field(5.0, gt=0)
    max_records: int = Field(64, ge=1)
    hangs_s: float = Field(120.0, gt=0)
    """How long one call of an output may take before it counts as hung, and the process ends with 75."""


class OnwardSettings(ServiceSettings):
    """What the environment says to an onward process: `LINEWARDEN_...`, and `LINEWARDEN_ONWARD__...` for `onward`."""

    SERVICE: ClassVar[str] = "onward"

    onward: OnwardOptions = OnwardOptions()


def with_output(options: OnwardOptions) -> tuple[OnwardOptions, OutputOptions]:
    """The options, with those of their TOML file, and the output.

    Raises:
        ConfigurationError: where there is no output, or the file says something that is none.
    """
    if options.config is not None:
        options = _from_file(options, options.config)
    if options.output is None:
        raise ConfigurationError(
            "onward has no output; set LINEWARDEN_ONWARD__OUTPUT to a JSON object with its kind and output_id, or "
            "LINEWARDEN_ONWARD__CONFIG to a TOML file with a table [output]"
        )
    return options, options.output


def _from_file(options: OnwardOptions, path: Path) -> OnwardOptions:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        file = OnwardOptions.model_validate(given)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return options.model_copy(update={name: getattr(file, name) for name in given})
