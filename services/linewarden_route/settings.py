"""Settings of route: `LINEWARDEN_ROUTE__...` beside the common ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from linewarden_runtime.settings import ServiceSettings

from .limits import RouterLimits


class RouteOptions(BaseModel):
    """Route's own section. Times end in their unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coin_secret_file: Path | None = None
    """Secret of the audit and reject-review coins, the same for every member of a line."""
    gather_ms: Annotated[int, Field(ge=0, le=200)] = 20
    """How long further records may join a transaction."""
    max_records: Annotated[int, Field(ge=1, le=5_000)] = 500
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    adopt_horizon_ms: Annotated[int, Field(ge=60_000)] = 86_400_000

    def limits(self) -> RouterLimits:
        """The router's bounds in its own units: seconds where the settings say milliseconds."""
        return RouterLimits(
            max_records=self.max_records,
            gather_s=self.gather_ms / 1000,
            threads=self.threads,
            adopt_horizon_ms=self.adopt_horizon_ms,
        )


class RouteSettings(ServiceSettings):
    """Everything that the process needs."""

    route: RouteOptions = RouteOptions()
