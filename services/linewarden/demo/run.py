"""`linewarden demo`: servers, the line, what it shows while it runs, and at the end the proof."""

from __future__ import annotations

import json
import os
import random
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live

from linewarden.commands.bundles import digest_of
from linewarden.demo import line
from linewarden.demo.figures import Figures, Follower, Timing
from linewarden.demo.gate import DemoControl, DemoPlc, DemoUaPlc, gates_figures, read_acts
from linewarden.demo.rtsp import RtspCameras
from linewarden.demo.running import TORCH_THREADS, RunningLine
from linewarden.demo.screen import Screen, final_table
from linewarden.demo.servers import servers
from linewarden.demo.summary import model_only_rate, summarise
from linewarden.known_bads.seeding import Seeding
from linewarden_ingest.cameras.simulation import LinePlan
from linewarden_reinspect.bootstrap import sign_in_link
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.processes import free_port
from linewarden_schemas.vocabulary import Role
from linewarden_vision.pictures.folders import SUFFIXES

_STRANGE = """these pictures are judged by the demo's network, which never saw such parts: its verdicts mean nothing.
Teach one of your own from some twenty good and ten bad pictures (linewarden teach --help), then show it these
pictures: make demo SOURCE=DIR BUNDLE=DIR
"""
_AMONG = 20
"""Visits after which a known-bad is slipped in: among them it does not stand out."""
FIRST_MINUTES = 1200
"""Visits: five minutes of the demo's own rate."""


def run(
    parts: int | None,
    broker: str,
    rate: float,
    seed: int,
    *,
    camera: str,
    source: Path | None,
    bundle: Path | None,
    out: Path,
    work: Path | None,
    port: int,
    gate: bool = False,
    reviewers: int = 1,
) -> int:
    """Run the demo; 0 where the balance closes, 1 where it does not: then what it names and the logs' folder are told.

    With `gate` also 1 where a bin of a simulated PLC holds another part than the dispositions say, or the gate reported
    something else.

    `parts` counts visits, None runs until Ctrl-C; `rate` is visits a second; `camera` is the kind that looks at the
    simulated parts, `line`, `rtsp` or `genicam`; port 0 takes a free one. Where the pictures of a folder are used
    up and no number of parts was asked for, the station stays open until Ctrl-C.

    Raises:
        ConfigurationError: where a server or service does not start; its log's folder is kept and named.
    """
    begun = time.monotonic()
    if camera != "line" and source is not None:
        raise ConfigurationError(f"--camera {camera} looks at simulated parts, not at those of --source")
    folder = (work or Path(tempfile.mkdtemp(prefix="linewarden-demo-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        interrupted = stack.enter_context(_interruptible())
        under = stack.enter_context(servers(broker, folder))
        token, port = secrets.token_urlsafe(16), port or free_port()
        base = f"http://127.0.0.1:{port}"
        extra = {
            "LINEWARDEN_STATION__PORT": str(port),
            "LINEWARDEN_STATION__LINK_TOKEN": token,
            "LINEWARDEN_STATION__LINK_ROLES": json.dumps(list(Role)),
            "LINEWARDEN_STATION__LINK_USES": "1000",
        }
        is_shown = _never
        if camera == "rtsp":
            cameras = stack.enter_context(RtspCameras(_for_people(line.demo_plan(seed), parts), parts, rate, folder))
            pictures, is_shown = _judged_by(cameras.source(), bundle), cameras.shown.is_set
        else:
            pictures = source_of(source, bundle, parts, rate, seed, folder)
        if camera == "genicam":
            pictures = stack.enter_context(_by_gige(pictures, rate))
        pictures = replace(pictures, reviewers=reviewers)
        extra |= _beside_the_pictures(pictures, folder)
        plcs = (DemoPlc(folder, pictures.decide_by_ms), DemoUaPlc(folder, pictures.decide_by_ms)) if gate else ()
        beside = ("onward",) if plcs else ()
        running = RunningLine(pictures, under, folder, extra | (plcs[0].env() if plcs else {}), beside)
        for plc in plcs[1:]:
            running.add("onward", plc.name, plc.env())
        stays = source is not None and parts is None
        if source is not None and bundle is None:
            sys.stderr.write(_STRANGE)
        here = sign_in_link(base, token, list(Role), name=line.OPERATOR, to="/review")
        is_for_people = parts is None and camera == "line" and not plcs
        slip_in = partial(_slip_in, running, pictures.plan) if is_for_people and pictures.plan is not None else None
        shift = DemoRun(running, here, interrupted, is_shown, plcs, stays=stays, slip_in=slip_in)
        _tell_how_to_talk(running, folder, sign_in_link(base, token, list(Role)), tells_known_bads=slip_in is not None)
        summary = shift.work(begun, line.demo_plan(seed))
    Console().print(final_table(summary))
    out.write_text(json.dumps(summary, indent=2) + "\n")
    Console().print(f"written to {out}")
    if not (summary["balance"]["closes"] and (not plcs or summary["gate"]["agrees"])):
        for finding in summary["findings"]:
            sys.stderr.write("{kind}: {name}: {reason}\n".format_map(finding))
        sys.stderr.write(f"the services' logs are kept in {folder}\n")
        return 1
    if work is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


class DemoRun:
    """One run of the line: started, followed on the screen, ended, balanced.

    Cameras that never end by themselves are ended once `is_shown()` and what they took has come. With `stays` the
    station is open until Ctrl-C, also where no picture comes any more. `slip_in` adds a known-bad, once.
    """

    def __init__(
        self,
        running: RunningLine,
        station: str,
        interrupted: threading.Event,
        is_shown: Callable[[], bool],
        plcs: Sequence[DemoControl] = (),
        *,
        stays: bool = False,
        slip_in: Callable[[], None] | None = None,
    ) -> None:
        self._stays, self._is_told, self._slip_in = stays, False, slip_in
        self._running, self._station, self._interrupted, self._is_shown = running, station, interrupted, is_shown
        self._plcs = plcs
        self._ingest = running.services["ingest"]
        self._console = Console(stderr=True)

    def work(self, begun: float, speed_plan: LinePlan) -> dict[str, Any]:
        """Run the shift and give its summary; `begun` is the monotonic time at which the command was given."""
        figures, timing = Figures(), Timing(begun)
        try:
            self._running.set_up()
            self._console.print(f"starting the services; their logs are in {self._running.folder}")
            if not self._running.broker.append_time:
                self._console.print(
                    "the demo's broker forgets all at the end, and is none for production: --broker apache"
                )
            self._running.start(self._interrupted, self._start_plcs)
            with Follower(self._running.broker, line.NAMESPACE, figures) as follower:
                self._follow(follower, figures, timing)
            binned = {plc.name: plc.finish() for plc in self._plcs}
            acts = read_acts(self._running.broker, len(figures.visits)) if binned else {}
        except KeyboardInterrupt:
            self._running.kill()
            raise
        finally:
            for plc in self._plcs:
                plc.kill()
            self._running.stop()
        rate = model_only_rate(self._running.source.bundle, speed_plan, TORCH_THREADS)
        summary = summarise(self._running.broker, line.NAMESPACE, self._running.source.plan, timing, rate)
        return summary | {"gate": gates_figures(binned, figures.routings, acts)} if binned else summary

    def _start_plcs(self) -> None:
        for plc in self._plcs:
            plc.start(self._running.env)

    def _follow(self, follower: Follower, figures: Figures, timing: Timing) -> None:
        screen = Screen(self._station, self._running.source.visits)
        at_terminal = self._console.is_terminal
        if not at_terminal:
            sys.stderr.write(f"station: {self._station}\n")
        # Without a screen it would take the terminal.
        to_open = at_terminal and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        with Live(console=self._console, auto_refresh=False) as live:
            while not self._is_over(figures, timing):
                follower.follow(0.25)
                timing.look(figures, time.monotonic())
                if to_open and figures.open_slots:
                    to_open = False
                    webbrowser.open(self._station)  # now there is something to decide
                if self._slip_in is not None and len(figures.routings) >= _AMONG:
                    self._slip_in()
                    self._slip_in = None
                self._running.tend()
                live.update(screen.render(figures, timing.running_s), refresh=at_terminal)
                if self._interrupted.is_set() or (self._is_shown() and timing.idle_s(time.monotonic()) > 3.0):
                    self._ingest.stop()
            live.update(screen.render(figures, timing.running_s), refresh=True)

    def _is_over(self, figures: Figures, timing: Timing) -> bool:
        if self._ingest.exit_code() is None or (self._stays and not self._interrupted.is_set()):
            self._tell_used_up()
            return False
        done = bool(figures.visits) and not figures.unrouted and not figures.lag
        return done or timing.idle_s(time.monotonic()) > 25.0  # what is lost is not waited for

    def _tell_used_up(self) -> None:
        if self._stays and not self._is_told and self._ingest.exit_code() == 0:
            self._is_told = True
            self._console.print("every picture was shown; the station stays open until Ctrl-C")


def _for_people(plan: LinePlan, parts: int | None) -> LinePlan:
    """Where somebody looks on, the first parts are misses that trust caught, and for some minutes no view is missing.

    Parts that lack a view would come first, and show least.
    """
    return replace(plan, whole_before=FIRST_MINUTES, opens_with=line.OPENING) if parts is None else plan


def _slip_in(running: RunningLine, plan: LinePlan) -> None:
    """Add a known-bad to the queue, as `linewarden known-bads add` does."""
    clock = SystemClock()
    dice = random.Random()  # noqa: S311 - no secret hangs on a serial's digits
    Seeding(running.broker, line.NAMESPACE, line.LINE, clock, dice, clock.now_ms()).add(line.known_bad(plan))


def _beside_the_pictures(pictures: line.PictureSource, folder: Path) -> dict[str, str]:
    """What the station shows beside the line's own pictures: good parts to compare with, and a study."""
    places = {"REFERENCES": line.references(pictures, folder), "STUDIES": line.study(pictures, folder)}
    return {f"LINEWARDEN_STATION__{name}": str(place) for name, place in places.items() if place is not None}


def _tell_how_to_talk(running: RunningLine, folder: Path, link: str, *, tells_known_bads: bool) -> None:
    """How another terminal asks this line, and how one more person signs in, or the same one in another role."""
    env = folder / "demo.env"
    env.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in running.env.items()))
    env.chmod(0o600)
    command = "linewarden" if shutil.which("linewarden") else f"{sys.executable} -m linewarden"
    sys.stderr.write(
        f"ask the line from another terminal: . {env}; {command} find P0000001\n"
        f"one more person, or another role: {link}\n"
    )
    if tells_known_bads:
        sys.stderr.write(f"soon one part is known to be bad; whether people catch it: {command} known-bads rates\n")
    if "LINEWARDEN_STATION__STUDIES" in running.env:
        sys.stderr.write(f"whoever signs in as {line.OPERATOR} finds a study of the measurement system under Study\n")


def source_of(
    pictures: Path | None, bundle: Path | None, parts: int | None, rate: float, seed: int, work: Path
) -> line.PictureSource:
    """What the cameras look at and the bundle that judges it; raises ConfigurationError where either is missing."""
    if pictures is None:
        source = line.simulated(_for_people(line.demo_plan(seed), parts), parts, rate)
    elif not pictures.is_dir():
        raise ConfigurationError(f"{pictures} is not a folder of pictures")
    else:
        source = line.folder(pictures, parts, rate, work)
        if not source.visits:
            raise ConfigurationError(f"{pictures} holds no picture ({', '.join(sorted(SUFFIXES))})")
    return _judged_by(source, bundle)


def _judged_by(source: line.PictureSource, bundle: Path | None) -> line.PictureSource:
    if bundle is None:
        return source
    digest_of(bundle)
    return replace(source, bundle=bundle.resolve())


def _never() -> bool:
    return False


@contextmanager
def _by_gige(source: line.PictureSource, rate: float) -> Iterator[line.PictureSource]:
    from linewarden.demo.fake_cameras import fake_station  # noqa: PLC0415 - only this needs Aravis

    if source.plan is None:
        raise ConfigurationError("fake cameras show the simulated line; leave out --source, or --camera")
    with fake_station(source.plan, rate, source.visits) as addresses:
        yield line.by_gige(source, addresses)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C once ends the shift in order, twice at once."""
    interrupted = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
