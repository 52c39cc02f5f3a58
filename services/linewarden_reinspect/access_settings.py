"""Settings of the ways in, parts of `LINEWARDEN_STATION__...`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from linewarden_reinspect.station.access.oidc import ProviderRules
from linewarden_reinspect.station.access.proxy import TrustedProxy
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.vocabulary import Role

Roles = Annotated[dict[str, Role], Field(min_length=1)]


class OidcSettings(BaseModel):
    """`LINEWARDEN_STATION__OIDC__...`. `roles` says which value of `role_claim` stands for which role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    client_id: str
    client_secret_file: Path
    roles: Roles
    name_claim: str = "preferred_username"
    role_claim: str = "groups"

    def rules(self, public_url: str | None) -> ProviderRules:
        """As the provider takes them. Raises ConfigurationError where the secret or the public address is missing."""
        if public_url is None:
            raise ConfigurationError(
                "OIDC needs LINEWARDEN_STATION__PUBLIC_URL: the provider sends browsers back there"
            )
        try:
            secret = self.client_secret_file.read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"LINEWARDEN_STATION__OIDC__CLIENT_SECRET_FILE: {error}") from error
        return ProviderRules(
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=secret,
            redirect_uri=f"{public_url.rstrip('/')}/oidc/back",
            name_claim=self.name_claim,
            role_claim=self.role_claim,
            roles=self.roles,
        )


class ProxySettings(BaseModel):
    """`LINEWARDEN_STATION__PROXY__...`. Headers count only on connections from `networks`, such as 10.0.0.5/32."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], Field(min_length=1)]
    roles: Roles
    user_header: str = "x-remote-user"
    role_header: str = "x-remote-groups"

    def proxy(self) -> TrustedProxy:
        """As the guard takes it."""
        return TrustedProxy(self.networks, self.user_header, self.role_header, self.roles)
