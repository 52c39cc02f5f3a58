"""Apache Kafka of one or three nodes, each broker and controller, whose clients may be led through a proxy."""

from __future__ import annotations

import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from linewarden_runtime.apache import _PROPERTIES, ApacheKafka
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import free_port, is_listening

_START_S = 60.0
_LOOK_S = 0.05
_LISTENERS = {
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
_REPLICATED = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "min.insync.replicas": "2",
    "default.replication.factor": "3",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a node listens: for clients, for brokers and whoever watches, for controllers."""

    client: int
    internal: int
    controller: int

    @classmethod
    def free(cls) -> Ports:
        """Three that nobody uses just now."""
        return cls(free_port(), free_port(), free_port())


class Node(ApacheKafka):
    """One node of a cluster with a fixed quorum. `advertised`: the port that clients are told."""

    def __init__(
        self, folder: Path, number: int, voters: dict[int, Ports], cluster: str, advertised: int, extra: dict[str, str]
    ) -> None:
        super().__init__(folder, voters[number].client)
        self.number, self.internal = number, voters[number].internal
        self._ports, self._cluster = voters[number], cluster
        self._own = _LISTENERS | (_REPLICATED if len(voters) > 1 else {}) | extra
        self._own["node.id"] = str(number)
        self._own["controller.quorum.voters"] = ",".join(f"{n}@127.0.0.1:{p.controller}" for n, p in voters.items())
        self.advertised = advertised

    def start(self) -> Self:
        """Format the storage if it is new, start, and wait until it listens."""
        self.begin()
        self.await_listening()
        return self

    def begin(self) -> None:
        """Format the storage if it is new, and start, without waiting: of several nodes none listens alone."""
        if not self._config.exists():
            self._format()
        self.process.start(lambda: True, _START_S)

    def await_listening(self) -> None:
        """Wait until clients are listened to; raises ConfigurationError with the log's end where it ends instead."""
        until = time.monotonic() + _START_S
        while not self.listens():
            if not self.process.is_running() or time.monotonic() > until:
                raise ConfigurationError(
                    f"node {self.number} does not listen; its log ends with\n{self.process.tail()}"
                )
            time.sleep(_LOOK_S)

    def listens(self) -> bool:
        """Whether clients are listened to now."""
        return is_listening(self.internal)

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = self._ports
        private = f"INTERNAL://127.0.0.1:{ports.internal}"
        properties = _PROPERTIES | {
            "listeners": f"PLAINTEXT://127.0.0.1:{ports.client},{private},CONTROLLER://127.0.0.1:{ports.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.advertised},{private}",
            "log.dirs": str(self.folder / "data"),
            **self._own,
        }
        self._config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        command = [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster}"]
        done = subprocess.run([*command, "-c", str(self._config)], capture_output=True, text=True, check=False)
        if done.returncode:
            self._config.unlink()
            raise ConfigurationError(f"the storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")


def nodes(
    folders: list[Path], advertised: Callable[[int], int] = lambda port: port, extra: dict[str, str] | None = None
) -> list[Node]:
    """Nodes that are not started; `advertised` gives the port that clients are told, from the one of the node."""
    voters = {number: Ports.free() for number in range(1, len(folders) + 1)}
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return [
        Node(folder, number, voters, cluster, advertised(voters[number].client), extra or {})
        for number, folder in enumerate(folders, 1)
    ]
