"""One history: a plan happens, the faults end, the line comes to rest, and everything is looked at."""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass, field

import structlog

from .checks import at_rest, in_the_end
from .faults import heal, inject
from .line import Line
from .plan import ACTIVE_S, Plan
from .world import Stuck, World

_END_S = 240.0


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
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    random.seed(plan.seed)  # the jitter of whoever was given none
    world = World(plan.seed)
    if keeps_log:
        world.log = []
    wrong: list[str] = []
    line = Line(world, plan)
    for fault in plan.faults:
        world.at(fault.at_s, lambda fault=fault: inject(line, fault))  # type: ignore[misc]
    try:
        world.run(ACTIVE_S)
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
    world.run(world.now + 30.0)
    wrong = at_rest(line)
    line.are_people_away = False
    is_over = world.run(world.now + _END_S, done=line.is_over)
    world.run(world.now + 3.0)
    if not is_over:
        wrong.append("the line does not come to its end: " + ", ".join(line.unfinished()))
    return wrong + in_the_end(line)
