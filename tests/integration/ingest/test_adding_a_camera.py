"""docs/adding/camera.md, followed: the second distribution is made of the page, installed, tested and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.provision import activation_record, recipe_record
from linewarden_schemas.ids import Namespace
from linewarden_schemas.line import Activation
from linewarden_schemas.recipe import ViewSpec
from tests.support.ingest_line import PNG, Arrived
from tests.unit.ingest.lines import recipe, set_up_line

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adding" / "camera.md"
ADDRESS = "http://127.0.0.1:8080/snapshot.jpg"
PICTURE = PNG + b"a picture"


@pytest.fixture(scope="module")
def page() -> dict[str, str]:
    """The page's files by their names."""
    named_block = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return dict(named_block.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def installed(page: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the page's distribution is installed beside linewarden."""
    source, target = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    for name in ("pyproject.toml", "acme_snapshot.py"):
        (source / name).write_text(page[name])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return os.environ | {"PYTHONPATH": os.pathsep.join((str(target), *filter(None, sys.path)))}


@pytest.fixture
def device() -> Iterator[str]:
    """The address of a camera as the page has it."""

    class Device(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PICTURE)

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Device) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/snapshot.jpg"
        server.shutdown()
        thread.join()


def test_the_tests_of_the_page_pass(page: dict[str, str], installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "test_acme_snapshot.py").write_text(page["test_acme_snapshot.py"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "."]
    ran = subprocess.run(command, env=installed, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout


def test_ingest_takes_the_pictures_of_a_camera_that_another_distribution_brought(
    page: dict[str, str],
    installed: dict[str, str],
    device: str,
    tansu: EmbeddedBroker,
    tansu_broker: KafkaBroker,
    namespace: str,
    tmp_path: Path,
) -> None:
    set_up_line(tansu_broker, Namespace(namespace))
    expect_view_top(tansu_broker, Namespace(namespace))
    assert ADDRESS in page["line.toml"]
    (tmp_path / "line.toml").write_text(page["line.toml"].replace(ADDRESS, device) + "shots = 5\n")
    environment = installed | {
        "LINEWARDEN_NAMESPACE": namespace,
        "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": tansu.bootstrap_servers,
        "LINEWARDEN_INGEST__CONFIG": str(tmp_path / "line.toml"),
        "LINEWARDEN_INGEST__SPOOL__FOLDER": str(tmp_path / "spool"),
    }
    command = [sys.executable, "-m", "linewarden_ingest"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    arrived = Arrived.read(tansu_broker, namespace)
    arrived.require_whole()
    assert [(one.camera_id, one.view_id, one.lost) for one in arrived.captures] == [("cam0", "top", None)] * 5
    assert [frame.picture for frame in arrived.frames] == [PICTURE] * 5


def expect_view_top(broker: KafkaBroker, namespace: Namespace) -> None:
    """Let a recipe with the page's view be in force."""
    made = recipe(version=2).model_copy(update={"views": (ViewSpec(view_id="top", camera_id="cam0"),)})
    activation = Activation(line_id="line1", recipe=made.ref(), from_ms=1, actor="test")
    with broker.producer() as producer:
        producer.send(recipe_record(namespace, made, "/test"))
        producer.send(activation_record(namespace, activation, "/test"))
        producer.flush(10.0)
