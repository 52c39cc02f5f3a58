"""The drawing of a soak."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from tests.faults.matrix.plot import drawing

SVG = "{http://www.w3.org/2000/svg}"
HEAD = {"parts per s": 4.0, "machine": "a <machine>", "commit": "abc"}


def sample(at_s: float, fault: str = "", p50_ms: int | None = 200) -> dict[str, Any]:
    return {
        "s": at_s, "arrived": int(4 * at_s), "routed": int(4 * at_s), "diverted": 2, "unsettled": 3,
        "p50_ms": p50_ms, "p99_ms": p50_ms, "restarts": 0, "fault": fault,
    }  # fmt: skip


def test_each_fault_is_a_band_with_its_name_and_each_figure_a_line() -> None:
    taken = [sample(5), sample(10, "kill-route"), sample(15, "kill-route", None), sample(20), sample(25, "tcp-reset")]
    root = ET.fromstring(drawing(HEAD, taken))
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert [word for word in words if word in {"kill-route", "tcp-reset"}] == ["kill-route", "tcp-reset"]
    assert "4.0 parts/s, 80 % of capacity; a <machine>; abc" in words
    lines = [line.get("points", "").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [4, 4, 4, 5, 4, 4]
    assert all(0 <= float(number) <= 960 for line in lines for point in line for number in point.split(","))


def test_a_soak_that_ended_at_once_is_drawn_empty() -> None:
    assert ET.fromstring(drawing(HEAD, [])).tag == f"{SVG}svg"
