"""Disks that are full, and a power cut after which only what was synced is there."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

from tests.faults.matrix.bed import DISK, Bed, NotShown
from tests.faults.matrix.strikes import Seen
from tests.faults.matrix.strikes.brokers import come_back

_HELD = "the disk refuses"


def spool_full(bed: Bed, rng: Random) -> Seen:
    """The disk of the spool has no room for some seconds; the cameras hold, and go on by themselves."""
    volume = bed.volumes["spool"]
    log = bed.services["ingest"].log
    begin, taken = log.stat().st_size, 0
    for _ in range(round(rng.uniform(20, 40))):
        taken += volume.fill()
        bed.look()
    volume.free()
    held = log.read_bytes()[begin:].decode(errors="replace").count(_HELD)
    if not held:
        raise NotShown(f"{taken} bytes were taken, and no camera held")
    return {"bytes taken": taken, "lines of the log that tell of it": held}


def broker_full(bed: Bed, rng: Random) -> Seen:
    """The disk of the broker is full: it stops. Room is given a moment later, and it is started again."""
    volume, node = bed.volumes["broker"], bed.nodes[0]
    taken = 0

    def stopped() -> bool:
        nonlocal taken
        taken += volume.fill()
        return not node.process.is_running()

    try:
        bed.until(stopped, "the broker stops on a full disk", 60.0)
        bed.hold(rng.uniform(0.5, 3.0))
    finally:
        volume.free()
    node.process.kill()
    come_back(bed, node)
    return {"bytes taken": taken, "stopped by itself": True}


def power_cut(bed: Bed, rng: Random) -> Seen:
    """Power fails under ingest, broker and Redis: what they did not sync is gone, and they start on what is left."""
    volume, node, ingest = bed.volumes[DISK], bed.nodes[0], bed.services["ingest"]
    bed.hold(rng.uniform(0.0, 1.0))
    synced, unsynced = volume.folder / "synced", volume.folder / "unsynced"
    _write(synced, sync=True)
    _write(unsynced, sync=False)
    assert ingest.process is not None
    os.killpg(ingest.process.pid, signal.SIGKILL)
    node.process.kill()
    bed.redis.process.kill()
    ingest.process.wait(10)
    volume.cut()
    left = {"synced": synced.exists(), "not synced": unsynced.exists() and bool(unsynced.read_bytes())}
    bed.redis.start()
    come_back(bed, node)
    if left != {"synced": True, "not synced": False}:
        raise NotShown(f"files after the cut: {left}")
    synced.unlink()
    unsynced.unlink(missing_ok=True)
    return {"there after the cut": left}


def _write(path: Path, *, sync: bool) -> None:
    with path.open("wb") as file:
        file.write(b"x" * 4096)
        file.flush()
        if sync:
            os.fsync(file.fileno())
