"""A rolling restart, with two versions of the software side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

from linewarden.demo.running import Service
from tests.faults.matrix.bed import Bed, NotShown
from tests.faults.matrix.strikes import Seen

ROOT = Path(__file__).resolve().parents[4]
BEFORE = "bedcc95"
"""The commit that runs beside the present one. Those before b76e24c cannot be gone back to: their ingest ends at
what the present one has spooled, a hole that was closed since."""
_AT_ONCE = 2


def why_not() -> str | None:
    """Why the version before cannot be had; None where it can."""
    found = subprocess.run(["git", "cat-file", "-e", BEFORE], cwd=ROOT, capture_output=True, check=False)
    return f"commit {BEFORE} is not in this checkout: git fetch --unshallow" if found.returncode else None


def rolling(bed: Bed, rng: Random) -> Seen:
    """Some services are stopped in good order, one after the other, and started in the other version."""
    trees = {"before": _tree_before(bed.folder), "now": ROOT}
    moved = _moves({name: _version(service, trees) for name, service in bed.services.items()}, rng)
    for name, to in moved.items():
        service = bed.services[name]
        service.stop()
        service.env = {**service.env, "PYTHONPATH": _path(trees[to])}
        service.start()
        bed.until(service.is_ready, f"{name} is ready in the version {to}")
    versions = _line_of({name: _version(service, trees) for name, service in bed.services.items()})
    wrong = [name for name, to in moved.items() if versions[name] != to]
    if wrong or len(set(versions.values())) < 2:
        raise NotShown(f"side by side: {versions}; moved {moved}")
    return {"moved": moved, "side by side": versions}


def _moves(versions: dict[str, str], rng: Random) -> dict[str, str]:
    """Which services change to which version, in which order; both versions run after it."""
    while True:
        chosen = rng.sample(sorted(_line_of(versions)), _AT_ONCE)
        moves = {name: "now" if versions[name] == "before" else "before" for name in chosen}
        if len(set(_line_of(versions | moves).values())) > 1:
            return moves


def _line_of(versions: dict[str, str]) -> dict[str, str]:
    """Without the person, who is none of the line's software."""
    return {name: version for name, version in versions.items() if name != "person"}


def _tree_before(folder: Path) -> Path:
    tree = folder / "before"
    if not tree.exists():
        tree.mkdir()
        packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(tree)], input=packed, check=True)
    return tree


def _path(tree: Path) -> str:
    return f"{tree / 'schemas'}:{tree / 'services'}"


def _version(service: Service, trees: dict[str, Path]) -> str:
    """Which version a running process was started with, by its environment."""
    assert service.process is not None
    environment = Path(f"/proc/{service.process.pid}/environ").read_bytes().split(b"\0")
    told = next((one.decode() for one in environment if one.startswith(b"PYTHONPATH=")), "")
    return "before" if told == f"PYTHONPATH={_path(trees['before'])}" else "now"
