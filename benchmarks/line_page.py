"""What the pages of the line cost: the processor time of their read model over that of the line that it reads.

    python -m benchmarks.line_page [--visits 200] [--per-s 2] [--broker embedded|apache]

A whole line runs at a steady pace. Beside it a process of its own follows the topics as the station does, histories
too, and makes the document of the page once a second, as for people who look. Its processor time after the start is
held against that of ingest, inspect, route, keeper, projector and broker together over the same visits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.processor import ProcessorTime
from linewarden.demo import line
from linewarden.demo.servers import servers
from linewarden_reinspect.bootstrap import evidence_store
from linewarden_reinspect.settings import StationProcess
from linewarden_reinspect.station.access.book import StationBook
from linewarden_reinspect.station.insight.insight import opened_insight
from linewarden_reinspect.station.line.feed import LineFeed
from linewarden_reinspect.station.references import References
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_schemas.ids import Namespace
from tests.support.whole_line import whole_line

PLAN = replace(line.demo_plan(3, pool=64), missing_share=0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print. Nothing is asserted: the figures are the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=200)
    parser.add_argument("--per-s", type=float, default=2.0)
    parser.add_argument("--broker", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.follow:
        return _follow()
    print(machine())
    with tempfile.TemporaryDirectory() as name, servers(options.broker, Path(name)) as under:
        gallery = Path(name) / "gallery"
        source = line.simulated(PLAN, None, options.per_s, decide_by_ms=600_000, gallery=gallery)
        with whole_line(source, under, Path(name)) as tested:
            tested.until(lambda: len(tested.figures.inspected) >= PLAN.views, "the first part is inspected")
            services = {n: one.process.pid for n, one in tested.running.services.items() if one.process is not None}
            del services["station"]
            time_of = ProcessorTime(services | {"broker": under.broker.process.pid})
            command = [sys.executable, "-m", "benchmarks.line_page", "--follow"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            with subprocess.Popen(command, env=tested.running.env, text=True, **pipes) as beside:  # type: ignore[call-overload]
                assert beside.stdout.readline() == "following\n"
                before, begun, known = time_of.now(), time.monotonic(), len(tested.figures.visits)
                # Counted from here on: the line is under way already while its reader starts.
                wanted, deadline_s = known + options.visits, 60 + 2 * options.visits / options.per_s
                tested.until(lambda: len(tested.figures.visits) >= wanted, "all parts came", deadline_s)
                after, lasted, seen = time_of.now(), time.monotonic() - begun, len(tested.figures.visits) - known
                spent, told = beside.communicate("end\n", timeout=30)[0].split()
    of_line = sum(after.values()) - sum(before.values())
    print(f"{seen} parts of {PLAN.views} views in {lasted:.0f} s; the document has {int(told) / 1024:.0f} KiB")
    print(f"the line           {of_line:8.2f} s of processor time, without its station")
    print(f"read model, pages  {float(spent):8.2f} s, {100 * float(spent) / of_line:.2f} % of that (target 2 %)")
    return 0


def _follow() -> int:
    """Follow as the station does until told to end; print processor seconds since, and the size of the document."""
    settings, clock, stop = StationProcess.load(), SystemClock(), threading.Event()
    broker, namespace = KafkaBroker(settings.kafka), Namespace(settings.namespace)
    evidence = evidence_store(broker, namespace, 1 << 20)
    references = References(settings.station.references, settings.station.bundles)
    with (
        tempfile.TemporaryDirectory() as name,
        opened_insight(broker, namespace, StationBook(), clock, folder=Path(name)) as insight,
    ):
        feed = LineFeed(insight.line, lambda: None, evidence, lambda _: None, references, clock)
        insight.follower.catch_up()
        work = threading.Thread(target=insight.follower.run, args=(stop,))
        work.start()
        ended = threading.Thread(target=sys.stdin.readline, daemon=True)
        ended.start()
        print("following", flush=True)
        begun = time.process_time()
        while ended.is_alive():
            told = feed.text(parts=True)
            ended.join(1.0)
        spent = time.process_time() - begun
        stop.set()
        work.join()
    print(f"{spent:.3f} {len(told)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
