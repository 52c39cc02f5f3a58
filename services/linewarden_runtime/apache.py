"""Apache Kafka itself, as one KRaft node on this machine: for tests of guarantees, and for development.

Needs `java` (17 or later) and, for the first start, `mvn`.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from base64 import urlsafe_b64encode
from importlib import resources
from pathlib import Path
from typing import Self
from xml.etree import ElementTree as ET

from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import LocalServer, ServerProcess, free_port

_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "transaction.max.timeout.ms": "10000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "log.retention.check.interval.ms": "1000",
    "unclean.leader.election.enable": "false",
}


def pom() -> Path:
    """Where the packaged Maven project lies."""
    return Path(str(resources.files("linewarden_runtime") / "assets" / "kafka-pom.xml"))


def version() -> str:
    """Version of Apache Kafka that the Maven project asks for."""
    root = ET.parse(pom()).getroot()  # noqa: S314 - our own file
    return str(root.findtext("{http://maven.apache.org/POM/4.0.0}version"))


def libraries() -> Path:
    """Give the folder with Kafka's jars, fetched on first use; raises ConfigurationError without java or mvn.

    `$LINEWARDEN_KAFKA_HOME` names a folder that has them already (with or without `libs/` below it).
    """
    _require("java", "a Java 17 runtime")
    if home := os.environ.get("LINEWARDEN_KAFKA_HOME"):
        for folder in (Path(home) / "libs", Path(home)):
            if any(folder.glob("kafka_2.13-*.jar")):
                return folder
        raise ConfigurationError(f"LINEWARDEN_KAFKA_HOME={home} holds no kafka_2.13 jar")
    folder = Path.home() / ".cache" / "linewarden" / f"kafka-{version()}"
    if not folder.exists():
        _require("mvn", "Maven, to fetch Apache Kafka")
        _fetch(folder)
    return folder


def _require(program: str, what: str) -> None:
    if shutil.which(program) is None:
        raise ConfigurationError(f"{program} is not on PATH; install {what}")


def _fetch(folder: Path) -> None:
    """Fetch beside the folder and rename, so that a broken fetch leaves nothing that looks whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        jars = Path(scratch) / "libs"
        command = ["mvn", "-q", "-B", "-f", str(pom()), "dependency:copy-dependencies"]
        command.append(f"-DoutputDirectory={jars}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConfigurationError(f"mvn could not fetch Apache Kafka:\n{(done.stdout + done.stderr)[-2000:]}")
        if not folder.exists():
            jars.rename(folder)


class ApacheKafka(LocalServer):
    """One node, its data in `folder`; stopping or killing it keeps the data for the next start."""

    start_s = 60.0
    stop_s = 30.0

    def __init__(self, folder: Path | None = None, port: int | None = None, **properties: str) -> None:
        super().__init__("kafka", folder, port)
        self._controller_port = free_port()
        self._properties = {key.replace("_", "."): value for key, value in properties.items()}
        self._jars = libraries()
        self._config = self.folder / "server.properties"
        self.process = ServerProcess(
            [*self._java(), "kafka.Kafka", str(self._config)], self.folder / "kafka.log", cwd=self.folder
        )

    @property
    def bootstrap_servers(self) -> str:
        """HOST:PORT of this machine that clients connect to."""
        return f"127.0.0.1:{self.port}"

    def _java(self) -> list[str]:
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*"]

    def start(self) -> Self:
        """Format the storage if it is new, start, and wait until it listens."""
        if not self._config.exists():
            self._format()
        return super().start()

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}"
        properties = _PROPERTIES | {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller_port}",
            "log.dirs": str(self.folder / "data"),
            **self._properties,
        }
        self._config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*self._java(), "kafka.tools.StorageTool", "format", "--standalone"]
        command += [f"--cluster-id={cluster}", "-c", str(self._config)]  # an id may begin with a dash
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self._config.unlink()
            raise ConfigurationError(f"the storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")

    def kill(self) -> None:
        """Stop as a power cut does; the page cache survives, as it does when only the process dies."""
        self.process.kill()
