"""One history: a plan happens, the faults end, the line comes to rest, and everything is looked at."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.checks import at_rest, in_the_end, when_all_is_forgotten
from tests.simulation.faults import heal, inject, take_tombstones
from tests.simulation.line import Line
from tests.simulation.plan import PROCESSES, Plan
from tests.simulation.world import Stuck, World

_END_S = 240.0
_SHORT_REST_S = 14.0
_FORGOTTEN_S = 150.0
"""More than the spool's horizon, and than the time that evidence is kept; what went then is old enough to be taken."""


@dataclass(slots=True)
class Outcome:
    """What came of a history. It holds where `wrong` is empty."""

    plan: Plan
    digest: str
    steps: Counter[str]
    faults: Counter[str]
    turns: int
    wrong: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def happen(plan: Plan, *, keeps_log: bool = False) -> Outcome:
    """Let a plan happen, and say what is wrong afterwards, one sentence each."""
    random.seed(plan.seed)  # the jitter of whoever was given none
    world = World(plan.seed)
    if keeps_log:
        world.log = []
    wrong: list[str] = []
    line = Line(world, plan)
    for fault in plan.faults:
        world.at(fault.at_s, lambda fault=fault: inject(line, fault))  # type: ignore[misc]
    try:
        world.run(plan.active_s)
        wrong += _come_to_rest(line)
    except Stuck as stuck:
        wrong.append(str(stuck))
    wrong += line.unforeseen
    for process in list(world.processes.values()):
        process.kill()
    counted = Counter({kind: world.counts[kind] for kind in ("record", "timer", "act", "fault")})
    return Outcome(plan, world.digest, counted, world.faults, world.turns, wrong, world.log or [])


def _come_to_rest(line: Line) -> list[str]:
    """First without people, so that everything that is asked for lies open; then they judge all of it."""
    world = line.world
    heal(line)
    world.run(world.now + 6.0)  # whoever fell last is up again
    line.are_people_away = line.is_draining = True
    world.run(world.now + (_SHORT_REST_S if line.plan.is_short else 30.0))
    wrong = at_rest(line)
    line.are_people_away = False
    is_over = world.run(world.now + _END_S, done=line.is_over)
    world.run(world.now + 8.0)
    if not is_over:
        wrong.append("the line does not come to its end: " + ", ".join(line.unfinished()))
    wrong += in_the_end(line)
    return wrong + _go_on(line) if line.plan.goes_on and not wrong else wrong


def _go_on(line: Line) -> list[str]:
    """Until the spool's horizon and the evidence's time are over, compaction takes what it may, and all start anew."""
    world = line.world
    world.run(world.now + _FORGOTTEN_S)
    take_tombstones(line)
    for name in PROCESSES:
        line.kill(name, restart_after_s=0.5)
    world.run(world.now + 8.0)
    return when_all_is_forgotten(line)
