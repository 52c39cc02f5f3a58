"""The GenTL producer that PyPI's genicam brings: it draws three cameras with a ball that moves."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def simulated_producer() -> Path:
    """Its file, of the package that is installed."""
    found = importlib.util.find_spec("genicam")
    assert found is not None, "pip install 'linewarden[gentl]'"
    assert found.origin is not None
    return Path(found.origin).with_name("viky.cti")
