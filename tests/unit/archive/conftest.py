"""Fixtures of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bundles import bundle_store
from tests.unit.archive.kept import Line

__all__ = ["bundle_store"]


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "archive")
