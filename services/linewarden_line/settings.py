"""Settings of the line's process, `LINEWARDEN_LINE__...` beside the common ones."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.base import Id


class LineKeeping(BaseModel):
    """The section of the line's process. `look_back_s`: how far back alarms are sought after it was away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_id: Id = "line1"
    look_back_s: float = Field(86_400.0, gt=0)


class LineSettings(ServiceSettings):
    """What the environment says to the line's process."""

    line: LineKeeping = LineKeeping()
