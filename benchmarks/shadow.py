"""A shadow beside a live line that works as fast as it can: its frames/s over those of the line, and how far behind.

    python -m benchmarks.shadow [--visits 200] [--broker embedded|apache] [--candidate BUNDLE]

`linewarden shadow` runs as a command on the same machine, from the line's first frame on: it begins late, by the time
that it takes to start, and so has work throughout. Both rates are taken between the first and the last answer of each,
by the broker's times. With the line's own bundle as candidate nothing differs; each difference costs two passes more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.end_to_end import PLAN
from benchmarks.machine import machine
from benchmarks.rerun import replay_env
from linewarden.commands.bundles import digest_of
from linewarden.demo import line
from linewarden.demo.servers import Servers, servers
from linewarden_history.reading import records_since
from linewarden_runtime.processes import free_port
from linewarden_schemas.ids import Namespace
from tests.support.whole_line import LineUnderTest, whole_line

_NAME = "bench"
_OWN = Namespace(f"shadow.{_NAME}")
_FAST = 10_000.0
_DECIDE_BY_MS = 600_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where not every frame was compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=200, help="of the simulated line, three frames each")
    parser.add_argument("--broker", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--candidate", type=Path, default=line.BUNDLE, help="folder of the bundle that is tried")
    options = parser.parse_args(argv)
    print(machine())
    with tempfile.TemporaryDirectory() as name, servers(options.broker, Path(name)) as under:
        source = line.simulated(PLAN, options.visits, _FAST, _DECIDE_BY_MS, Path(name) / "gallery")
        port = {"LINEWARDEN_STATION__PORT": str(free_port())}
        with whole_line(source, under, Path(name), port) as tested:
            report = _beside(tested, under, options.candidate.resolve(), options.visits * len(line.VIEWS))
            live, own = (_rate(tested, of) for of in (line.NAMESPACE, _OWN))
    compared = report["frames"] - report["by_kind"]["not_recorded"]
    print(f"live line  {live:7.1f} frames/s")
    print(
        f"shadow     {own:7.1f} frames/s, {own / live:.2f} of the live line; {compared} frames compared, "
        f"{report['differing']} differ, at most {report['most_behind']} behind"
    )
    return int(compared != len(tested.figures.inspected))


def _beside(tested: LineUnderTest, under: Servers, candidate: Path, frames: int) -> dict[str, Any]:
    with tested.running.broker.admin() as admin:
        admin.provision(_OWN.group("inspect"), [line.NAMESPACE.topic("frames")])
    command = [sys.executable, "-m", "linewarden", "shadow", "--name", _NAME, "--json", "--every", "1"]
    command += ["--bundle", digest_of(candidate), "--bundles", str(candidate.parent), "--frames", str(frames)]
    env = os.environ | under.env() | replay_env()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            tested.finish()
            told, _ = child.communicate()
        finally:
            child.kill()
    if child.returncode:
        raise SystemExit(f"linewarden shadow failed with {child.returncode}")
    report: dict[str, Any] = json.loads(told)
    return report


def _rate(tested: LineUnderTest, of: Namespace) -> float:
    times = sorted(one.timestamp_ms for one in records_since(tested.running.broker, of.topic("inspections"), 0))
    return (len(times) - 1) * 1000 / (times[-1] - times[0])


if __name__ == "__main__":
    raise SystemExit(main())
