"""A small share of `make fuzz`, always the same inputs."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.fuzz.__main__ import run
from tests.fuzz.targets import every

SMALL = {"frames": 150, "pictures": 60, "messages": 150, "recipes": 100, "sheets": 200, "coco": 60, "requests": 12}


def test_nothing_from_outside_crashes_passes_or_is_another_than_it_was(tmp_path: Path) -> None:
    counts: dict[str, Counter[str]] = {}
    with ExitStack() as stack:
        for name, target in every(stack, tmp_path):
            counts[name] = run(name, target, 0, SMALL[name])
    assert {name: sum(found.values()) for name, found in counts.items()} == SMALL
    assert all(found["refused"] for found in counts.values())
