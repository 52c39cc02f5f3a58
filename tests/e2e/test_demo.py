"""`linewarden demo` as a new user runs it, from an installed wheel, away from the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {
    "visits", "frames", "trusted_pass", "rejected", "diverted", "diverted_by_cause", "not_decidable", "dead_letters",
    "in_flight", "waiting", "balance", "findings", "latency_ms", "frames_per_s", "model_only_frames_per_s",
    "seconds_to_first_routing", "truth",
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents alone; its dependencies are those of this environment."""
    wheels, packages = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
    subprocess.run(pip, check=True)
    (wheel,) = wheels.glob("linewarden-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return packages


def demo(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "linewarden", "demo", "--headless", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def logs(folder: Path) -> str:
    """The end of each service's log."""
    ends = (f"\n{log.name}:\n{log.read_text(errors='replace')[-4000:]}" for log in sorted(folder.glob("*.log")))
    return "".join(ends)


def test_it_stops_by_itself_and_its_balance_closes(installed: Path, tmp_path: Path) -> None:
    done = demo(installed, tmp_path, "--parts", "40", "--rate", "3", "--work", "work")
    assert done.returncode == 0, done.stdout + done.stderr + logs(tmp_path / "work")
    summary = json.loads((tmp_path / "demo-summary.json").read_text())
    assert summary.keys() == KEYS
    assert summary["visits"] == 40
    assert summary["balance"]["closes"] is True
    assert summary["trusted_pass"] + summary["rejected"] + summary["diverted"] == 40
    assert summary["waiting"] >= summary["diverted"] > 0
    assert summary["truth"]["defective"] > 0
    assert "End of the shift" in done.stdout
    assert "station: http://127.0.0.1:" in done.stderr


def test_a_folder_of_pictures_takes_the_place_of_the_simulation(installed: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    script = (
        "import cv2; from linewarden_vision.synthetic.demo import demo_part\n"
        "for n in range(4): cv2.imwrite(f'pictures/{n}.png', demo_part(n).views[0].picture)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    done = demo(installed, tmp_path, "--source", str(pictures))
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "demo-summary.json").read_text())
    assert (summary["visits"], summary["frames"], summary["truth"]) == (4, 4, None)


def test_a_source_that_is_no_folder_is_named(installed: Path, tmp_path: Path) -> None:
    done = demo(installed, tmp_path, "--source", str(tmp_path / "nowhere"))
    assert done.returncode == 78
    assert "nowhere is not a folder of pictures" in done.stderr
