"""The whole line against the network alone, latency at half load, and resident memory over time.

    python -m benchmarks.end_to_end [--visits 400] [--broker embedded|apache] [--minutes 10]

Frames/s of the line: simulated visits are published as fast as the cameras can, from pictures drawn beforehand, and
every process runs on this machine. The network alone: the same bundle on the same number of threads, batched,
before and after the line, nothing else running. Processor time is told by process, and of inspect by phase where py-spy
is installed. Latency: the line again at half the rate that it just showed; the first seconds, in which the cameras'
processes come up one after the other on busy cores, are told apart.
With --minutes the line goes on at half load, and the resident memory of every service is sampled.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from benchmarks.machine import machine
from benchmarks.phases import Profile, sampled
from benchmarks.processor import ProcessorTime
from linewarden.demo import line
from linewarden.demo.running import TORCH_THREADS
from linewarden.demo.servers import Servers, servers
from linewarden.demo.summary import model_only_rate
from linewarden_audit.summary import percentile
from tests.support.whole_line import LineUnderTest, whole_line

PLAN = replace(line.demo_plan(3, pool=64), missing_share=0.0)  # a missing view waits for its deadline on purpose
_MIB = 1 << 20
_SAMPLE_S = 5.0
_WARM_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print. Nothing is asserted: the figures are the result."""
    options = _arguments(argv)
    print(machine())
    before = model_only_rate(line.BUNDLE, PLAN, TORCH_THREADS)
    rate = _throughput(options.visits, options.broker)
    after = model_only_rate(line.BUNDLE, PLAN, TORCH_THREADS)
    alone = statistics.mean((before, after))
    print(f"network alone      {alone:8.1f} frames/s (before {before:.1f}, after {after:.1f})")
    print(f"whole line         {rate:8.1f} frames/s, ratio {rate / alone:.2f} (target 0.85)")
    _half_load(rate / PLAN.views / 2, alone, options)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=400)
    parser.add_argument("--broker", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--minutes", type=float, default=10.0)
    return parser.parse_args(argv)


def _throughput(visits: int, broker: str) -> float:
    """Frames/s from the first hundredth of the inspections to the last one, the cameras' own work included."""
    # a deadline that no backlog meets would answer most frames without the device
    with tempfile.TemporaryDirectory() as name, servers(broker, Path(name)) as under:
        source = line.simulated(PLAN, visits, 10_000.0, decide_by_ms=600_000, gallery=Path(name) / "gallery")
        with whole_line(source, under, Path(name)) as tested:
            measured = _measure(tested, under, visits * PLAN.views, Path(name))
            tested.finish()
    measured.print()
    return measured.frames / measured.seconds


@dataclass(slots=True)
class _Measured:
    """A stretch of work: frames done in it, and the time of each process and of inspect's phases."""

    frames: int
    seconds: float
    spent: dict[str, float]
    inspect: Profile = field(default_factory=Profile)

    def print(self) -> None:
        for who, seconds in self.spent.items():
            each_ms = seconds * 1000 / self.frames
            print(f"processor time     {each_ms:8.2f} ms a frame in {who}")
            if who == "inspect":
                for text in self.inspect.lines(each_ms):
                    print(f"    of which       {text}")


def _measure(tested: LineUnderTest, under: Servers, frames: int, folder: Path) -> _Measured:
    services = {name: one.process.pid for name, one in tested.running.services.items() if one.process is not None}
    time_of = ProcessorTime(services | {"broker": under.broker.process.pid, "this program": os.getpid()})
    inspected = tested.figures.inspected
    tested.until(_reached(tested, time_of, 0.01 * frames), "the first hundredth is inspected")
    began, first, before = time.perf_counter(), len(inspected), time_of.now()
    with sampled(services["inspect"], folder) as profile:
        tested.until(_reached(tested, time_of, frames), "all frames are inspected")
        ended, after = time.perf_counter(), time_of.now()
    spent = {who: after[who] - before.get(who, 0.0) for who in after}
    return _Measured(len(inspected) - first, ended - began, spent, profile)


def _reached(tested: LineUnderTest, time_of: ProcessorTime, count: float) -> Callable[[], bool]:
    def look() -> bool:
        time_of.look()  # now and then, since the cameras end before the rest
        return len(tested.figures.inspected) >= count

    return look


def _half_load(visits_per_s: float, alone: float, options: argparse.Namespace) -> None:
    seconds = max(30.0, options.minutes * 60)
    with tempfile.TemporaryDirectory() as name, servers(options.broker, Path(name)) as under:
        source = line.simulated(PLAN, round(visits_per_s * seconds), visits_per_s, gallery=Path(name) / "gallery")
        with whole_line(source, under, Path(name)) as tested:
            samples, cold = _sample(tested)
            tested.finish()
            latencies = tested.figures.latencies_ms
    print(f"half load          {visits_per_s:8.1f} visits/s for {seconds:.0f} s")
    _print_latency(f"first {_WARM_S:.0f} s", latencies[:cold], 16 * 1000 / alone)
    _print_latency("after that", latencies[cold:], 16 * 1000 / alone)
    for service, series in samples.items():
        print(f"memory {service:10s}  {_slope(series)}")


def _print_latency(when: str, latencies: list[int], batch_ms: float) -> None:
    ordered = sorted(latencies)
    p50, p99 = percentile(ordered, 0.5) or 0.0, percentile(ordered, 0.99) or 0.0
    print(
        f"capture to routing {when}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, {p99 / batch_ms:.1f} times a batch of 16 "
        f"({batch_ms:.0f} ms), {len(ordered)} visits"
    )


def _sample(tested: LineUnderTest) -> tuple[dict[str, list[tuple[float, float]]], int]:
    """Memory over time, and how many visits were routed while the line came up."""
    series: dict[str, list[tuple[float, float]]] = {}
    tested.until(lambda: bool(tested.figures.captured), "the first picture is taken")
    begun = due = time.monotonic()
    cold = 0
    while tested.running.services["ingest"].exit_code() is None:
        tested.look()
        if time.monotonic() < begun + _WARM_S:
            cold = len(tested.figures.latencies_ms)
        if time.monotonic() >= due:
            due += _SAMPLE_S
            for name, service in tested.running.services.items():
                if service.process is not None and service.process.poll() is None:
                    series.setdefault(name, []).append((time.monotonic() - begun, _resident(service.process.pid)))
    return series, cold


def _resident(pid: int) -> float:
    """MiB of a process and its children."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / _MIB


def _slope(series: list[tuple[float, float]]) -> str:
    """Least squares over the second half, where everything is warm."""
    warm = series[len(series) // 2 :]
    if len(warm) < 2:
        return "too short to tell"
    slope = statistics.linear_regression(*zip(*warm, strict=True)).slope
    return f"{series[0][1]:7.1f} -> {series[-1][1]:7.1f} MiB, {slope * 60:+.2f} MiB/minute over the second half"


if __name__ == "__main__":
    raise SystemExit(main())
