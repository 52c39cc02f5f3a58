"""Dispositions as Sparkplug B over MQTT 5: the line is a device of an edge node.

spBv1.0/<group>/NBIRTH | NDATA | NDEATH | NCMD/<edge node>
spBv1.0/<group>/DBIRTH | DDATA/<edge node>/<device>
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from linewarden_onward.interface import GateAct, Notice, OutputRun
from linewarden_onward.outputs.mqtt import MqttOptions, MqttOutput, SparkplugOptions, require_room
from linewarden_onward.outputs.sparkplug_payload import DataType, Metric, SparkplugRows, asks_for, encoded
from linewarden_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from linewarden_onward.outputs.mqtt_link import MqttLink

_log = structlog.get_logger(__name__)

_REBIRTH = "Node Control/Rebirth"
_BEAT, _DISPOSITION = 1, 2
"""Aliases, of the node's metric `Beat` and of the device's metric `Disposition`."""
_COLUMNS = (
    ("id", DataType.STRING),
    ("visit", DataType.STRING),
    ("revision", DataType.INT64),
    ("routing", DataType.STRING),
    ("simulated", DataType.BOOLEAN),
    ("permit", DataType.STRING),
    ("counter", DataType.INT64),
    ("epoch", DataType.INT64),
    ("sequence", DataType.INT64),
    ("window_ms", DataType.INT64),
    ("expires_ms", DataType.INT64),
    ("disposition", DataType.STRING),
)
"""Numbers are Int64: of unsigned ones in data sets not every decoder knows."""


class SparkplugOutput(MqttOutput):
    """One metric is the whole record of a disposition, so that no part of it can stand beside another's.

    The specification has births and data at QoS 0, which nobody acknowledges. So the node listens to itself: told is
    what the broker gave back.
    """

    def __init__(self, options: MqttOptions, run: OutputRun, sparkplug: SparkplugOptions) -> None:
        node = f"{sparkplug.group_id}/{{}}/{sparkplug.edge_node_id}"
        self._node_topic = f"spBv1.0/{node}"
        self._device = sparkplug.device_id or run.line_id
        # The next process has the next epoch, and so, after one connection, the next number too.
        self._birth_number, self._seq = (run.epoch - 1) % 256, 0
        self._wants_birth = False
        super().__init__(options, run)

    def tell(self, notices: Sequence[Notice]) -> None:
        """Send each, and wait until the broker gives it back before the next.

        Raises:
            OutputAway: no connection, or nothing came back in time.
            OutputRefused: a message larger than the broker takes.
        """
        for notice in notices:
            link = self._connected()
            self._born_again(link)
            now_ms = self._run.now_ms()  # directly before the write, behind all that can take time
            told = notice.as_of(now_ms)
            record = SparkplugRows(_COLUMNS, [_row(told)])
            at_ms = notice.disposition.decided_ms
            body = self._body([Metric(None, DataType.DATA_SET, record, at_ms, _DISPOSITION)])
            require_room(link, notice, body)
            expiry = {"MessageExpiryInterval": self._expiry_s(told.permission, now_ms)}
            link.send_and_hear(self._topic_of("DDATA"), body, expiry)
            self._seq = (self._seq + 1) % 256

    def beat(self) -> Sequence[GateAct]:
        """Keep the connection alive, be born again where that was asked for, and tell the node's number."""
        acts = super().beat()
        self._born_again(self._connected())
        return acts

    def _will(self) -> tuple[str, bytes, bool]:
        """A connection's death, under the number that its births carry."""
        self._birth_number = (self._birth_number + 1) % 256
        return self._topic_of("NDEATH"), self._death(), False

    def _greet(self, link: MqttLink) -> None:
        asked = {self._topic_of("NCMD"): 1} | {self._topic_of(one): 0 for one in ("NBIRTH", "NDATA", "DBIRTH", "DDATA")}
        refused = link.subscribe(asked, self._commanded)
        if refused:
            raise ConfigurationError(f"the broker refuses to let us read {', '.join(refused)}: allow it")
        self._give_birth(link)

    def _commanded(self, topic: str, body: bytes) -> None:
        """What others sent: NCMD alone is for us, and of it the wish for a birth."""
        if topic == self._topic_of("NCMD") and asks_for(body, _REBIRTH):
            self._wants_birth = True
        else:
            _log.warning("a message that is no command for a birth was passed over", topic=topic)

    def _born_again(self, link: MqttLink) -> None:
        if self._wants_birth:
            self._give_birth(link)

    def _give_birth(self, link: MqttLink) -> None:
        """Node and device, with all their metrics; never with a disposition that was told before."""
        self._seq, self._wants_birth = 0, False
        now_ms = self._run.clock.now_ms()
        node = [
            Metric("bdSeq", DataType.INT64, self._birth_number, now_ms),
            Metric(_REBIRTH, DataType.BOOLEAN, False, now_ms),
            Metric("Epoch", DataType.UINT64, self._run.epoch, self._since_ms),
            Metric("Beat", DataType.UINT64, self._beats, now_ms, _BEAT),
        ]
        device = [Metric("Disposition", DataType.DATA_SET, SparkplugRows(_COLUMNS), now_ms, _DISPOSITION)]
        for kind, metrics in (("NBIRTH", node), ("DBIRTH", device)):
            link.send_and_hear(self._topic_of(kind), self._body(metrics))
            self._seq += 1
        self._told_s = self._run.clock.monotonic()

    def _tell_state(self, link: MqttLink) -> None:
        """The node's number: a host sees by it that linewarden itself lives, not the connection alone."""
        self._beats += 1
        beat = Metric(None, DataType.UINT64, self._beats, self._run.clock.now_ms(), _BEAT)
        link.send_and_hear(self._topic_of("NDATA"), self._body([beat]))
        self._seq = (self._seq + 1) % 256
        self._told_s = self._run.clock.monotonic()

    def _say_goodbye(self, link: MqttLink) -> None:
        link.send(self._topic_of("NDEATH"), self._death())

    def _death(self) -> bytes:
        now_ms = self._run.clock.now_ms()
        return encoded([Metric("bdSeq", DataType.INT64, self._birth_number, now_ms)], now_ms)

    def _body(self, metrics: Sequence[Metric]) -> bytes:
        return encoded(metrics, self._run.clock.now_ms(), self._seq)

    def _topic_of(self, kind: str) -> str:
        node = self._node_topic.format(kind)
        return f"{node}/{self._device}" if kind.startswith("D") else node


def _row(notice: Notice) -> tuple[str | int | bool, ...]:
    """The record by its columns; zeros are no permission."""
    disposition, permission = notice.disposition, notice.permission
    numbers = (0, 0, 0, 0, 0)
    if permission is not None:
        numbers = (
            permission.counter,
            permission.epoch,
            permission.sequence,
            permission.window_ms,
            permission.expires_ms,
        )
    return (
        notice.key,
        disposition.visit_id,
        disposition.revision,
        disposition.routing.value,
        disposition.is_simulated,
        "none" if permission is None else "open",
        *numbers,
        disposition.to_json().decode(),
    )
