"""Messages of an MQTT broker, one trigger each."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from linewarden_ingest.triggers.desk import SourceAway, TriggerDesk
from linewarden_ingest.triggers.options import STEP_S, Address, TriggerOptions, host_and_port, secret_in
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.lifecycle import Stop

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

_KEEPALIVE_S = 10


class MqttTrigger(TriggerOptions):
    """Messages under `topic` at the broker `address`, as often as their sender's quality of service allows.

    A retained one is of a part of before and counts as refused; what came while we were away is not asked for.
    """

    kind: Literal["mqtt"] = "mqtt"
    address: Address
    topic: str = Field(min_length=1)
    client_id: str = ""
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        """Give each message until the stop; raises SourceAway where the broker is lost or refuses us."""
        from paho.mqtt.client import error_string  # noqa: PLC0415 - an extra
        from paho.mqtt.enums import MQTTErrorCode  # noqa: PLC0415 - the same

        refusals: list[str] = []
        client = self._client(desk, refusals)
        try:
            client.connect(*host_and_port(self.address), keepalive=_KEEPALIVE_S)
            while not until.is_set():
                code = client.loop(STEP_S)
                if refusals:
                    raise SourceAway(f"{self.address}: {refusals[0]}")
                if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    raise SourceAway(f"{self.address}: {error_string(code)}")
        except (OSError, ValueError) as error:
            raise SourceAway(f"{self.address}: {error}") from error
        finally:
            client.disconnect()

    def _client(self, desk: TriggerDesk, refusals: list[str]) -> Client:
        from paho.mqtt.client import Client  # noqa: PLC0415 - an extra
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415 - the same

        client = Client(CallbackAPIVersion.VERSION2, client_id=self.client_id, clean_session=True)
        if self.username is not None:
            password = None if self.password_file is None else secret_in(self.password_file)
            client.username_pw_set(self.username, password)
        if self.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=self.ca_file))
            except OSError as error:
                raise ConfigurationError(f"ca_file {self.ca_file}: {error}") from error

        def connected(client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:  # noqa: ANN401 - paho's own
            if reason.is_failure:
                refusals.append(f"the broker refuses the connection: {reason}")
            else:
                client.subscribe(self.topic, qos=2)

        def subscribed(_client: Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:  # noqa: ANN401
            if any(reason.is_failure for reason in reasons):
                refusals.append(f"the broker refuses the topic {self.topic!r}: {reasons[0]}")
            else:
                desk.here()

        def came(_client: Client, _data: Any, message: MQTTMessage) -> None:  # noqa: ANN401
            if message.retain:
                desk.refuse(f"a retained message under {message.topic!r} tells of a part of before")
            else:
                desk.line(bytes(message.payload))

        client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, came
        return client
