"""One connection to a broker of MQTT 5, turned by the thread that uses it: no queue, no retry of its own."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from linewarden_onward.interface import OutputAway
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError

_REFUSED_FOR_GOOD = range(0x84, 0x88)
"""Reasons of a CONNACK that lie in what people set: version, client id, user and password, not authorized."""
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)


class MqttLink:
    """A connection that is never taken up again once it `is_lost`.

    `limit_s` is how long connecting, or the acknowledgement of a message, may take. `most_bytes` is the largest packet
    that the broker takes, None without a limit; `end` says why the connection ended. `will` is topic, body, and whether
    it is retained.
    """

    def __init__(
        self,
        name: str,
        will: tuple[str, bytes, bool],
        clock: Clock,
        limit_s: float,
        tls: ssl.SSLContext | None = None,
        user: tuple[str, str] | None = None,
    ) -> None:
        self.most_bytes: int | None = None
        self.end = "no answer"
        self.is_lost = False
        self._clock, self._limit_s = clock, limit_s
        self._connack: int | None = None
        self._lacks: str | None = None
        self._acknowledged: dict[int, int] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5, reconnect_on_failure=False)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._is_retained = will[2]
        self._granted: dict[int, list[int]] = {}
        self._awaited: tuple[str, bytes] | None = None
        self._hear: Callable[[str, bytes], None] = lambda _topic, _body: None
        self._client.connect_timeout = limit_s
        self._client.will_set(*will[:2], qos=1, retain=will[2])
        if tls is not None:
            self._client.tls_set_context(tls)
        if user is not None:
            self._client.username_pw_set(*user)

    def open(self, host: str, port: int, keepalive_s: int) -> None:
        """Connect, without a session that would outlive the connection.

        Raises:
            ConfigurationError: where certificate, user or rights are refused, or the broker lacks what is needed.
            OutputAway: where nobody answers, or not now.
        """
        place = f"mqtt {host}:{port}"
        session = _packed(PacketTypes.CONNECT, {"SessionExpiryInterval": 0})
        try:
            self._client.connect(host, port, keepalive=keepalive_s, clean_start=True, properties=session)
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(f"{place}: {error.verify_message}; see ca_file and host") from error
        except OSError as error:
            raise OutputAway(f"{place}: {error}") from error
        self._turn_until(lambda: self._connack is not None)
        if self._lacks is not None:
            raise ConfigurationError(f"{place}: {self._lacks}")
        if self._connack in _REFUSED_FOR_GOOD:
            raise ConfigurationError(f"{place}: {self.end}; see user, password_file and cert_file")
        if self._connack != 0:
            raise OutputAway(f"{place}: {self.end}")

    def send(self, topic: str, body: bytes, properties: dict[str, Any] | None = None, *, retain: bool = False) -> int:
        """Publish with QoS 1, wait for the PUBACK and give its reason code; below 0x80 the broker has it.

        Raises:
            OutputAway: where none came in time; whether the broker has it is unknown.
        """
        sent = self._client.publish(topic, body, 1, retain, _packed(PacketTypes.PUBLISH, properties or {}))
        if sent.rc or not self._turn_until(lambda: sent.mid in self._acknowledged):
            self.abort()
            raise OutputAway(f"no acknowledgement of the broker within {self._limit_s:g} s: {self.end}")
        return self._acknowledged.pop(sent.mid)

    def subscribe(self, topics: Mapping[str, int], hear: Callable[[str, bytes], None]) -> list[str]:
        """Ask for topics, each with its QoS, and give those that are refused; `hear` is called in `turn` with the rest.

        Raises:
            OutputAway: where no answer came in time.
        """
        self._hear = hear
        _, mid = self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in topics.items()])
        if mid is None or not self._turn_until(lambda: mid in self._granted):
            self.abort()
            raise OutputAway(f"no answer of the broker to a subscription within {self._limit_s:g} s: {self.end}")
        return [topic for topic, reason in zip(topics, self._granted.pop(mid), strict=True) if reason >= 0x80]

    def send_and_hear(self, topic: str, body: bytes, properties: dict[str, Any] | None = None) -> None:
        """Publish with QoS 0 what this connection is subscribed to, and wait until the broker gives it back.

        Raises:
            OutputAway: where it did not in time; whether the broker has it is unknown.
        """
        self._awaited = topic, body
        sent = self._client.publish(
            topic, body, 0, retain=False, properties=_packed(PacketTypes.PUBLISH, properties or {})
        )
        if sent.rc or not self._turn_until(lambda: self._awaited is None):
            self.abort()
            silence = f"the broker did not give back {topic} within {self._limit_s:g} s"
            raise OutputAway(f"{silence}; may the user write and read it? {self.end}")

    def turn(self, seconds: float) -> bool:
        """Read and write what waits, at most so long for it to come; False once the connection is lost."""
        self.is_lost = self.is_lost or self._client.loop(seconds) != 0
        return not self.is_lost

    def leave(self) -> None:
        """Go with a word, so that no will is sent."""
        self._client.disconnect()
        self._close()

    def abort(self) -> None:
        """End it at once with a reset; what still lies in the machine's buffers is never delivered late."""
        open_socket = self._client.socket()
        if isinstance(open_socket, socket.socket) and open_socket.fileno() >= 0:
            open_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
        self._close()

    def _close(self) -> None:
        self.is_lost = True
        if (open_socket := self._client.socket()) is not None:
            open_socket.close()

    def _turn_until(self, is_done: Callable[[], bool]) -> bool:
        until = self._clock.monotonic() + self._limit_s
        while not is_done():
            left_s = until - self._clock.monotonic()
            if left_s <= 0 or not self.turn(min(left_s, 0.5)):
                return is_done()
        return True

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connack, self.end = reason.value, str(reason)
        self.most_bytes = getattr(properties, "MaximumPacketSize", None)
        if getattr(properties, "MaximumQoS", 2) < 1:
            self._lacks = "the broker acknowledges nothing (maximum QoS 0)"
        elif self._is_retained and not getattr(properties, "RetainAvailable", 1):
            self._lacks = "the broker retains nothing, and the state must be"

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        self.end = str(reason)

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._acknowledged[mid] = reason.value

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        self._granted[mid] = [reason.value for reason in reasons]

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        told = message.topic, bytes(message.payload)
        if told == self._awaited:
            self._awaited = None
        else:
            self._hear(*told)


def _packed(packet: int, values: dict[str, Any]) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho's
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
