"""Processes of the line, killed and frozen."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random
from typing import Any

from linewarden.demo import line
from linewarden.demo.running import Service
from linewarden_runtime.kafka.admin import KafkaAdmin
from tests.faults.matrix.bed import Bed, NotShown
from tests.faults.matrix.strikes import Seen, Strike

_FROZEN = "T"
_KILLED = -signal.SIGKILL


def kill(*names: str) -> Strike:
    """SIGKILL of services at once, at a random moment: alone, or with all of their children."""

    def strike(bed: Bed, rng: Random) -> Seen:
        bed.hold(rng.uniform(0.0, 1.0))
        bed.until(lambda: all(bed.services[name].exit_code() is None for name in names), "all of them run")
        with_children = rng.random() < 0.5
        before = {name: _pid(bed.services[name]) for name in names}
        for pid in before.values():
            if with_children:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
        codes = {name: _waited(bed.services[name]) for name in names}
        if set(codes.values()) != {_KILLED}:
            raise NotShown(f"ended otherwise: {codes}")
        bed.until(lambda: all(_runs_anew(bed.services[name], before[name]) for name in names), "it runs again")
        return {"killed": sorted(before), "with children": with_children}

    return strike


def freeze(name: str, seconds: float) -> Strike:
    """SIGSTOP of one of two members for longer than its session; the other must take over what it held."""

    def strike(bed: Bed, rng: Random) -> Seen:
        bed.until(lambda: len(_held(bed, name)) == 2, f"both members of {name} hold partitions")
        victim = rng.choice((name, f"{name}.1"))
        other = f"{name}.1" if victim == name else name
        service = bed.services[victim]
        pid = _pid(service)
        before = _held(bed, name)
        service.pause()
        try:
            bed.hold(seconds)
            state, after = _state(pid), _held(bed, name)
        finally:
            service.resume()
        if state != _FROZEN or len(after) != 1:
            raise NotShown(f"state {state}, partitions {before} became {after}")
        return {"frozen": victim, "seconds": seconds, "partitions before": before, "while": after, "by": other}

    return strike


def _held(bed: Bed, name: str) -> dict[str, int]:
    """How many partitions each member of a service's group holds, without those that hold none."""
    with bed.broker.admin() as admin:
        assert isinstance(admin, KafkaAdmin)
        group = line.NAMESPACE.group(name)
        found: dict[str, Any] = admin._client.describe_groups([group])[group]
    held = {
        str(member["group_instance_id"] or member["member_id"]): sum(
            len(topic["partitions"]) for topic in (member["member_assignment"] or {}).get("assigned_partitions", ())
        )
        for member in found["members"]
    }
    return {member: count for member, count in held.items() if count}


def _pid(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def _waited(service: Service) -> int:
    assert service.process is not None
    return service.process.wait(10)


def _runs_anew(service: Service, before: int) -> bool:
    return service.exit_code() is None and _pid(service) != before and service.is_ready()


def _state(pid: int) -> str:
    """The letter by which the kernel tells what a process does."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
