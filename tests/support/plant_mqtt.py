"""Debian's Mosquitto as a child process: TLS, users and rights, and a reader that keeps what it is sent."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import ServerProcess, free_port, is_listening
from tests.support.processes import DEADLINE_S, wait_for

USER, READER, PASSWORD = "onward", "plc", "not-a-secret"
_START_S = 20.0
_CERTIFICATE = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -addext subjectAltName=DNS:localhost"


class Mosquitto:
    """A broker in `folder` that knows two users: `onward` may write below `linewarden/`, `plc` may read it.

    With `tls` it speaks TLS alone, under a certificate that `ca_file` vouches for. `more` are lines of its settings.
    """

    def __init__(self, folder: Path, *, tls: bool = False, more: str = "") -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            raise ConfigurationError("mosquitto is missing: sudo apt-get install mosquitto mosquitto-clients")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.port = folder, free_port()
        self.ca_file = folder / "server.crt" if tls else None
        users = folder / "users"
        users.touch(mode=0o700)
        for user in (USER, READER):
            subprocess.run(["mosquitto_passwd", "-b", users, user, PASSWORD], check=True, capture_output=True)
        self.allow("topic write linewarden/#")
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {users}",
            f"acl_file {folder / 'rights'}",
        ]
        if tls:
            made = ["openssl", "req", "-x509", *_CERTIFICATE.split(), "-subj", "/CN=localhost"]
            subprocess.run(
                [*made, "-keyout", folder / "server.key", "-out", folder / "server.crt"],
                check=True,
                capture_output=True,
            )
            lines += [f"certfile {folder / 'server.crt'}", f"keyfile {folder / 'server.key'}"]
        # The broker gives up root for a user who may not read a test's folder.
        (folder / "settings").write_text("\n".join(["user root", *lines, more]) + "\n")
        self.process = ServerProcess([program, "-v", "-c", str(folder / "settings")], folder / "log")

    def allow(self, onward: str, plc: str = "topic read linewarden/#") -> None:
        """What `onward` and `plc` may do from the next start on."""
        text = f"user {USER}\n{onward}\nuser {READER}\n{plc}\n"
        (self._folder / "rights").write_text(text)
        (self._folder / "rights").chmod(0o700)

    def start(self) -> Self:
        """Start and wait until it listens."""
        self.process.start(lambda: is_listening(self.port), _START_S)
        return self

    def password_file(self) -> Path:
        """Where the password of both users lies."""
        file = self._folder / "password"
        file.write_text(PASSWORD + "\n")
        return file

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()


class MqttReader:
    """A subscriber as `plc`; `messages` are those of `topic` as they came, its retained ones first."""

    def __init__(self, broker: Mosquitto, topic: str = "linewarden/#") -> None:
        self.messages: list[MQTTMessage] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.username_pw_set(READER, PASSWORD)
        if broker.ca_file is not None:
            self._client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)
        self._is_subscribed = False
        self._client.on_connect = lambda client, *_: client.subscribe(topic, options=SubscribeOptions(qos=1))
        self._client.on_subscribe = lambda *_: setattr(self, "_is_subscribed", True)
        self._client.connect("localhost", broker.port)

    def of(self, name: str) -> list[MQTTMessage]:
        """Those whose topic ends with `name`."""
        return [message for message in list(self.messages) if message.topic.endswith(name)]

    def send(self, topic: str, body: bytes) -> None:
        """Publish a command, which nobody acknowledges."""
        self._client.publish(topic, body)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Until it holds."""
        wait_for(condition, what, DEADLINE_S)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self.wait(lambda: self._is_subscribed, "the subscription")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def properties(message: MQTTMessage) -> dict[str, str]:
    """Its user properties; none may be there twice."""
    pairs = getattr(message.properties, "UserProperty", [])
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def state(message: MQTTMessage) -> Any:
    """What a message of the topic of states says."""
    return json.loads(message.payload)


def expiry_s(message: MQTTMessage) -> int | None:
    """How long the broker would have kept it."""
    return getattr(message.properties, "MessageExpiryInterval", None)
