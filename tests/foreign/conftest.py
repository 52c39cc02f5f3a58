"""Tools of other languages, installed once into `build/foreign`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Where the packages of package.json lie."""
    place = ROOT / "build" / "foreign"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("package.json"), place)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], cwd=place, check=True
    )
    return place
