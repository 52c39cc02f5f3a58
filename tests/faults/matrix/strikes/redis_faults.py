"""Redis without room, and Redis that is an older copy of itself."""

from __future__ import annotations

import shutil
from random import Random

import redis

from tests.faults.matrix.bed import Bed, NotShown
from tests.faults.matrix.strikes import Seen

_MARK = "matrix:mark"


def no_room(bed: Bed, rng: Random) -> Seen:
    """Redis refuses to write, for memory or because the disk of its log is full, by turns; then there is room."""
    return _memory_full(bed, rng) if rng.random() < 0.5 else _disk_full(bed, rng)


def old_copy(bed: Bed, rng: Random) -> Seen:
    """Redis dies, and what comes back is a copy of some seconds before."""
    copy = bed.folder / "old-redis"
    shutil.rmtree(copy, ignore_errors=True)
    with bed.redis.client() as client:
        client.incr(_MARK)
        shutil.copytree(bed.redis.folder, copy)
        before = int(client.incr(_MARK))
    slots = len(bed.flow.open_slots)
    bed.until(lambda: len(bed.flow.open_slots) > slots, "somebody is asked about a part")
    bed.hold(rng.uniform(0.5, 2.0))
    bed.redis.process.kill()
    shutil.rmtree(bed.redis.folder)
    shutil.copytree(copy, bed.redis.folder)
    bed.redis.start()
    with bed.redis.client() as client:
        after = int(client.get(_MARK) or 0)
    if after >= before:
        raise NotShown(f"the mark is {after}, not older than {before}")
    return {"mark before": before, "mark after": after, "slots opened meanwhile": len(bed.flow.open_slots) - slots}


def _memory_full(bed: Bed, rng: Random) -> Seen:
    with bed.redis.client() as client:
        client.config_set("maxmemory", 1)
        try:
            bed.hold(rng.uniform(2.0, 4.0))
            refused = _refusal(client)
        finally:
            client.config_set("maxmemory", 0)
    if refused is None or "maxmemory" not in refused:
        raise NotShown(f"Redis answered {refused}")
    return {"by": "memory", "refused": refused}


def _disk_full(bed: Bed, rng: Random) -> Seen:
    volume = bed.volumes["redis"]
    taken = volume.fill()
    try:
        with bed.redis.client() as client:
            refused = _refusal(client)
        bed.hold(rng.uniform(2.0, 4.0))
        stopped = not bed.redis.process.is_running()
    finally:
        volume.free()
    if stopped:
        _start(bed)
    if refused is None and not stopped:
        raise NotShown(f"{taken} bytes were taken, and Redis wrote all the same")
    return {"by": "disk", "bytes taken": taken, "refused": refused, "stopped by itself": stopped}


def _start(bed: Bed) -> None:
    bed.redis.process.kill()
    bed.redis.start()


def _refusal(client: redis.Redis) -> str | None:
    """What Redis says to a write of 64 KiB; None where it takes it."""
    try:
        client.set("matrix:try", "x" * (1 << 16))
    except (redis.ResponseError, redis.ConnectionError, redis.TimeoutError) as error:
        return f"{type(error).__name__}: {error}"[:120]
    return None
