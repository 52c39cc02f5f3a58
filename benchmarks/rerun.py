"""The re-run of a recording over the live line that made it: frames/s, memory, and whether both say the same.

    python -m benchmarks.rerun [--visits 300] [--broker embedded|apache] [--source DIR] [--bundle BUNDLE]
        [--candidate BUNDLE]

A whole line records visits of the simulated line, or every picture of a folder, as fast as it can. `linewarden replay`
then runs as a command over the first quarter of the range and over all of it: frames/s, largest resident memory, and
the differences, of which there should be none. With another bundle as candidate its containment list is held against
one that is computed from the frames alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.end_to_end import PLAN
from benchmarks.machine import machine
from linewarden.commands.bundles import digest_of
from linewarden.demo import line
from linewarden.demo.running import TORCH_THREADS
from linewarden.demo.servers import Servers, servers
from linewarden_history.reading import records_since
from linewarden_schemas.envelope import decode_frame
from linewarden_schemas.vocabulary import Routing
from linewarden_vision.inspector import Inspector
from tests.support.whole_line import LineUnderTest, whole_line

_FAST = 10_000.0
_DECIDE_BY_MS = 600_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 where the re-run or a containment list differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=300, help="of the simulated line")
    parser.add_argument("--broker", choices=["embedded", "apache"], default="embedded")
    parser.add_argument("--source", type=Path, help="a folder of pictures instead")
    parser.add_argument("--bundle", type=Path, default=line.BUNDLE, help="folder of the bundle that judges live")
    parser.add_argument("--candidate", type=Path, help="folder of another bundle")
    options = parser.parse_args(argv)
    print(machine())
    with (
        tempfile.TemporaryDirectory() as name,
        servers(options.broker, Path(name)) as under,
        whole_line(_source(options, Path(name)), under, Path(name)) as tested,
    ):
        wrong = _again(tested, under, options.bundle, _live_rate(tested))
        if options.candidate is not None:
            wrong += _contained(tested, under, options.candidate)
    return int(wrong > 0)


def _source(options: argparse.Namespace, work: Path) -> line.PictureSource:
    if options.source is None:
        source = line.simulated(PLAN, options.visits, _FAST, gallery=work / "gallery")
    else:
        source = line.folder(options.source, None, _FAST, work)
    return replace(source, decide_by_ms=_DECIDE_BY_MS, bundle=options.bundle.resolve())


def _live_rate(tested: LineUnderTest) -> float:
    """Frames/s from the first inspection to the last, the cameras' work included."""
    inspected = tested.figures.inspected
    tested.until(lambda: bool(inspected), "the first frame is inspected")
    began, first = time.perf_counter(), len(inspected)
    tested.finish()
    rate = (len(inspected) - first) / (time.perf_counter() - began)
    print(f"live line              {rate:7.1f} frames/s, {len(inspected)} frames")
    return rate


def _again(tested: LineUnderTest, under: Servers, bundle: Path, live: float) -> int:
    times = sorted(frame.captured_ms for frame in _frames(tested))
    quarter, every = times[len(times) // 4], times[-1]
    differing = 0
    for name, end in (("first quarter", quarter), ("all", every)):
        told = _replay(under, bundle.resolve().parent, "--to", str(end))
        frames, differences = told.report["frames"], told.report["differing"]
        rate = frames / told.seconds
        print(
            f"re-run, {name:13s}  {rate:7.1f} frames/s, {rate / live:.2f} of the live line, {told.mib:.0f} MiB; "
            f"{differences} of {frames} frames differ (start of the process included)"
        )
        for kind, count in sorted(Counter(one["kind"] for one in told.report["differences"]).items()):
            print(f"  {kind}: {count}")
        differing += differences
    return differing


@dataclass(frozen=True, slots=True)
class _Told:
    report: dict[str, Any]
    seconds: float
    mib: float


def _replay(under: Servers, store: Path, *words: str) -> _Told:
    command = [sys.executable, "-m", "linewarden", "replay", "--from", "0", "--bundles", str(store), "--json", *words]
    env = os.environ | under.env() | replay_env()
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        child = subprocess.Popen(command, env=env, stdout=output)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        output.seek(0)
        told = output.read()
    if os.waitstatus_to_exitcode(status) not in {0, 1}:
        raise SystemExit(f"linewarden replay failed: {told.decode()}")
    return _Told(json.loads(told), seconds, used.ru_maxrss / 1024)


def replay_env() -> dict[str, str]:
    """The line that is read, and as many threads as its workers have: another number rounds otherwise."""
    return {"LINEWARDEN_NAMESPACE": line.NAMESPACE.name, "LINEWARDEN_INSPECT__TORCH_THREADS": str(TORCH_THREADS)}


def _contained(tested: LineUnderTest, under: Servers, candidate: Path) -> int:
    """Compare the list of `replay --bundle` with the candidate's own answers on the frames of trusted passes."""
    digest = digest_of(candidate)
    told = _replay(under, candidate.resolve().parent, "--to", str(time.time_ns() // 1_000_000), "--bundle", digest)
    listed = {one["visit_id"]: one["would_be"] for one in told.report["containment"]}
    expected = _computed(tested, Inspector.load(candidate, expected_digest=digest))
    print(f"containment list       {len(listed)} visits, computed from the frames alone {len(expected)}")
    for visit in sorted(listed.keys() ^ expected.keys() | {v for v in listed if listed[v] != expected.get(v)}):
        print(f"  {visit}: listed {listed.get(visit)}, computed {expected.get(visit)}")
    return int(listed != expected)


def _computed(tested: LineUnderTest, inspector: Inspector) -> dict[str, str]:
    passed = {visit for visit, one in tested.figures.routings.items() if one is Routing.TRUSTED_PASS}
    limits = inspector.card.thresholds
    found: dict[str, str] = {}
    for frame in _frames(tested):
        if frame.visit_id not in passed:
            continue
        (score,) = inspector.score([inspector.prepare(frame.picture)])
        if limits.is_defect(score.margin):
            found[frame.visit_id] = Routing.REJECTED.value
        elif limits.is_doubtful(score.suspicion):
            found.setdefault(frame.visit_id, Routing.DIVERTED.value)
    return found


@dataclass(frozen=True, slots=True)
class _Frame:
    visit_id: str
    captured_ms: int
    data: bytes

    @property
    def picture(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        decoded = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED)
        return np.asarray(decoded, np.uint8)


def _frames(tested: LineUnderTest) -> Iterator[_Frame]:
    for record in records_since(tested.running.broker, line.NAMESPACE.topic("frames"), 0):
        frame = decode_frame(record.headers, record.value)
        yield _Frame(frame.meta.visit_id, frame.meta.captured_ms, frame.picture)


if __name__ == "__main__":
    raise SystemExit(main())
