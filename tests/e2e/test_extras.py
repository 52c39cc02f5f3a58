"""What reads the log installs without the network library, and its commands run there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linewarden_runtime.embedded import EmbeddedBroker
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.partitions import partition_of
from linewarden_runtime.records import OutRecord
from linewarden_schemas.envelope import encode
from linewarden_schemas.ids import Namespace
from tests.support.shift import AT, passed, recipe
from tests.support.topics import provisioned, publish

ROOT = Path(__file__).parents[2]
PARTITIONS = 2
TOPICS = {"Capture": "captures", "Inspection": "inspections", "Disposition": "dispositions", "Recipe": "recipes"}
BEFORE = ("--from", "2020-01-01", "--to", "2100-01-01")
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "history": (
        ("select", *BEFORE, "--json"),
        ("report", "shift", *BEFORE, "--page", "shift.html", "--csv", "shift.csv"),
        ("escape", "list"),
        ("export", *BEFORE, "--out", "set"),
    ),
    "audit": (
        ("audit", "key", "--out", "key"),
        ("audit", "periods"),
        ("audit", "verify"),
        ("audit", "report", *BEFORE, "--page", "audit.html"),
    ),
    "archive": (("archive", "write", "kept"), ("archive", "list", "kept"), ("archive", "verify", "kept")),
}
SAYS_NO = {("export", *BEFORE, "--out", "set"), ("audit", "report", *BEFORE, "--page", "audit.html")}
"""Exit 1, as they should: nobody decided anything, and passes of another year came after their deadline."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def two_passes(broker: KafkaBroker, line: Namespace) -> None:
    """Two visits that passed just now: what no notary has covered for a minute is a finding."""
    provisioned(broker, line, PARTITIONS)
    records = []
    for message in (recipe(), *passed(0), *passed(1)):
        sent = encode(message, id="x", source="/test", time_ms=AT)
        key = str(getattr(message, "visit_id", "bracket@1"))
        topic = line.topic(TOPICS[type(message).__name__])
        at = partition_of(key, PARTITIONS) if hasattr(message, "visit_id") else None
        records.append(OutRecord(topic, key.encode(), sent.value, sent.headers, at))
    publish(broker, *records)


@pytest.mark.parametrize("extra", COMMANDS)
def test_an_extra_that_reads_the_log_brings_no_network_library_and_its_commands_run(
    extra: str, tansu: EmbeddedBroker, tansu_broker: KafkaBroker, namespace: str, tmp_path: Path
) -> None:
    home, line = tmp_path / "venv", Namespace(namespace)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "pip"), "install", "-q", "-c", "constraints.txt", f"{ROOT}[{extra}]"]
    subprocess.run(pip, cwd=ROOT, check=True)
    told = subprocess.run([home / "bin" / "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "timm", "onnx"} & {line.split()[0] for line in told.splitlines()}
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    env |= {"LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": tansu.bootstrap_servers, "LINEWARDEN_NAMESPACE": line.name}
    two_passes(tansu_broker, line)
    for words in COMMANDS[extra]:
        command = [str(home / "bin" / "linewarden"), *words]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == int(words in SAYS_NO), (words, done.stdout, done.stderr)
        assert "is missing" not in done.stderr
        assert "Traceback" not in done.stderr
