"""What every rig is: a device or a receiver that can be struck, and what it knows of what must not be lost."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np

from linewarden.demo import line
from linewarden_ingest.cameras.simulation import draw_view, plan_visit
from linewarden_runtime.ports import Closing
from tests.faults.matrix.oracle import Judgement
from tests.faults.plant.bed import Naming, PlantBed

PICTURES = 80
"""More than ingest compares a picture with, so that one that comes again is no repeat."""


class PlantRig(Closing):
    """Strikes on one thing of the plant. Each strike heals what it did, and gives what named the fault.

    Raises:
        NotNamed: from a strike that nothing named.
    """

    camera: Mapping[str, Any]
    """As ingest reads it."""
    output: Mapping[str, str] | None = None
    """Onward's environment, where an output is struck."""
    is_gate = False
    """Whether the line waits for what a gate reports."""
    environment: Mapping[str, str] = MappingProxyType({})
    """Of every process of the line, beside the usual."""

    def settle(self, bed: PlantBed) -> None:
        """Wait until what the plant gave, or is owed, has arrived. Raises NotBack where it does not."""

    def judge(self, bed: PlantBed) -> Judgement:
        """What the plant's side knows better than the topics."""
        return Judgement()

    @abstractmethod
    def kill(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """End it at once."""

    @abstractmethod
    def cut(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Take its connection away."""

    @abstractmethod
    def freeze(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """Let it stand still with its connection open."""

    @abstractmethod
    def restart(self, bed: PlantBed, rng: Random, limit_s: float) -> Naming:
        """End it in order, and start it."""


def drawn(folder: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pictures (N x H x W) of the demo's parts, good and bad, each another one; kept in `folder`."""
    path = folder / "pictures.npy"
    if not path.exists():
        plan = line.demo_plan(1)
        visits = [one for one in (plan_visit(plan, number) for number in range(2 * PICTURES)) if one.previous is None]
        np.save(path, np.stack([draw_view(plan, visit, 0).picture for visit in visits[:PICTURES]]))
    made: np.ndarray[Any, np.dtype[np.uint8]] = np.load(path)
    return made


def png_of(pictures: np.ndarray[Any, np.dtype[np.uint8]], number: int) -> bytes:
    """A picture as PNG whose bytes no other number has."""
    import cv2  # noqa: PLC0415 - nothing heavy before it is needed

    picture = pictures[number % len(pictures)].copy()
    picture[0, :4] = np.frombuffer(number.to_bytes(4, "big"), np.uint8)
    return bytes(cv2.imencode(".png", picture)[1])
