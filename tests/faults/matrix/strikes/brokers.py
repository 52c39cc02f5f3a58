"""Brokers that die: the only one, the leader of a partition, a minority with the coordinator."""

from __future__ import annotations

from random import Random
from typing import Any

from linewarden.demo import line
from linewarden_runtime.errors import RuntimeFault
from linewarden_runtime.kafka.admin import KafkaAdmin
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from tests.faults.matrix.bed import SESSION_MS, Bed, NotShown
from tests.faults.matrix.strikes import Seen
from tests.support.kafka_nodes import Node

_TRANSACTIONS = "__transaction_state"


def only_one(bed: Bed, rng: Random) -> Seen:
    """SIGKILL of the only broker; it comes back a moment later, with what it had."""
    node = bed.nodes[0]
    bed.hold(rng.uniform(0.0, 1.0))
    before = node.process.pid
    node.process.kill()
    away_s = rng.uniform(0.5, 4.0)
    bed.hold(away_s)
    come_back(bed, node)
    return {"pid before": before, "pid after": node.process.pid, "away for s": round(away_s, 1)}


def leader_changes(bed: Bed, rng: Random) -> Seen:
    """SIGKILL of the broker that leads a partition of frames or captures; another one leads it then."""
    topic, partition = line.NAMESPACE.topic(rng.choice(("frames", "captures"))), rng.randrange(line.PARTITIONS)
    bed.until(lambda: _is_replicated(bed), "every replica is in sync")
    before = _partition(bed, topic, partition)
    node = _node(bed, before["leader_id"])
    node.process.kill()
    bed.until(lambda: _partition(bed, topic, partition)["leader_id"] not in {node.number, -1}, "another broker leads")
    after = _partition(bed, topic, partition)
    bed.hold(rng.uniform(0.0, 2.0))
    come_back(bed, node)
    if after["leader_epoch"] <= before["leader_epoch"]:
        raise NotShown(f"{before} became {after}")
    return {"partition": f"{topic}[{partition}]", "before": _led(before), "after": _led(after)}


def minority(bed: Bed, rng: Random) -> Seen:
    """SIGKILL of the broker that coordinates the transactions of one of route's partitions; it is back later."""
    bed.until(lambda: _is_replicated(bed), "every replica is in sync")
    identity = f"{line.NAMESPACE.name}.route-{rng.randrange(line.PARTITIONS)}"
    number = _java_hash(identity) % len(_partitions(bed, _TRANSACTIONS))
    before = _partition(bed, _TRANSACTIONS, number)
    node = _node(bed, before["leader_id"])
    node.process.kill()
    bed.until(lambda: _partition(bed, _TRANSACTIONS, number)["leader_id"] not in {node.number, -1}, "it is taken over")
    after = _partition(bed, _TRANSACTIONS, number)
    bed.hold(rng.uniform(0.0, 3.0))
    come_back(bed, node)
    if after["leader_epoch"] <= before["leader_epoch"]:
        raise NotShown(f"{before} became {after}")
    return {"coordinator of": identity, "before": _led(before), "after": _led(after), "without it": after["isr_nodes"]}


def come_back(bed: Bed, node: Node) -> None:
    """Start a broker that ended, and go on looking after the line meanwhile."""
    node.begin()
    bed.until(node.listens, f"broker {node.number} listens")


def _is_replicated(bed: Bed) -> bool:
    topics = [line.NAMESPACE.topic(name) for name in ("frames", "captures", "route-state", "dispositions")]
    wanted = len(bed.nodes)
    found = [each for topic in (*topics, _TRANSACTIONS) for each in _partitions(bed, topic)]
    return all(len(each["isr_nodes"]) == wanted for each in found)


def _partition(bed: Bed, topic: str, number: int) -> dict[str, Any]:
    return next((one for one in _partitions(bed, topic) if one["partition_index"] == number), _NOBODY)


_NOBODY: dict[str, Any] = {"leader_id": -1, "leader_epoch": -1, "isr_nodes": []}


def _partitions(bed: Bed, topic: str) -> list[dict[str, Any]]:
    """Each partition as some living broker sees it; none while nobody answers."""
    living = [node for node in bed.nodes if node.process.is_running()]
    settings = KafkaSettings(
        bootstrap_servers=",".join(f"127.0.0.1:{node.internal}" for node in living), session_timeout_ms=SESSION_MS
    )
    try:
        with KafkaBroker(settings).admin() as admin:
            assert isinstance(admin, KafkaAdmin)
            found: list[dict[str, Any]] = admin._metadata(topic)["partitions"]
            return found
    except RuntimeFault:
        return []


def _node(bed: Bed, number: int) -> Node:
    return next(node for node in bed.nodes if node.number == number)


def _led(partition: dict[str, Any]) -> str:
    return f"led by {partition['leader_id']} in epoch {partition['leader_epoch']}"


def _java_hash(text: str) -> int:
    """As the broker finds the coordinator of a transactional id: String.hashCode without its sign."""
    found = 0
    for letter in text:
        found = (31 * found + ord(letter)) & 0xFFFFFFFF
    return found & 0x7FFFFFFF
