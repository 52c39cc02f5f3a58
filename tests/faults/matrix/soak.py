"""An hour under load: the line's capacity is measured, then 80 % of it flows, and once a minute something is struck.

Samples, one each five seconds, go to docs/results/data/soak.jsonl behind a line that says on what; the last line is
what the balance found. `plot.py` draws them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from tests.faults.matrix.bed import DECIDE_BY_MS, Bed, Needs, NotBack, NotShown, bed
from tests.faults.matrix.oracle import MARGIN_MS, Judgement
from tests.faults.matrix.play import confirmed, now_ms, settle
from tests.faults.matrix.rows import ROWS, Row

SHARE = 0.8
SAMPLES = Path("docs/results/data/soak.jsonl")
_SAMPLE_S, _STRIKE_EVERY_S = 5.0, 60.0
_LADDER = (2.0, 5.0, 10.0, 18.0, 25.0, 35.0, 45.0, 60.0, 80.0, 110.0)
_WARM_S, _TRIAL_S = 8.0, 20.0
_VISITS = 400_000
"""More than an hour at full capacity takes: the cameras must not come to their end."""
_EVERYTHING = Needs(
    proxied=True,
    volumes={"spool": 256, "broker": 8192, "redis": 256},
    settings={"LINEWARDEN_INGEST__SPOOL__SEGMENT_BYTES": str(1 << 20)},
)
_NOT_HERE = frozenset(
    ("freeze-inspect", "freeze-route", "leader-change", "minority", "power-cut", "clock-steps", "rolling-restart")
)
"""Rows that need another bed than one broker, one process of each service and a disk for each server.

A fake clock takes a lock at each look at it: route and inspect then spend most of their time on that, and the capacity
would be that of the clock.
"""


@dataclass
class Sampler:
    """Turns what flows into samples; `told` takes each."""

    tested: Bed
    told: Callable[[dict[str, Any]], None]
    begun: float = field(default_factory=time.monotonic)
    fault: str = ""
    _next_s: float = _SAMPLE_S
    _routed: int = 0

    def look(self) -> None:
        """Sample where it is time."""
        at_s = time.monotonic() - self.begun
        if at_s < self._next_s:
            return
        self._next_s = at_s + _SAMPLE_S
        flow = self.tested.flow
        new = list(flow.routed_at)[self._routed :]
        self._routed += len(new)
        took = sorted(flow.routed_at[visit] - flow.arrived.get(visit, flow.routed_at[visit]) for visit in new)
        self.told(
            {
                "s": round(at_s, 1),
                "arrived": len(flow.arrived),
                "routed": len(flow.routed),
                **flow.routings(new),
                "unsettled": len(flow.unsettled(flow.arrived)),
                "p50_ms": took[len(took) // 2] if took else None,
                "p99_ms": took[len(took) * 99 // 100] if took else None,
                "restarts": sum(self.tested.restarts.values()),
                "fault": self.fault,
            }
        )


def soak(minutes: float, folder: Path, seed: int, about: dict[str, Any], samples: Path = SAMPLES) -> Judgement:
    """Run it; what the balance of the whole history found. A line that does not come back is a finding too."""
    rows = [row for row in ROWS if row.name not in _NOT_HERE and row.why_not() is None]
    needs = _EVERYTHING if _EVERYTHING.why_not() is None else replace(_EVERYTHING, volumes={})
    samples.parent.mkdir(parents=True, exist_ok=True)
    with bed(folder, needs, _LADDER[0], _VISITS) as tested, samples.open("w", encoding="utf-8") as file:

        def told(sample: dict[str, Any]) -> None:
            file.write(json.dumps(sample) + "\n")
            file.flush()

        settle(tested)
        capacity = _capacity(tested)
        set_rate(tested, capacity * SHARE)
        told(
            about | {"capacity": capacity, "parts per s": round(capacity * SHARE, 1), "minutes": minutes, "seed": seed}
        )
        settle(tested)
        away, counts = _struck(tested, rows, minutes, Random(seed), told)
        tested.hold(MARGIN_MS / 1000 + 1)
        found = confirmed(tested, Judgement(), None)
        found = found.and_also(Judgement(lost=frozenset(away)))
        told(
            {
                "outcome": "held" if found.holds else "failed",
                "strikes": counts,
                "parts": len(tested.flow.arrived),
                "routed": dict(tested.flow.routings(list(tested.flow.routed))),
                "lost": len(found.lost),
                "doubled": len(found.doubled),
                "passed_wrongly": len(found.passed_wrongly),
                "unsound": len(found.unsound),
                "words": found.words(),
            }
        )
        return found


def _struck(
    tested: Bed, rows: list[Row], minutes: float, rng: Random, told: Callable[[dict[str, Any]], None]
) -> tuple[list[str], dict[str, int]]:
    """Strike once a minute; when the line was not back, in words, and how often each row was shown."""
    sampler = Sampler(tested, told)
    tested.watchers.append(sampler.look)
    away: list[str] = []
    counts: dict[str, int] = {}
    for number in range(max(1, round(minutes * 60 / _STRIKE_EVERY_S))):
        row, begun = rng.choice(rows), time.monotonic()
        sampler.fault = row.name
        try:
            row.strike(tested, rng)
            counts[row.name] = counts.get(row.name, 0) + 1
        except NotShown as why:
            told({"s": round(time.monotonic() - sampler.begun, 1), "not shown": f"{row.name}: {why}"})
        except NotBack as why:
            away.append(f"{row.name} in minute {number}: {why}")
        sampler.fault = ""
        try:
            settle(tested, with_queue=False)
        except NotBack as why:
            away.append(f"after {row.name} in minute {number}: {why}")
        tested.hold(max(0.0, begun + _STRIKE_EVERY_S - time.monotonic()))
    try:
        settle(tested)
    except NotBack as why:
        away.append(f"at the end: {why}")
    tested.watchers.remove(sampler.look)
    return away, counts


def set_rate(tested: Bed, parts_per_s: float) -> None:
    """Stop the cameras in good order and start them at another pace."""
    ingest = tested.services["ingest"]
    ingest.stop()
    cameras = json.loads(ingest.env["LINEWARDEN_INGEST__CAMERAS"])
    told = json.dumps([camera | {"rate_per_s": parts_per_s} for camera in cameras])
    ingest.env = {**ingest.env, "LINEWARDEN_INGEST__CAMERAS": told}
    ingest.start()


def _capacity(tested: Bed) -> float:
    """Parts a second that are routed as fast as they come, nineteen of twenty within half of their time to decide.

    Raises:
        NotBack: where not even the slowest pace holds.
    """
    held = 0.0
    for rate in _LADDER:
        if not _holds(tested, rate):
            break
        held = rate
    else:
        return held
    if not held:
        raise NotBack(f"{rate} parts/s are too many for this machine as it is now; {tested.told()}")
    between = round((held + rate) / 2, 1)
    return between if _holds(tested, between) else held


def _holds(tested: Bed, rate: float) -> bool:
    set_rate(tested, rate)
    tested.until(tested.is_whole, "the cameras run")
    tested.hold(_WARM_S)
    flow, since = tested.flow, now_ms()
    tested.hold(_TRIAL_S)
    fresh = [visit for visit, at_ms in flow.arrived.items() if at_ms >= since]
    took = sorted(flow.routed_at[visit] - flow.arrived[visit] for visit in fresh if visit in flow.routed_at)
    enough = len(took) >= 0.9 * rate * (_TRIAL_S - 2)
    return enough and took[len(took) * 95 // 100] <= DECIDE_BY_MS / 2
