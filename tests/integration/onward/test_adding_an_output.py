"""docs/adding/output.md, followed: the second distribution is made of the page, installed, tested and run."""

from __future__ import annotations

import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from linewarden_onward.testing import decided
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.events import event_record
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_schemas.ids import Namespace
from linewarden_schemas.operations import Actuation
from tests.support.processes import ServiceProcess, wait_for
from tests.support.topics import Watcher, provisioned, publish

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adding" / "output.md"


@pytest.fixture(scope="module")
def page() -> dict[str, str]:
    """The page's files by their names."""
    named_block = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return dict(named_block.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def installed(page: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the page's distribution is installed beside linewarden."""
    source, target = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    for name in ("pyproject.toml", "acme_turnstile.py"):
        (source / name).write_text(page[name])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": os.pathsep.join((str(target), *filter(None, sys.path)))}


class _Device(socketserver.StreamRequestHandler):
    """A turnstile that lets through whom it opened for, and says so with the next beat."""

    def handle(self) -> None:
        did = b"ok\n"
        for line in self.rfile:
            word, number = line.split()[:2]
            if word == b"open":
                did = b"did " + number + b" through\n"
            self.wfile.write(did if word == b"beat" else b"ok\n")
            did = b"ok\n" if word == b"beat" else did


@pytest.fixture
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Device) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_the_tests_of_the_page_pass(page: dict[str, str], installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "test_acme_turnstile.py").write_text(page["test_acme_turnstile.py"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "."]
    ran = subprocess.run(command, env=os.environ | installed, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout


def test_onward_tells_an_output_that_another_distribution_brought(
    page: dict[str, str],
    installed: dict[str, str],
    port: int,
    tansu: EmbeddedBroker,
    tansu_broker: KafkaBroker,
    namespace: str,
    tmp_path: Path,
) -> None:
    line = Namespace(namespace)
    provisioned(tansu_broker, line, 1)
    assert "port = 5020" in page["output.toml"]
    (tmp_path / "output.toml").write_text(
        'start = "earliest"\n' + page["output.toml"].replace("port = 5020", f"port = {port}")
    )
    now_ms = SystemClock().now_ms()
    said = decided(7, now_ms, decide_by_ms=now_ms + 600_000)
    topic, partition = line.topic("dispositions"), partition_of(said.visit_id, 1)
    publish(
        tansu_broker,
        event_record(topic, said.visit_id, said, id="7", source="/test", time_ms=now_ms, partition=partition),
    )
    environment = installed | {
        "LINEWARDEN_NAMESPACE": namespace,
        "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": tansu.bootstrap_servers,
        "LINEWARDEN_KAFKA__APPEND_TIME": "false",
        "LINEWARDEN_ONWARD__CONFIG": str(tmp_path / "output.toml"),
    }
    process = ServiceProcess("linewarden_onward", environment, tmp_path / "log")
    process.start()
    try:
        with Watcher(tansu_broker, line.topic("actuations"), Actuation) as actuations:
            wait_for(lambda: bool(actuations.poll()), "the turnstile's report")
            (act,) = actuations.found
        assert (act.visit_id, act.intended, act.actual) == (said.visit_id, "trusted_pass", "trusted_pass")
        assert (act.output_id, act.epoch, act.sequence) == ("gate1", 1, 1)
        assert process.stop() == 0, process.log.read_text()
    finally:
        process.close()
