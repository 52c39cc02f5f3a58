"""The machine a figure was measured on, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """System, cores, processor and Python."""
    return f"{platform.platform()}, {os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor()
