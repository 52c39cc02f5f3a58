"""Faults, each done to a line at its time."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

from linewarden_runtime.records import Position
from tests.simulation.line import NAMESPACE, SPOOL_CAPACITY, Line, make_recipe
from tests.simulation.plan import CLOCKS, COMPACTED, LINE_STATES, ORDERED, PROCESSES, TAKEN_SO, FaultAt
from tests.simulation.world import Process

_CAMERAS = ("camera-top", "camera-side")
_GROUPS = ("inspect", "route", "keeper", "keeper-forget")
FRAMES_KEPT_S = 30.0
KEPT_S = 15.0
TOMBSTONES_KEPT_S = 10.0
READERS = {
    "frames": ("inspect",),
    "captures": ("route",),
    "inspections": ("route", "keeper"),
    "decisions": ("route",),
    "dispositions": ("keeper", "keeper-forget"),
    "dead-letters": (),
    "queue-events": (),
}
"""Groups that read a topic."""


def inject(line: Line, fault: FaultAt) -> None:
    """Do it, or order it for the next call that it can meet."""
    chance = random.Random(f"fault {fault.salt}")
    if fault.kind in ORDERED:
        line.orders[chance.choice(ORDERED[fault.kind])].append(fault.kind)
        return
    if fault.kind in TAKEN_SO:
        line.orders[chance.choice(_CAMERAS)].append(fault.kind)
        return
    if fault.kind.startswith("compaction of "):
        _compact(line, fault.kind.removeprefix("compaction of "), chance)
    elif fault.kind.startswith("deletion of "):
        _delete(line, fault.kind.removeprefix("deletion of "))
    else:
        _ACTS[fault.kind](line, chance)
    line.world.count_fault(fault.kind)
    line.world.changed()


def heal(line: Line) -> None:
    """No more faults: everything is reachable, has room, shows the right time and is of this version or a newer."""
    world = line.world
    line.redis_away_until = 0.0
    for orders in line.orders.values():
        orders.clear()
    for name, process in list(world.processes.items()):
        process.frozen_until = process.cut_until = 0.0
        if "~" in name:
            process.kill()
            del world.processes[name]
    for name in sorted(line.older):  # what an old version left is taken over by the present one
        line.kill(name, restart_after_s=0.2)
    line.older.clear()
    for clock in line.clocks.values():
        clock.step(-clock.error_s)
        clock.rate = 1.0
    for files in line.files.values():
        files.capacity_bytes, files.short_writes = SPOOL_CAPACITY * 4, 0.0
        files.heal()
        files.die_at = None
    world.changed()


def _process(line: Line, chance: random.Random, names: tuple[str, ...] = PROCESSES) -> Process:
    return line.world.processes[chance.choice(names)]


def _crash(line: Line, chance: random.Random) -> None:
    line.kill(_process(line, chance).name, restart_after_s=0.2 + chance.random() * 4.0)


def _freeze(line: Line, chance: random.Random) -> None:
    _process(line, chance).frozen_until = line.world.now + chance.random() * 9.0


def _cut_off(line: Line, chance: random.Random) -> None:
    _process(line, chance).cut_until = line.world.now + chance.random() * 9.0


def _take_over(line: Line, chance: random.Random) -> None:
    """A second process of the same name starts while the first stands still, which then goes on."""
    name = chance.choice(("inspect", "route-0", "route-1", "keeper", "projector"))
    line.world.processes[name].frozen_until = line.world.now + chance.random() * 4.0
    line.start(name, beside=True)


def _new_version(line: Line, chance: random.Random) -> None:
    name = _process(line, chance).name
    line.newer ^= {name}
    line.kill(name, restart_after_s=0.5)


def _old_version(line: Line, chance: random.Random) -> None:
    """A process goes back to the version that named no recipe's digest, or comes from it."""
    name = _process(line, chance, ("camera-top", "camera-side", "inspect", "route-0", "route-1", "keeper")).name
    line.older ^= {name}
    line.kill(name, restart_after_s=0.5)


def _restart_ingest(line: Line, chance: random.Random) -> None:
    line.kill(chance.choice(_CAMERAS), restart_after_s=0.2 + chance.random() * 3.0)


def _crash_in_disk_work(line: Line, chance: random.Random) -> None:
    files = line.files[chance.choice(_CAMERAS)]
    files.die_at = files.steps + chance.randrange(1, 12)


def _power_cut(line: Line, chance: random.Random) -> None:
    name = chance.choice(_CAMERAS)
    if name in line.spools:
        epoch, durable = line.spools[name].epoch, line.spools[name].durable_next
        line.at_risk |= {key for key in line.numbers if key[:2] == (name, epoch) and key[2] >= durable}
    line.kill(name, restart_after_s=1.0 + chance.random() * 4.0)
    line.files[name].cut_power()


def _full_disk(line: Line, chance: random.Random) -> None:
    files = line.files[chance.choice(_CAMERAS)]
    files.capacity_bytes = files.used_bytes
    line.world.after(1.0 + chance.random() * 5.0, lambda: setattr(files, "capacity_bytes", SPOOL_CAPACITY * 4))


def _short_writes(line: Line, chance: random.Random) -> None:
    files = line.files[chance.choice(_CAMERAS)]
    files.short_writes = 0.5
    line.world.after(1.0 + chance.random() * 5.0, lambda: setattr(files, "short_writes", 0.0))


def _sync_fails(line: Line, chance: random.Random) -> None:
    line.files[chance.choice(_CAMERAS)].fail("sync", errno.EIO)


def _evict(line: Line, chance: random.Random) -> None:
    group = NAMESPACE.group(chance.choice(_GROUPS))
    members = sorted({m.instance or "" for m in line.broker.group(group).members.values()})
    if members:
        line.broker.evict(group, chance.choice(members))


def _rebalance(line: Line, chance: random.Random) -> None:
    line.broker.group(NAMESPACE.group(chance.choice(_GROUPS))).rebalance(line.broker.counts())


def _compact(line: Line, topic: str, chance: random.Random) -> None:
    name = NAMESPACE.topic(topic)
    for number in range(line.broker.count(name)):
        log = line.broker.log(Position(name, number))
        log.compact(log.start + chance.randrange(log.end - log.start + 1))


def _delete(line: Line, topic: str) -> None:
    """Retention takes what is older than it, and of that only what its groups have committed.

    Real retention is hours, longer than any of them is behind; here one transaction after the other can fail for longer
    than all of it, and a group that is overtaken ends until somebody sets its offset by hand. The keeper reads frames
    without a group, and may be overtaken.
    """
    for number in range(line.broker.count(NAMESPACE.topic(topic))):
        position = Position(NAMESPACE.topic(topic), number)
        groups = (line.broker.group(NAMESPACE.group(name)) for name in READERS[topic])
        until = line.broker.oldest_since(position, FRAMES_KEPT_S if topic == "frames" else KEPT_S)
        read = [group.offsets.get(position, 0) for group in groups]
        if "route" in READERS[topic]:  # after a torn transaction it reads again what was committed
            lane = line.lanes().get(number)
            read.append(0 if lane is None else min(lane._wanted.get(position, 0), lane.wanted.get(position, 0)))
        line.broker.log(position).delete_before(min([until, *read]))


def take_tombstones(line: Line) -> None:
    """Every compacted topic is compacted to its end, and tombstones that every reader had time to see go too."""
    for topic in COMPACTED:
        for number in range(line.broker.count(NAMESPACE.topic(topic))):
            position = Position(NAMESPACE.topic(topic), number)
            log, until = line.broker.log(position), line.broker.oldest_since(position, TOMBSTONES_KEPT_S)
            if any(one.value is None and one.offset < until for one in log.read(log.start, log.end)[0]):
                line.world.count_fault("tombstones taken")
            log.compact(until, drops_tombstones=True)
    line.world.changed()


def _step_clock(line: Line, chance: random.Random) -> None:
    sizes = (0.3, 1.0, 3.0, 30.0, 3_600.0, 2 * 86_400.0, 30 * 86_400.0)
    line.clocks[chance.choice(CLOCKS[:-1])].step(chance.choice(sizes) * chance.choice((-1, 1)))


def _clock_error(line: Line, chance: random.Random) -> None:
    """A constant error that is small enough to be believed, or a clock that goes wrong by 100 ppm."""
    line.clocks[chance.choice(CLOCKS)].step(chance.uniform(-0.5, 0.5))


def _step_brokers_clock(line: Line, chance: random.Random) -> None:
    line.clocks["broker"].step(chance.choice((0.3, 1.0, 5.0)) * chance.choice((-1, 1)))


def _lose_key(line: Line, chance: random.Random) -> None:
    keys = sorted(line.redis.keys)
    if keys:
        line.redis.lose(chance.choice(keys))


def _lose_redis(line: Line, _chance: random.Random) -> None:
    line.redis.restore(({}, {}))


def _roll_redis_back(line: Line, chance: random.Random) -> None:
    """An older copy takes over a little later."""
    state = line.redis.copy()

    def fail_over() -> None:
        line.redis.restore(state)
        line.world.note("redis fails over")

    line.world.after(chance.random() * 8.0, fail_over)


def _redis_away(line: Line, chance: random.Random) -> None:
    line.redis_away_until = line.world.now + chance.random() * 6.0


def _new_recipe(line: Line, _chance: random.Random) -> None:
    line.activate(max(line.recipes) + 1)


def _two_contents(line: Line, chance: random.Random) -> None:
    version = chance.choice(sorted(line.recipes))
    line.doubted.add(version)
    line.publish(make_recipe(line.plan, version, note=f"another hand {chance.random()}"))


def _not_in_production(kind: str) -> Callable[[Line, random.Random], None]:
    def act(line: Line, chance: random.Random) -> None:
        line.tell_against(kind, 1)
        line.world.after(0.5 + chance.random() * 9.0, lambda: line.tell_against(kind, -1))

    return act


_ACTS: dict[str, Callable[[Line, random.Random], None]] = {
    "crash": _crash,
    "freeze": _freeze,
    "cut off": _cut_off,
    "take-over": _take_over,
    "new version": _new_version,
    "old version": _old_version,
    "restart of ingest": _restart_ingest,
    "crash in disk work": _crash_in_disk_work,
    "power cut": _power_cut,
    "full disk": _full_disk,
    "short writes": _short_writes,
    "sync fails": _sync_fails,
    "eviction": _evict,
    "rebalance": _rebalance,
    "clock step": _step_clock,
    "clock error": _clock_error,
    "broker's clock step": _step_brokers_clock,
    "loss of a redis key": _lose_key,
    "loss of redis": _lose_redis,
    "redis rolled back": _roll_redis_back,
    "redis away": _redis_away,
    "new recipe": _new_recipe,
    "two contents of a recipe": _two_contents,
    **{kind: _not_in_production(kind) for kind in LINE_STATES},
}
