"""Outputs struck: a file, a webhook, MQTT, OPC UA and Modbus, each told by onward as a process."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from linewarden.demo import line
from tests.faults.matrix.oracle import Judgement
from tests.faults.plant.bed import PARTS_PER_S, Naming, PlantBed, signal_group, unwell
from tests.faults.plant.cameras import CAMERA
from tests.faults.plant.rig import PlantRig, drawn, png_of
from tests.support.plant_http import PlantHttp, silent
from tests.support.plant_mqtt import PASSWORD, READER, USER, Mosquitto, properties
from tests.support.tcp_proxy import TcpProxy

ANSWER_S = 1.0
"""How long a receiver may take."""


def steady_camera(folder: Path) -> dict[str, Any]:
    """A camera that is struck by nothing: a folder of pictures, read again and again."""
    pictures, place = drawn(folder), folder / "in"
    place.mkdir()
    for number in range(len(pictures)):
        (place / f"{number:04d}.png").write_bytes(png_of(pictures, number))
    return {**CAMERA, "kind": "folder", "path": str(place), "rate_per_s": PARTS_PER_S, "repeat": 10_000}


def told_by(output: Mapping[str, Any]) -> dict[str, str]:
    """Onward's environment for an output of the line."""
    return {
        "LINEWARDEN_ONWARD__LINE_ID": line.LINE,
        "LINEWARDEN_ONWARD__OUTPUT": json.dumps({"output_id": "plant", **output}),
        "LINEWARDEN_ONWARD__START": "earliest",
        "LINEWARDEN_ONWARD__RETRY_AT_MOST_S": "1",
    }


class OutputRig(PlantRig):
    """Onward told by a steady line; `told` are the keys that the receiver has, each with whether it may pass."""

    def __init__(self, folder: Path) -> None:
        self.camera = steady_camera(folder)
        self.told: dict[str, bool] = {}
        self.excused: set[str] = set()
        """Keys that the receiver was told it missed."""

    def settle(self, bed: PlantBed) -> None:
        """Until everything that was decided has been told."""
        known = set(bed.flow.dispositions)
        bed.until(lambda: known <= self.told.keys() | self.excused, f"all {len(known)} revisions are told")

    def judge(self, bed: PlantBed) -> Judgement:
        """Nobody was permitted to pass what was not decided to pass."""
        passes = {key for key, one in bed.flow.dispositions.items() if one.is_pass}
        wrong = {key for key, may_pass in self.told.items() if may_pass} - passes
        return Judgement(passed_wrongly=frozenset(f"{key}: a permission without a trusted pass" for key in wrong))

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of onward."""
        return self.named(bed, limit_s, lambda: signal_group(bed.services["onward"], signal.SIGKILL))

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGSTOP of onward past the time for which it may speak."""
        try:
            found = self.named(bed, limit_s, bed.services["onward"].pause)
            bed.hold(rng.uniform(0.0, 4.0))
            return found
        finally:
            bed.services["onward"].resume()

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Onward ends in order, and is started."""
        service = bed.services["onward"]
        found = self.named(bed, limit_s, service.stop)
        service.start()
        return found

    def named(self, bed: PlantBed, limit_s: float, strike: Callable[[], object]) -> Naming:
        """Strike what is well, and wait until onward says what is wrong, or is seen to be gone."""
        bed.await_quiet("onward")
        strike()
        return bed.await_named(limit_s, lambda: self.sign(bed))

    def sign(self, bed: PlantBed) -> str | None:
        """What tells a plant that its line is not heard."""
        return unwell(bed.services["onward"])


class FileRig(OutputRig):
    """A file, read up to its last end of line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder / "told"
        self._folder.mkdir()
        self.output = told_by({"kind": "file", "path": str(self._folder / "told.jsonl")})

    def settle(self, bed: PlantBed) -> None:
        """Until every revision has its line."""
        known = set(bed.flow.dispositions)

        def is_told() -> bool:
            for path in self._folder.glob("*.jsonl*"):
                for text in path.read_bytes().rpartition(b"\n")[0].splitlines():
                    told = json.loads(text)
                    self.told[told["id"]] = told["data"]["permission"] is not None
            return known <= self.told.keys()

        bed.until(is_told, f"all {len(known)} revisions have a line")

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The folder is not there."""
        away = self._folder.with_suffix(".away")
        try:
            return self.named(bed, limit_s, lambda: self._folder.rename(away))
        finally:
            away.rename(self._folder)

    def close(self) -> None:
        """Nothing runs."""


class WebhookRig(OutputRig):
    """A receiver on a real socket behind a proxy; kill, freeze and restart are the receiver's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = self._begin(0)
        self._wire = TcpProxy(self._server.server_port).start()
        url = f"http://127.0.0.1:{self._wire.port}/hook"
        self.output = told_by({"kind": "webhook", "url": url, "answer_s": ANSWER_S})

    def settle(self, bed: PlantBed) -> None:
        """Until every revision was posted, and answered."""
        known = set(bed.flow.dispositions)

        def is_told() -> bool:
            self._take()
            return known <= self.told.keys()

        bed.until(is_told, f"all {len(known)} revisions are posted")

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The receiver is gone, and its connections are reset."""
        found = self.named(bed, limit_s, self._end)
        self._server = self._begin(self._server.server_port)
        return found

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The wire carries nothing any more, and neither end is told."""
        try:
            return self.named(bed, limit_s, self._wire.freeze)
        finally:
            self._wire.heal()

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The receiver takes every request and answers none."""
        try:
            self._server.released.clear()
            return self.named(bed, limit_s, lambda: self._server.replies.extend([silent] * 1_000))
        finally:
            self._server.replies.clear()
            self._server.released.set()

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The receiver ends and is there again after a moment."""
        found = self.named(bed, limit_s, self._end)
        bed.hold(0.5)
        self._server = self._begin(self._server.server_port)
        return found

    def close(self) -> None:
        """End receiver and wire."""
        self._server.close()
        self._wire.close()

    def _begin(self, port: int) -> PlantHttp:
        return PlantHttp(port).__enter__()

    def _end(self) -> None:
        self._take()
        self._server.close()
        self._take()
        self._wire.reset()

    def _take(self) -> None:
        for one in list(self._server.received):
            self.told[one.key] = one.event["data"]["permission"] is not None


class MqttRig(OutputRig):
    """Mosquitto behind a proxy, which keeps its sessions on disk; a subscriber with a session that stays."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        kept = ("persistence true", f"persistence_location {folder}/mqtt/", "autosave_on_changes true")
        self._broker = Mosquitto(folder / "mqtt", more="\n".join((*kept, "autosave_interval 1")))
        self._broker.start()
        self._wire = TcpProxy(self._broker.port).start()
        self._reader = self._subscribed()
        self.output = told_by(
            {
                "kind": "mqtt",
                "host": "127.0.0.1",
                "port": self._wire.port,
                "user": USER,
                "password_file": str(self._broker.password_file()),
                "tls": False,
                "acknowledge_s": ANSWER_S,
            }
        )

    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGKILL of the broker."""
        try:
            return self.named(bed, limit_s, self._broker.process.kill)
        finally:
            self._broker.start()

    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The wire carries nothing any more, and neither end is told."""
        try:
            return self.named(bed, limit_s, self._wire.freeze)
        finally:
            self._wire.heal()

    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """SIGSTOP of the broker."""
        try:
            return self.named(bed, limit_s, self._broker.process.pause)
        finally:
            self._broker.process.resume()

    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """The broker ends in order, and is started."""
        try:
            return self.named(bed, limit_s, self._broker.process.stop)
        finally:
            self._broker.start()

    def close(self) -> None:
        """End reader, wire and broker."""
        self._reader.disconnect()
        self._reader.loop_stop()
        self._wire.close()
        self._broker.process.stop()

    def _subscribed(self) -> Client:
        made = Client(CallbackAPIVersion.VERSION2, client_id="plc", protocol=MQTTv5)
        made.username_pw_set(READER, PASSWORD)
        made.reconnect_delay_set(1, 1)
        made.on_message = self._heard
        made.on_connect = lambda client, *_: client.subscribe("linewarden/#", options=SubscribeOptions(qos=1))
        stays = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        stays.SessionExpiryInterval = 3_600
        made.connect("127.0.0.1", self._broker.port, clean_start=False, properties=stays)
        made.loop_start()
        return made

    def _heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic.endswith("/dispositions"):
            told = properties(message)
            self.told[told["id"]] = self.told.get(told["id"], False) or told["permit"] == "open"
