"""Dispositions as CloudEvents over MQTT 5, one after the other, each acknowledged by the broker.

<prefix>/<line>/dispositions   every revision; never retained, and it expires
<prefix>/<line>/state          retained: online (sent again while it lasts), or offline by the will message
"""

from __future__ import annotations

import json
import math
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from linewarden_onward.interface import GateAct, GatePermission, Notice, Output, OutputAway, OutputRefused, OutputRun
from linewarden_onward.options import OutputOptions
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.errors import ConfigurationError
from linewarden_schemas.disposition import Disposition

if TYPE_CHECKING:
    from linewarden_onward.outputs.mqtt_link import MqttLink

_log = structlog.get_logger(__name__)

_BACKOFF = Backoff(0.5, 10.0)
"""Between the tries of `beat`; whoever tells waits by himself."""
_TRY_LATER = frozenset({0x88, 0x89, 0x96, 0x97})
"""Reasons of a PUBACK that may pass: server away or busy, too many messages, quota."""
_ROOM = 2048
"""Topic and properties of a message, bytes at most."""


_Level = Annotated[str, Field(pattern=r"^[^+#/\x00-\x1f]{1,100}$")]
"""One level of a topic."""


class SparkplugOptions(BaseModel):
    """The line as a device of an edge node of Sparkplug B 3.0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group_id: _Level
    edge_node_id: _Level
    device_id: _Level | None = None
    """The device; without it the line's id."""


class MqttOptions(OutputOptions):
    """A broker of MQTT 5. `user` needs `password_file`; without `tls` everything can be read on the way."""

    kind: Literal["mqtt"] = "mqtt"
    host: str
    port: int = Field(8883, ge=1, le=65535)
    prefix: str = Field("linewarden", pattern=r"^[^+#$\x00-\x1f][^+#\x00-\x1f]{0,200}$")
    user: str | None = None
    password_file: Path | None = None
    tls: bool = True
    ca_file: Path | None = None
    """Who must have signed the broker's certificate; without it those whom the machine trusts."""
    cert_file: Path | None = None
    key_file: Path | None = None
    acknowledge_s: float = Field(5.0, gt=0)
    """How long a connection, or the acknowledgement of a message, may take."""
    expiry_s: int = Field(60, ge=1)
    """How long the broker keeps a message for a subscriber that is away; a permission never longer than it lasts."""
    state_every_s: float = Field(10.0, gt=0)
    keepalive_s: int = Field(10, ge=1, le=3600)
    sparkplug: SparkplugOptions | None = None
    """Told as Sparkplug B instead of CloudEvents; `prefix` means nothing then."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("ca_file and cert_file need tls")
        return self

    def open(self, run: OutputRun) -> Output:
        """The output, connected, its state told.

        Raises:
            ConfigurationError: for a file that cannot be read, a certificate or a user that is not accepted.
            OutputAway: where the broker does not answer.
        """
        if self.sparkplug is None:
            return MqttOutput(self, run)
        from linewarden_onward.outputs.sparkplug import SparkplugOutput  # noqa: PLC0415 - brings protobuf

        return SparkplugOutput(self, run, self.sparkplug)


class MqttOutput:
    """One connection after the other; one message under way, so that nothing waits in a queue while its time runs."""

    def __init__(self, options: MqttOptions, run: OutputRun) -> None:
        self._options, self._run = options, run
        self._topic = f"{options.prefix}/{run.line_id}"
        self._since_ms = run.clock.now_ms()
        self._told_s, self._beats = 0.0, 0
        self._failures, self._try_s = 0, float("-inf")
        self._link = self._connect()

    def tell(self, notices: Sequence[Notice]) -> None:
        """Send each, and wait for its PUBACK before the next.

        Raises:
            OutputAway: no connection, no PUBACK in time, or a broker that is busy.
            OutputRefused: a PUBACK with a reason that will not pass.
        """
        for notice in notices:
            body = notice.disposition.to_json()
            link = self._connected()
            require_room(link, notice, body)
            now_ms = self._run.now_ms()  # directly before the write, behind all that can take time
            properties = self._properties(notice.as_of(now_ms), now_ms)
            reason = link.send(f"{self._topic}/dispositions", body, properties)
            if reason in _TRY_LATER:
                raise OutputAway(f"the broker does not take messages now (reason 0x{reason:02x})")
            if reason >= 0x80:
                refusal = f"the broker refuses {self._topic}/dispositions (reason 0x{reason:02x})"
                raise OutputRefused(notice, refusal, cause=f"mqtt-{reason:02x}")

    def beat(self) -> Sequence[GateAct]:
        """Keep the connection alive, and tell the state again before it expires; a broker reports no gate."""
        if self._link.is_lost and self._run.clock.monotonic() < self._try_s:
            raise OutputAway(f"the broker ended the connection: {self._link.end}")
        link = self._connected()
        if not link.turn(0.0):
            raise OutputAway(f"the broker ended the connection: {link.end}")
        if self._run.clock.monotonic() - self._told_s >= self._options.state_every_s:
            self._tell_state(link)
        return ()

    def close(self) -> None:
        """Say that it is offline, and go."""
        if self._link.is_lost:
            return
        try:
            self._say_goodbye(self._link)
            self._link.leave()
        except OutputAway as away:
            _log.warning("the state offline was not told", reason=str(away))  # the will message tells it

    def _connected(self) -> MqttLink:
        if self._link.is_lost:
            self._link = self._connect()
        return self._link

    def _connect(self) -> MqttLink:
        from linewarden_onward.outputs.mqtt_link import MqttLink  # noqa: PLC0415 - brings paho

        # The same name for every process of this output: whoever takes it over ends the connection of the former.
        name = f"linewarden-{self._run.line_id}-{self._options.output_id}"
        options = self._options
        link = MqttLink(name, self._will(), self._run.clock, options.acknowledge_s, _tls(options), _user(options))
        try:
            link.open(options.host, options.port, options.keepalive_s)
            self._greet(link)
        except BaseException:
            link.abort()
            self._failures += 1
            self._try_s = self._run.clock.monotonic() + _BACKOFF.wait_s(self._failures)
            raise
        self._failures = 0
        return link

    def _will(self) -> tuple[str, bytes, bool]:
        """Topic and body of what the broker says when the connection is lost, and whether it is retained."""
        return f"{self._topic}/state", self._state("offline"), True

    def _greet(self, link: MqttLink) -> None:
        """The first words on a new connection."""
        self._tell_state(link)

    def _say_goodbye(self, link: MqttLink) -> None:
        link.send(f"{self._topic}/state", self._state("offline"), retain=True)

    def _tell_state(self, link: MqttLink) -> None:
        self._beats += 1
        properties = {"MessageExpiryInterval": math.ceil(3 * self._options.state_every_s)}
        reason = link.send(f"{self._topic}/state", self._state("online"), properties, retain=True)
        if reason >= 0x80:
            raise ConfigurationError(
                f"the broker refuses {self._topic}/state (reason 0x{reason:02x}): allow writing it"
            )
        self._told_s = self._run.clock.monotonic()

    def _state(self, state: str) -> bytes:
        told = {"state": state, "epoch": self._run.epoch, "since_ms": self._since_ms, "beat": self._beats}
        return json.dumps(told).encode()

    def _expiry_s(self, permission: GatePermission | None, now_ms: int | None) -> int:
        if permission is None or now_ms is None:
            return self._options.expiry_s
        # Whole seconds, and 0 would mean none: up to one more than is left, which the control's window covers.
        return min(self._options.expiry_s, math.ceil((permission.expires_ms - now_ms) / 1000))

    def _properties(self, notice: Notice, now_ms: int | None) -> dict[str, Any]:
        permission = notice.permission
        return {
            "ContentType": "application/json",
            "PayloadFormatIndicator": 1,
            "MessageExpiryInterval": self._expiry_s(permission, now_ms),
            "UserProperty": [
                ("specversion", "1.0"),
                ("id", notice.key),
                ("source", f"/{self._run.line_id}/onward/{self._options.output_id}"),
                ("type", Disposition.TYPE),
                ("subject", notice.disposition.visit_id),
                ("time", datetime.fromtimestamp(notice.disposition.decided_ms / 1000, UTC).isoformat()),
                ("simulated", str(notice.disposition.is_simulated).lower()),
                *_permit(permission),
            ],
        }


def _permit(permission: GatePermission | None) -> list[tuple[str, str]]:
    """The permission as extension attributes; whoever moves a gate looks at nothing else."""
    if permission is None:
        return [("permit", "none")]
    return [
        ("permit", "open"),
        ("permitcounter", str(permission.counter)),
        ("permitepoch", str(permission.epoch)),
        ("permitsequence", str(permission.sequence)),
        ("permitwindowms", str(permission.window_ms)),
        ("permitexpiresms", str(permission.expires_ms)),
    ]


def _tls(options: MqttOptions) -> ssl.SSLContext | None:
    if not options.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.cert_file is not None:
            context.load_cert_chain(options.cert_file, options.key_file)
    except OSError as error:
        raise ConfigurationError(f"mqtt: ca_file, cert_file or key_file cannot be used: {error}") from error
    return context


def _user(options: MqttOptions) -> tuple[str, str] | None:
    if options.user is None or options.password_file is None:
        return None
    try:
        return options.user, options.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"mqtt: password_file cannot be read: {error}") from error


def require_room(link: MqttLink, notice: Notice, body: bytes) -> None:
    """Raise OutputRefused for a message larger than the broker takes."""
    if link.most_bytes is not None and len(body) + _ROOM > link.most_bytes:
        raise OutputRefused(notice, f"{len(body)} bytes; the broker takes {link.most_bytes}", cause="mqtt-size")
