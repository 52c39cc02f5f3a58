"""Fixtures of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kept import Line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "archive")
