"""The audit report as one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linewarden_history.reports.rendering import render

from .conserving import COUNTS, FAULTS


def page(document: Mapping[str, Any]) -> str:
    """The page; the same document gives the same page, byte for byte."""
    return render("audit.html.j2", document, counts_of=COUNTS, faults=FAULTS)
