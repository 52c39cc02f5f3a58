"""From when on something is an alarm, `LINEWARDEN_LINE__ALARMS__...`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from linewarden_schemas.base import Id

_Seconds = Annotated[float, Field(gt=0)]


class AlarmLimits(BaseModel):
    """Limits of a line; a number of rejects of 0 is no limit.

    `rejects_in_a_row`, and `rejects_most` within `rejects_window` parts, count for the line and each cavity or nest.
    `camera_moved_after` pictures of a camera in a row that do not show their part where it may lie say that it moved.
    `bins` is how many parts a bin may hold, by lane (`rejected`, `diverted`) or bin. `stages` says after how many
    seconds what waits for a stage makes an alarm.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rejects_in_a_row: int = Field(5, ge=0, le=100)
    rejects_most: int = Field(0, ge=0, le=1000)
    rejects_window: int = Field(50, ge=1, le=1000)
    bins: dict[Id, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    camera_silent_s: _Seconds = 20.0
    output_silent_s: _Seconds = 10.0
    clock_off_s: _Seconds = 5.0
    camera_moved_after: int = Field(5, ge=1, le=1000)
    passes_stopped: int = Field(3, ge=1)
    stages: dict[Id, _Seconds] = Field(default_factory=lambda: {"inspect": 30.0, "route": 30.0, "keeper": 300.0})
