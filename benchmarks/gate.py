"""From trigger to register: how soon a PLC reads the answer for a part, and what becomes of those that come too late.

    python -m benchmarks.gate [--parts 10000] [--rate 10] [--window-ms 2000] [--broker embedded|apache] [--record]

The demo's line with onward, the output modbus and the simulated PLC, every process on this machine, pictures drawn
beforehand. Time runs from the part's trigger to the reading that holds its answer, by a PLC with a cycle of 20 ms. The
first parts, in which cameras and network come up, are told apart. Exits 1 where a part lies in another bin than it
should: one without an answer in its window is diverted and counted. `--record` adds the run to
docs/results/data/gate.jsonl, from which `make plant-page` makes its table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.end_to_end import PLAN
from benchmarks.machine import machine
from linewarden.demo import line
from linewarden.demo.figures import Figures, Follower
from linewarden.demo.gate import DemoPlc, gate_figures
from linewarden.demo.running import RunningLine
from linewarden.demo.servers import servers
from linewarden_audit.summary import percentile
from linewarden_runtime.processes import free_port
from tests.faults.matrix.results import RESULTS, commit
from tests.support.whole_line import LineUnderTest

_RECORD = RESULTS.with_name("gate.jsonl")
_WARM_S = 20.0
_TELL_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where a bin holds what it must not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=10.0, help="parts a second, three pictures each")
    parser.add_argument("--window-ms", type=int, default=2_000, help="from trigger to gate, and to decide-by")
    parser.add_argument("--broker", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--record", action="store_true", help=f"add the run to {_RECORD.name}")
    options = parser.parse_args(argv)
    print(machine())
    load = round(os.getloadavg()[0], 1)
    told, figures = _run(options)
    warm = min(int(options.rate * _WARM_S), options.parts // 4)
    first, after = (_answers(told["parts"], one) for one in (range(warm), range(warm, options.parts)))
    _print_answers(f"first {warm}", first)
    _print_answers("after that", after)
    found = gate_figures(told, figures.routings)
    print(f"bins               {', '.join(f'{name} {count}' for name, count in found['bins'].items())}")
    print(f"bins are right     {'yes' if found['agrees'] else 'NO: ' + ', '.join(found['wrong'][:10])}")
    if options.record:
        _record(options, warm, first, after, {"load": load, "agrees": found["agrees"]})
    return int(not found["agrees"])


def _run(options: argparse.Namespace) -> tuple[Mapping[str, Any], Figures]:
    figures = Figures()
    with tempfile.TemporaryDirectory() as name, servers(options.broker, Path(name)) as under:
        gallery = Path(name) / "gallery"
        source = line.simulated(PLAN, options.parts, options.rate, options.window_ms, gallery)
        plc = DemoPlc(Path(name), options.window_ms)
        extra = plc.env() | {"LINEWARDEN_STATION__PORT": str(free_port())}
        running = RunningLine(source, under, Path(name), extra, beside=("onward",))
        try:
            running.set_up()
            running.start(before_ingest=lambda: plc.start(running.env))
            with Follower(running.broker, line.NAMESPACE, figures) as follower:
                seconds = options.parts / options.rate
                tested = LineUnderTest(running, follower, figures, under.redis_port)
                progress = _Progress(figures, options.parts)
                tested.until(lambda: progress.look() and _ended(running), "the cameras end", seconds + 300.0)
                tested.finish()
            return plc.finish(), figures
        finally:
            plc.kill()
            running.kill()


class _Progress:
    """Tells on standard error how far a long run is."""

    def __init__(self, figures: Figures, parts: int) -> None:
        self._figures, self._parts, self._told = figures, parts, time.monotonic()

    def look(self) -> bool:
        """Tell now and then; always True."""
        if time.monotonic() - self._told > _TELL_S:
            self._told = time.monotonic()
            routed = len(self._figures.routings)
            sys.stderr.write(f"{len(self._figures.visits)} of {self._parts} parts, {routed} routed\n")
        return True


def _ended(running: RunningLine) -> bool:
    return running.services["ingest"].exit_code() == 0


def _answers(parts: Mapping[str, Mapping[str, Any]], counters: range) -> dict[str, int | None]:
    """Times from trigger to register, in ms, of the parts that were answered, and how many were not in their window."""
    seen = [parts[str(counter)] for counter in counters if str(counter) in parts]
    times = sorted(float(part["answer_ms"]) for part in seen if part["answer_ms"] is not None)
    return {
        "answered": len(times),
        "p50_ms": _whole(percentile(times, 0.5)),
        "p99_ms": _whole(percentile(times, 0.99)),
        "worst_ms": _whole(max(times, default=None)),
        "missed": sum(part["bin"] == "unknown" for part in seen),
    }


def _whole(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def _print_answers(which: str, told: Mapping[str, int | None]) -> None:
    times = f"p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms, worst {told['worst_ms']} ms of {told['answered']}"
    print(
        f"trigger to register, {which} parts: {times}; {told['missed']} without an answer in the window, all diverted"
    )


def _record(
    options: argparse.Namespace,
    warm: int,
    first: Mapping[str, int | None],
    after: Mapping[str, int | None],
    more: Mapping[str, object],
) -> None:
    told = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "broker": options.broker,
        "rate": options.rate,
        "window_ms": options.window_ms,
        "parts": options.parts,
        "warm": warm,
        **after,
        "missed_warm": first["missed"],
        **more,
    }
    with _RECORD.open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
