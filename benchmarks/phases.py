"""Where a running service spends its time, by phase: stacks sampled by py-spy, each counted for one phase."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_RATE_HZ = 50
_PATIENCE_S = 20.0

INSPECT = (
    ("network and trust", ("score_batch",)),
    ("decoding pictures, but for the children", ("Decoders.decode",)),
    ("checks, preparing", ("make_ready", "read_frame")),
    ("maps as PNG", ("picture_maps",)),
    ("answers, JSON", ("decided", "not_decidable", "Writer.inspection", "InspectStage._answer")),
    ("transactions", ("KafkaTransactionalProducer.transact", "Sender.run")),
    ("fetching", ("KafkaReader.poll", "NetworkSelector.run_forever")),
    ("waiting, turning", ("TransactionalLoop.step",)),
)
"""Phases of inspect, each with functions that only it calls; the first that is on a stack counts."""

Phases = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(slots=True)
class Profile:
    """Samples by phase, filled when the block that took them is left."""

    phases: Counter[str] = field(default_factory=Counter)

    def lines(self, ms_a_frame: float) -> Iterator[str]:
        """The process's time a frame, dealt out over the phases by their samples."""
        total = sum(self.phases.values())
        for phase, samples in self.phases.most_common():
            yield f"{samples / total * ms_a_frame:8.2f} ms a frame in {phase}"


@contextmanager
def sampled(pid: int, folder: Path, phases: Phases = INSPECT) -> Iterator[Profile]:
    """Sample a process without stopping it; without py-spy the profile stays empty."""
    profile, raw = Profile(), folder / f"{pid}.stacks"
    sampler = _py_spy()
    if sampler is None:
        yield profile
        return
    command = [sampler, "record", "--nonblocking", "-r", str(_RATE_HZ), "-f", "raw", "-o", str(raw), "-p", str(pid)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield profile
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE_S)
    if raw.exists():
        profile.phases.update(_count(raw.read_text(encoding="utf-8"), phases))


def _py_spy() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _count(raw: str, phases: Phases) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, samples = line.rpartition(" ")
        functions = {frame.partition(" (")[0] for frame in stack.split(";")}
        counted[_phase(functions, phases)] += int(samples)
    return counted


def _phase(functions: set[str], phases: Phases) -> str:
    for phase, names in phases:
        if not functions.isdisjoint(names):
            return phase
    return "everything else"
