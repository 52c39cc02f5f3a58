"""What every source of triggers is set by."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from linewarden_ingest.triggers.parsing import LineFormat
from linewarden_runtime.errors import ConfigurationError

Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):[0-9]{1,5}$")]
"""`host:port`; an IPv6 host stands in brackets."""
STEP_S = 0.2
"""How often a source looks whether it is to stop, at least."""


class TriggerOptions(BaseModel):
    """The settings of a station's side channel; a source is a subclass. Secrets are names of files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: LineFormat = LineFormat()


def host_and_port(address: str) -> tuple[str, int]:
    """Both parts of an `Address`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 for an address of it, which alone has a colon."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def secret_in(path: Path) -> str:
    """The secret that a file holds.

    Raises:
        ConfigurationError: where it cannot be read or is empty.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if not secret:
        raise ConfigurationError(f"{path} is empty; write the secret into it")
    return secret
