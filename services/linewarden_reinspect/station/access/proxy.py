"""An identity that a proxy in front of the station vouches for in headers. Off by default."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from linewarden_schemas.vocabulary import Role


class TrustedProxy(BaseModel):
    """`LINEWARDEN_STATION__PROXY__...`.

    Headers count only when the connection itself comes from one of `networks`, such as 10.0.0.5/32; the proxy must
    drop clients' own.

    `roles` says which role a value of the role header stands for; a value that is not named has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    networks: Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], Field(min_length=1)]
    roles: Annotated[dict[str, Role], Field(min_length=1)]
    user_header: str = "x-remote-user"
    role_header: str = "x-remote-groups"

    def identity(self, request: Request) -> tuple[str, Role] | None:
        """Name and role that the proxy vouches for; None where it does not, or names no known role."""
        name = self._name(request)
        words = request.headers.get(self.role_header, "").replace(";", ",").split(",")
        role = next((self.roles[word.strip()] for word in words if word.strip() in self.roles), None)
        return None if name is None or role is None else (name, role)

    def still_names(self, request: Request, actor: str) -> bool:
        """Whether the request comes through the proxy in the name of this person."""
        return self._name(request) == actor

    def _name(self, request: Request) -> str | None:
        names = request.headers.getlist(self.user_header)
        if len(names) != 1 or request.client is None or not self._is_near(request.client.host):
            return None
        return " ".join(names[0].split()) or None

    def _is_near(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.networks)
