"""What a process said of itself is gone with it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_SCRIPT = """
from linewarden_ingest.metrics import SPOOL_SHARE
from linewarden_runtime.metrics import UNACKED_AGE_SECONDS, UNACKED_BYTES
UNACKED_BYTES.labels(sender="cam0").set(5)
UNACKED_AGE_SECONDS.labels(sender="cam0").set(7)
SPOOL_SHARE.labels(camera="cam0").set(0.5)
"""


def scraped(folder: Path) -> str:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry).decode()


def test_gauges_of_a_dead_camera_process_are_told_no_more(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", _SCRIPT], env=environment)
    assert child.wait() == 0
    assert scraped(tmp_path).count("cam0") == 3
    mark_process_dead(child.pid, str(tmp_path))  # type: ignore[no-untyped-call]
    assert "cam0" not in scraped(tmp_path)


@pytest.mark.parametrize("package", ["runtime", "ingest"])
def test_every_gauge_that_a_camera_process_can_set_is_told_by_living_processes_alone(package: str) -> None:
    declared = vars(import_module(f"linewarden_{package}.metrics")).values()
    gauges = [one for one in declared if isinstance(one, Gauge)]
    assert gauges
    assert all(one._multiprocess_mode.startswith("live") for one in gauges)
