"""Wall clocks of services that step while they run; their monotonic clocks stand still."""

from __future__ import annotations

import time
from random import Random

from tests.faults.matrix.bed import Bed, NotShown
from tests.faults.matrix.strikes import Seen
from tests.support.clocks import LATE_S, ClockProbe

STEPS_S = (-2 * 86_400.0, -3_600.0, -90.0, -4.9, -0.4, 0.4, 4.9, 90.0, 3_600.0, 30 * 86_400.0)
_MOST_OFF_S = 1.0
_SEEN_S = LATE_S + 1.0
_ASKED = 5


def step(bed: Bed, rng: Random) -> Seen:
    """The clock of route, ingest or inspect steps by up to a month, and is set right some seconds later."""
    name, seconds = rng.choice(sorted(bed.clocks)), rng.choice(STEPS_S)
    clock = bed.clocks[name]
    with ClockProbe(clock) as probe:
        before = _offsets(probe)
        clock.set(seconds)
        bed.hold(_SEEN_S + rng.uniform(1.0, 4.0))
        after = _offsets(probe)
        clock.set(0.0)
        bed.hold(_SEEN_S)
    wall_s, monotonic_s = after[0] - before[0], after[1] - before[1]
    if abs(wall_s - seconds) > _MOST_OFF_S / 5 or abs(monotonic_s) > _MOST_OFF_S:
        raise NotShown(
            f"asked for {seconds} s: the wall clock stepped {wall_s:.3f} s, the monotonic {monotonic_s:.3f} s"
        )
    return {"clock of": name, "wall stepped by s": round(wall_s, 3), "monotonic by s": round(monotonic_s, 3)}


def _offsets(probe: ClockProbe) -> tuple[float, float]:
    """How far a process's clocks are ahead of ours, seconds, by the quickest of some answers."""
    return min(_asked(probe) for _ in range(_ASKED))[1:]


def _asked(probe: ClockProbe) -> tuple[float, float, float]:
    wall, monotonic = time.time(), time.monotonic()
    told = probe.ask()
    return time.monotonic() - monotonic, told[0] - wall, told[1] - monotonic
