"""Settings of route, `LINEWARDEN_ROUTE__...` beside the common ones, and bounds of its loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from linewarden_runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class RouterLimits:
    """Times in seconds, `adopt_horizon_ms` in milliseconds."""

    max_records: int = 500
    """Records of one poll."""
    gather_s: float = 0.02
    """How long further records may join a transaction: the commit interval at low load."""
    idle_poll_s: float = 0.2
    threads: int = 8
    """Transactions that run side by side."""
    failures: int = 8
    """Failures in a row after which the process ends."""
    backoff_s: float = 0.05
    max_backoff_s: float = 2.0
    join_poll_s: float = 5.0
    """A poll while the group is joined waits longer and longer, at most this: the client throws away the answer to
    a join that comes between two polls and joins again, on a busy machine without end."""
    unstable_s: float = 120.0
    """Time without a stable place in the group after which the process ends; two full rebalances fit in."""
    adopt_horizon_ms: int = 86_400_000
    """How far before its owner's last word a restore looks for routings, where the state does not tell from where."""
    mark_s: float = 30.0
    """How often an owner notes where the topics that it writes end, so that its heir need not look further back."""
    known_s: float = 600.0
    """How long the memory of a partition whose transaction failed is kept for its heir in the process; then it is
    read anew, from a log that others may have written and compaction has changed."""


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

    SERVICE: ClassVar[str] = "route"

    route: RouteOptions = RouteOptions()
