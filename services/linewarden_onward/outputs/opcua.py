"""An OPC UA server that shows dispositions after OPC 40100-1 (Machine Vision).

OPC UA knows no acknowledgement by the receiver: a revision is told once it stands in the ring and its event is in every
subscriber's queue. Whoever missed it reads the ring by its sequence number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from linewarden_onward.interface import Output, OutputRun
from linewarden_onward.options import OutputOptions


class OpcuaOptions(OutputOptions):
    """A server of our own; clients come to it. At least one of `users_file` and `certificates` is needed."""

    kind: Literal["opcua"] = "opcua"
    host: str = "127.0.0.1"
    """The address that it listens on."""
    port: int = Field(4840, ge=1, le=65535)
    folder: Path
    """Where the server keeps its certificate (`server.der`) and key; made where there are none."""
    users_file: Path | None = None
    """`NAME:HASH` a line, the hash by argon2."""
    certificates: Path | None = None
    """A folder with one certificate a user, PEM or DER; the file's name is the user's."""
    nodeset: Path | None = None
    """`Opc.Ua.MachineVision.NodeSet2.xml` of the OPC Foundation; without it names are ours, and types are missing."""
    ring: int = Field(100, ge=1, le=1000)
    """How many of the last results can be read."""
    limit_s: float = Field(10.0, gt=0)
    """How long the server may take to show what it is told."""

    def open(self, run: OutputRun) -> Output:
        """The server, listening.

        Raises:
            ConfigurationError: for files that cannot be used.
            OutputAway: where the address is not free.
        """
        from linewarden_onward.outputs.opcua_server import OpcuaOutput  # noqa: PLC0415 - brings asyncua

        return OpcuaOutput(self, run)
