"""Settings of the projector and the station, each a section of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from linewarden_reinspect.projector.projector import ProjectorPace
from linewarden_reinspect.queue.types import Terms
from linewarden_reinspect.station.access.oidc import OidcSettings
from linewarden_reinspect.station.access.proxy import TrustedProxy
from linewarden_runtime.settings import ServiceSettings
from linewarden_schemas.vocabulary import Role

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ProjectorSettings(BaseModel):
    """`LINEWARDEN_PROJECTOR__...`. A view older than `max_age_s` is built anew rather than followed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beat_s: Seconds = 1.0
    gate_s: Seconds = 10.0
    max_age_s: Seconds = 6 * 3600.0

    def pace(self) -> ProjectorPace:
        """As the projector takes it."""
        return ProjectorPace(
            beat_s=self.beat_s, gate_ms=round(self.gate_s * 1000), max_age_ms=round(self.max_age_s * 1000)
        )


class QueueSettings(BaseModel):
    """`LINEWARDEN_REINSPECT__...`: how long things last in the queue, and how often they may happen.

    `skills` are those of people without an account here (OIDC, proxy), by name: `{"ada": ["surface"]}`; of users the
    account has them. A recipe's `needs` asks for one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lease_s: Seconds = 180.0
    max_hold_s: Seconds = 1800.0
    park_s: Seconds = 60.0
    skip_s: Seconds = 600.0
    max_skips: Annotated[int, Field(ge=1)] = 3
    max_expired_leases: Annotated[int, Field(ge=1)] = 5
    skills: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def terms(self) -> Terms:
        """As the queue takes them."""
        return Terms(
            lease_ms=round(self.lease_s * 1000),
            max_hold_ms=round(self.max_hold_s * 1000),
            park_ms=round(self.park_s * 1000),
            skip_ms=round(self.skip_s * 1000),
            max_skips=self.max_skips,
            max_expired_leases=self.max_expired_leases,
        )


class StationSettings(BaseModel):
    """`LINEWARDEN_STATION__...`. `data` is the folder of the station's own book: accounts, sessions, log of acts.

    `link_token` is the secret of a link that signs in with a name alone, in one of `link_roles`, `link_uses` times
    within a day: for demos. `lines` empty: people are given the visits of every line. `secure_cookie` belongs behind
    TLS. `references` is a folder of golden pictures and limit samples by recipe, `bundles` the folder of bundle folders
    whose golden pictures stand in, `studies` the folder of studies to be answered here. After `break_after_s` on task a
    break is offered. `wall` shows the line at `/wall` to everybody who reaches the station, without sign-in;
    `wall_parts` shows them the pictures and serials of its parts as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    data: Path = Path.home() / ".local/share/linewarden/station"
    link_token: Annotated[str, Field(min_length=16, max_length=256)] | None = None
    link_roles: tuple[Role, ...] = (Role.OPERATOR,)
    link_uses: Annotated[int, Field(ge=1)] = 1
    public_url: str | None = None
    secure_cookie: bool = False
    lines: tuple[str, ...] = ()
    cache_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    ack_s: Annotated[float, Field(gt=0, le=30)] = 5.0
    idle_s: Seconds = 900.0
    longest_s: Seconds = 9 * 3600.0
    references: Path | None = None
    bundles: Path | None = None
    studies: Path | None = None
    break_after_s: Seconds = 3600.0
    oidc: OidcSettings | None = None
    proxy: TrustedProxy | None = None
    results_by_operator: bool = False
    wall: bool = False
    wall_parts: bool = False


class ProjectorProcess(ServiceSettings):
    """What the environment says to the projector: `LINEWARDEN_...`, and `LINEWARDEN_PROJECTOR__...`."""

    SERVICE: ClassVar[str] = "projector"

    projector: ProjectorSettings = ProjectorSettings()


class StationProcess(ServiceSettings):
    """What the environment says to the station: `LINEWARDEN_STATION__...`, of leases `LINEWARDEN_REINSPECT__...`."""

    SERVICE: ClassVar[str] = "station"

    station: StationSettings = StationSettings()
    reinspect: QueueSettings = QueueSettings()
