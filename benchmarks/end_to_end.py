"""The whole line against the network alone, latency at half load, and resident memory over time.

    python -m benchmarks.end_to_end [--visits 400] [--broker embedded|apache] [--minutes 10]

Frames/s of the line: simulated visits are published as fast as the cameras can, from pictures drawn beforehand, and
every process runs on this machine. The network alone: the same bundle on the same number of threads, batched,
before and after the line, nothing else running. Latency: the line again at half the rate that it just showed.
With --minutes the line goes on at half load, and the resident memory of every service is sampled.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.machine import machine
from linewarden.demo import line
from linewarden.demo.running import TORCH_THREADS
from linewarden.demo.servers import Servers, servers
from linewarden.demo.summary import model_only_rate
from linewarden_replay.summary import percentile
from tests.support.whole_line import LineUnderTest, whole_line

PLAN = replace(line.demo_plan(3, pool=64), missing_share=0.0)  # a missing view waits for its deadline on purpose
_MIB = 1 << 20
_SAMPLE_S = 5.0

Mark = tuple[float, int]


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
            (begun, first), (ended, last), cpu = _marks(tested, under, visits * PLAN.views)
            tested.finish()
    for who, seconds in cpu.items():
        print(f"processor time     {seconds * 1000 / (last - first):8.2f} ms a frame in {who}")
    return (last - first) / (ended - begun)


def _marks(tested: LineUnderTest, under: Servers, frames: int) -> tuple[Mark, Mark, dict[str, float]]:
    points, spent = [], []
    latest: dict[str, float] = {}
    for share in (0.01, 1.0):
        tested.until(_inspected(tested, under, share * frames, latest), f"{share:.0%} of all frames are inspected")
        points.append((time.perf_counter(), len(tested.figures.inspected)))
        spent.append(dict(latest))
    used = {who: spent[1][who] - spent[0].get(who, 0.0) for who in spent[1]}
    return points[0], points[1], used


def _inspected(tested: LineUnderTest, under: Servers, count: float, latest: dict[str, float]) -> Callable[[], bool]:
    """Whether so many are inspected; keeps `latest`, since the cameras end before the rest."""

    def look() -> bool:
        for who, spent in _processor_seconds(tested, under).items():
            latest[who] = max(spent, latest.get(who, 0.0))  # what has ended takes its time with it
        return len(tested.figures.inspected) >= count

    return look


def _processor_seconds(tested: LineUnderTest, under: Servers) -> dict[str, float]:
    """User and system time so far, by running process; the cameras together."""
    running = {name: one.process for name, one in tested.running.services.items() if one.exit_code() is None}
    pids = {name: process.pid for name, process in running.items() if process is not None}
    pids |= {"broker": under.broker.process.pid, "this program": os.getpid()}
    return {who: _with_children(pid) for who, pid in pids.items()}


def _with_children(pid: int) -> float:
    process = psutil.Process(pid)
    family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
    spent = 0.0
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # a camera that ends meanwhile
            spent += sum(one.cpu_times()[:2])
    return spent


def _half_load(visits_per_s: float, alone: float, options: argparse.Namespace) -> None:
    seconds = max(30.0, options.minutes * 60)
    with tempfile.TemporaryDirectory() as name, servers(options.broker, Path(name)) as under:
        source = line.simulated(PLAN, round(visits_per_s * seconds), visits_per_s, gallery=Path(name) / "gallery")
        with whole_line(source, under, Path(name)) as tested:
            samples = _sample(tested)
            tested.finish()
            latencies = sorted(tested.figures.latencies_ms)
    p50, p99 = percentile(latencies, 0.5) or 0.0, percentile(latencies, 0.99) or 0.0
    batch_ms = 16 * 1000 / alone
    print(f"half load          {visits_per_s:8.1f} visits/s for {seconds:.0f} s")
    print(f"capture to routing p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    print(f"p99 over batch     {p99 / batch_ms:8.1f} (a batch of 16 takes {batch_ms:.0f} ms)")
    for service, series in samples.items():
        print(f"memory {service:10s}  {_slope(series)}")


def _sample(tested: LineUnderTest) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = {}
    begun = due = time.monotonic()
    while tested.running.services["ingest"].exit_code() is None:
        tested.look()
        if time.monotonic() >= due:
            due += _SAMPLE_S
            for name, service in tested.running.services.items():
                if service.process is not None and service.process.poll() is None:
                    series.setdefault(name, []).append((time.monotonic() - begun, _resident(service.process.pid)))
    return series


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
