"""Settings of the line's process, `LINEWARDEN_LINE__...` beside the common ones."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from linewarden_line.alarms.limits import AlarmLimits
from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.base import Id


class LineKeeping(BaseModel):
    """The section of the line's process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: Id = "line1"
    alarms: AlarmLimits = AlarmLimits()


class LineSettings(ServiceSettings):
    """What the environment says to the line's process."""

    SERVICE: ClassVar[str] = "line"

    line: LineKeeping = LineKeeping()
