"""From trigger to register: how soon a PLC reads the answer for a part, and what becomes of those that come too late.

    python -m benchmarks.gate [--parts 10000] [--rate 10] [--window-ms 2000] [--broker embedded|apache]

The demo's line with onward, the output modbus and the simulated PLC, every process on this machine, pictures drawn
beforehand. Time runs from the part's trigger to the reading that holds its answer, by a PLC with a cycle of 20 ms. The
first parts, in which cameras and network come up, are told apart. Exits 1 where a part lies in another bin than it
should: one without an answer in its window is diverted and counted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
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
from tests.support.whole_line import LineUnderTest

_WARM_S = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where a bin holds what it must not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=10.0, help="parts a second, three pictures each")
    parser.add_argument("--window-ms", type=int, default=2_000, help="from trigger to gate, and to decide-by")
    parser.add_argument("--broker", choices=["embedded", "apache"], default="embedded")
    options = parser.parse_args(argv)
    print(machine())
    told, figures = _run(options)
    warm = min(int(options.rate * _WARM_S), options.parts // 4)
    _print_answers(f"first {warm}", told["parts"], range(warm))
    _print_answers("after that", told["parts"], range(warm, options.parts))
    found = gate_figures(told, figures.routings)
    print(f"bins               {', '.join(f'{name} {count}' for name, count in found['bins'].items())}")
    print(f"bins are right     {'yes' if found['agrees'] else 'NO: ' + ', '.join(found['wrong'][:10])}")
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
                tested.until(lambda: running.services["ingest"].exit_code() == 0, "the cameras end", seconds + 300.0)
                tested.finish()
            return plc.finish(), figures
        finally:
            plc.kill()
            running.kill()


def _print_answers(which: str, parts: Mapping[str, Mapping[str, Any]], counters: range) -> None:
    seen = [parts[str(counter)] for counter in counters if str(counter) in parts]
    times = sorted(float(part["answer_ms"]) for part in seen if part["answer_ms"] is not None)
    late = sum(part["bin"] == "unknown" for part in seen)
    if times:
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print(
            f"trigger to register, {which} parts: p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {times[-1]:.0f} ms of "
            f"{len(times)}; {late} without an answer in the window, all diverted"
        )


if __name__ == "__main__":
    raise SystemExit(main())
