"""A Mosquitto for Sparkplug B, the output on it, and a host that reads what the node says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linewarden_onward.outputs.mqtt import MqttOptions, SparkplugOptions
from linewarden_onward.outputs.sparkplug_payload import PAYLOAD
from tests.support.plant_mqtt import USER, Mosquitto, MqttReader

GROUP, NODE = "plant", "eye1"
NCMD = f"spBv1.0/{GROUP}/NCMD/{NODE}"


class SparkplugBroker(Mosquitto):
    """`onward` may write and read its node's topics, `plc` reads them and may write commands."""

    def __init__(self, folder: Path, *, tls: bool = False, more: str = "") -> None:
        super().__init__(folder, tls=tls, more=more)
        own = f"topic readwrite spBv1.0/{GROUP}/+/{NODE}/#"
        self.allow(own, f"topic read spBv1.0/#\ntopic write {NCMD}")

    def options(self, **more: Any) -> MqttOptions:
        """Those of an output that tells this broker."""
        settings: dict[str, Any] = {
            "output_id": "scada",
            "host": "localhost",
            "port": self.port,
            "user": USER,
            "password_file": self.password_file(),
            "tls": False,
            "sparkplug": SparkplugOptions(group_id=GROUP, edge_node_id=NODE),
        }
        return MqttOptions(**settings | more)


class SparkplugHost(MqttReader):
    """A subscriber of the whole group."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__(broker, "spBv1.0/#")

    def kinds(self) -> list[str]:
        """The kinds of message in the order in which they came."""
        return [message.topic.split("/")[2] for message in list(self.messages)]

    def payloads(self, kind: str) -> list[Any]:
        """Those of one kind."""
        messages = [message for message in list(self.messages) if message.topic.split("/")[2] == kind]
        return [PAYLOAD.FromString(bytes(message.payload)) for message in messages]

    def numbers(self, kind: str) -> list[int]:
        """`bdSeq` of each birth or death."""
        return [
            next(metric.long_value for metric in one.metrics if metric.name == "bdSeq") for one in self.payloads(kind)
        ]

    def records(self) -> list[dict[str, Any]]:
        """Each disposition that was told, by its columns."""
        told = []
        for payload in self.payloads("DDATA"):
            (metric,) = payload.metrics
            (row,) = metric.dataset_value.rows
            cells = [getattr(one, one.ListFields()[0][0].name) for one in row.elements]
            told.append(dict(zip(metric.dataset_value.columns, cells, strict=True)))
        return told
