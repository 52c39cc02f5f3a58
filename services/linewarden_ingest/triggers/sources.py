"""The sources of triggers, told apart by their `kind`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from linewarden_ingest.triggers.mqtt import MqttTrigger
from linewarden_ingest.triggers.opcua import OpcuaTrigger
from linewarden_ingest.triggers.post import HttpTrigger
from linewarden_ingest.triggers.serial_port import SerialTrigger
from linewarden_ingest.triggers.tcp import TcpTrigger

AnyTrigger = Annotated[
    TcpTrigger | SerialTrigger | MqttTrigger | OpcuaTrigger | HttpTrigger, Field(discriminator="kind")
]
"""A field for the side channel of a station."""
