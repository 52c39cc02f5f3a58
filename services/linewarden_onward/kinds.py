"""Kinds of output by name: those of linewarden, and those that other distributions bring by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import SerializeAsAny, WrapValidator

from linewarden_domain.plugins import Kinds
from linewarden_onward.options import OutputOptions
from linewarden_onward.outputs.file import FileOptions
from linewarden_onward.outputs.modbus import ModbusOptions
from linewarden_onward.outputs.mqtt import MqttOptions
from linewarden_onward.outputs.opcua import OpcuaOptions
from linewarden_onward.outputs.webhook import WebhookOptions
from linewarden_runtime.errors import ConfigurationError

GROUP = "linewarden.outputs"
"""Entry points of this group name a kind of output and the class of its options."""
BUILT_IN: Mapping[str, type[OutputOptions]] = {
    "file": FileOptions,
    "modbus": ModbusOptions,
    "mqtt": MqttOptions,
    "opcua": OpcuaOptions,
    "webhook": WebhookOptions,
}
KINDS = Kinds("output", GROUP, OutputOptions, BUILT_IN, ConfigurationError)  # type: ignore[type-abstract]  # none is made

AnyOutputOptions = Annotated[SerializeAsAny[OutputOptions], WrapValidator(KINDS.by_kind)]
"""A field for options of any kind: read by their `kind`, and written whole."""
