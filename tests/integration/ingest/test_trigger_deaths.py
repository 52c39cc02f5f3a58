"""Triggers over the death of whoever holds them: each is a capture, and a gap in their counters diverts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.processes import free_port
from linewarden_schemas.capture import Capture
from linewarden_schemas.ids import Namespace, trigger_in
from linewarden_schemas.vocabulary import CameraCondition, Loss
from tests.support.processes import wait_for
from tests.support.topics import Watcher
from tests.unit.ingest.lines import set_up_line

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WINDOW_MS = 6_000
"""How long a trigger waits for its picture: so long the camera's process holds it."""


class TriggeredIngest:
    """Ingest with a watched folder that stays empty, and the PLC that it is told by."""

    def __init__(self, namespace: str, servers: str, folder: Path) -> None:
        self._plc = socket.create_server(("127.0.0.1", 0))
        self._lines: socket.socket | None = None
        self.health_port, self._folder = free_port(), folder
        (folder / "in").mkdir()
        join = {"by": "time", "latest_ms": WINDOW_MS, "settle_ms": 0}
        camera = {"kind": "watch", "camera_id": "cam0", "view_id": "view0", "path": str(folder / "in"), "join": join}
        source = {
            "kind": "tcp",
            "address": f"127.0.0.1:{self._plc.getsockname()[1]}",
            "format": {"form": "pairs"},
        }
        self._environment = os.environ | {
            "LINEWARDEN_NAMESPACE": namespace,
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": servers,
            "LINEWARDEN_INGEST__CAMERAS": json.dumps([camera]),
            "LINEWARDEN_INGEST__TRIGGER": json.dumps(source),
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(folder / "spool"),
            "LINEWARDEN_HEALTH_PORT": str(self.health_port),
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Ingest in a process group of its own, told by the PLC; killed at the end."""
        command = [sys.executable, "-m", "linewarden_ingest"]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)
        try:
            self._lines, _ = self._plc.accept()
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if self._lines is not None:
                self._lines.close()

    def tell(self, *counters: int) -> None:
        """The PLC sees these parts; done when ingest has handed them on."""
        assert self._lines is not None
        before = self._told()
        self._lines.sendall(b"".join(b"counter=%d serial=SN-%d\n" % (one, one) for one in counters))
        wait_for(lambda: self._told() == before + len(counters), "the triggers are read")

    def close(self) -> None:
        self._plc.close()

    def _told(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=5.0) as answer:
            lines = answer.read().decode().splitlines()
        found = [line.split()[-1] for line in lines if line.startswith("linewarden_ingest_trigger_lines_total{")]
        return round(float(found[0])) if found else 0


@pytest.fixture
def ingest(
    tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str, tmp_path: Path
) -> Iterator[TriggeredIngest]:
    set_up_line(tansu_broker, Namespace(namespace))
    with closing(TriggeredIngest(namespace, tansu.bootstrap_servers, tmp_path)) as made:
        yield made


def reader_of(process: subprocess.Popen[bytes]) -> int:
    """The camera's process."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: bool(children.read_text().split()), "the camera's process runs")
    return int(children.read_text().split()[0])


def test_what_a_killed_camera_held_of_triggers_is_captured_by_the_next_process_each_once(
    ingest: TriggeredIngest, tansu_broker: KafkaBroker, namespace: str
) -> None:
    with (
        ingest.running() as process,
        Watcher(tansu_broker, Namespace(namespace).topic("captures"), Capture) as captures,
    ):
        ingest.tell(0)
        captures.wait_for(lambda found: len(found) == 1, 90.0)
        ingest.tell(1, 2, 3)
        os.kill(reader_of(process), signal.SIGKILL)
        ingest.tell(4)
        ingest.tell(5)
        captures.wait_for(lambda found: any(one.part_id == "SN-5" for one in found), 90.0)
        once = {one.frame_id: one for one in captures.found}.values()  # what was not acknowledged is sent again
        counters = [found[1] for one in once if (found := trigger_in(one.visit_id)) is not None]
        assert sorted(counters) == [0, 1, 2, 3, 4, 5]
        assert {(one.lost, one.conditions) for one in once} == {(Loss.CAMERA_FAULT, (CameraCondition.LOST,))}
        assert sorted(one.part_id or "" for one in once) == [f"SN-{counter}" for counter in range(6)]


def test_a_gap_in_the_counters_over_the_death_of_all_of_ingest_diverts_what_comes_first(
    ingest: TriggeredIngest, tansu_broker: KafkaBroker, namespace: str
) -> None:
    with ingest.running():
        ingest.tell(0, 1, 2)
    with ingest.running(), Watcher(tansu_broker, Namespace(namespace).topic("captures"), Capture) as captures:
        ingest.tell(5, 6)
        found = captures.wait_for(lambda found: len(found) == 2, 90.0)
        told = [one.lost_detail or "" for one in sorted(found, key=lambda one: one.visit_id)]
        assert "counter jumped from 2 to 5" in told[0]
        assert "jumped" not in told[1]
