"""`linewarden demo`: servers, services, the line, and at the end the proof."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from linewarden_ingest.cameras.simulation import LinePlan
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.ports import Broker
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import provision_topics
from rich.console import Console
from rich.live import Live

from . import line
from .figures import Figures
from .follow import Follower
from .screen import Screen, final_table
from .servers import Servers, servers
from .services import Service, stop_all
from .summary import Timing, model_only_rate, summarise

_READY_S = 90.0
_LOOK_S = 0.25
_SETTLE_S = 25.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What `linewarden demo` was asked for. `parts` counts visits; None runs until Ctrl-C."""

    parts: int | None
    headless: bool
    broker: str
    source: Path | None
    rate: float
    out: Path
    port: int
    seed: int


def run(options: DemoOptions) -> int:
    """Run the demo; 0 where the balance closes, 1 where it does not.

    Raises:
        ConfigurationError: where a server or service does not start; its log's folder is kept and named.
    """
    folder = Path(tempfile.mkdtemp(prefix="linewarden-demo-"))
    begun = time.monotonic()
    console = Console(stderr=True)
    source = _source(options, folder)
    with _interruptible() as interrupted, servers(options.broker, folder) as under:
        shift = Shift(options, source, under, folder, console, interrupted)
        summary = shift.work(begun)
    options.out.write_text(json.dumps(summary, indent=2) + "\n")
    Console().print(final_table(summary))
    console.print(f"written to {options.out}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if summary["balance"]["closes"] else 1


class Shift:
    """One run of the line: started, followed, ended, balanced."""

    def __init__(
        self,
        options: DemoOptions,
        source: line.Source,
        under: Servers,
        folder: Path,
        console: Console,
        interrupted: threading.Event,
    ) -> None:
        self._options, self._source, self._under = options, source, under
        self._folder, self._console, self._interrupted = folder, console, interrupted
        self._token = secrets.token_urlsafe(16)
        self._port = options.port or free_port()
        self._broker: Broker = KafkaBroker(KafkaSettings(bootstrap_servers=under.broker.bootstrap_servers))
        self._services = {name: Service(name, self._env(), folder / f"{name}.log") for name in _ORDER}

    def work(self, begun: float) -> dict[str, object]:
        """Run the shift and give its summary; `begun` is the monotonic time at which the command was given."""
        figures = Figures()
        try:
            self._prepare()
            follower = Follower(self._broker, line.NAMESPACE, figures)
            timing = self._follow(follower, figures, begun)
            follower.close()
        except KeyboardInterrupt:
            for service in self._services.values():
                service.kill()
            raise
        finally:
            stop_all(list(self._services.values()))
        rate = model_only_rate(line.BUNDLE, self._source, line.VIEWS)
        return summarise(self._broker, line.NAMESPACE, self._source.plan, timing, rate)

    def _prepare(self) -> None:
        with self._broker.admin() as admin:
            provision_topics(admin, line.NAMESPACE, line.PARTITIONS)
        with self._broker.producer(client="demo") as producer:
            records = line.set_up(self._source, time.time_ns() // 1_000_000)
            for delivery in [producer.send(record) for record in records]:
                delivery.result(15.0)
        waiting = [service for name, service in self._services.items() if name != "ingest"]
        for service in waiting:
            service.start()
        self._console.print(f"starting {', '.join(service.name for service in waiting)}; logs in {self._folder}")
        self._await_ready(waiting)
        self._services["ingest"].start()

    def _await_ready(self, waiting: list[Service]) -> None:
        deadline = time.monotonic() + _READY_S
        left = list(waiting)
        while left and not self._interrupted.is_set():
            for service in left:
                service.tend()
            left = [service for service in left if not service.is_ready()]
            if left and time.monotonic() > deadline:
                names = ", ".join(service.name for service in left)
                raise ConfigurationError(f"not ready after {_READY_S:.0f} s: {names}; {left[0].log} says\n{left[0].tail()}")
            self._interrupted.wait(_LOOK_S / 2)

    def _follow(self, follower: Follower, figures: Figures, begun: float) -> Timing:
        station = f"http://127.0.0.1:{self._port}/?link={self._token}"
        screen = Screen(station, self._source.visits)
        timing = Timing(begun)
        if not sys.stderr.isatty():
            self._console.print(f"station: {station}")
        with Live(console=self._console, refresh_per_second=4, transient=False, auto_refresh=False) as live:
            while not self._is_over(figures, timing):
                follower.follow(_LOOK_S)
                timing.look(figures, time.monotonic())
                for service in self._services.values():
                    service.tend()
                live.update(screen.render(figures, timing.running_s), refresh=sys.stderr.isatty())
                if self._interrupted.is_set():
                    self._services["ingest"].stop()
            live.update(screen.render(figures, timing.running_s), refresh=True)
        return timing

    def _is_over(self, figures: Figures, timing: Timing) -> bool:
        if self._services["ingest"].exit_code() is None:
            return False
        done = figures.visits and not figures.unrouted and not figures.lag
        return bool(done) or timing.idle_s(time.monotonic()) > _SETTLE_S

    def _env(self) -> dict[str, str]:
        return {
            **self._under.env(),
            "LINEWARDEN_NAMESPACE": line.NAMESPACE.name,
            "LINEWARDEN_LOG_LEVEL": "INFO",
            "LINEWARDEN_INGEST__LINE_ID": line.LINE,
            "LINEWARDEN_INGEST__STATION_ID": line.STATION,
            "LINEWARDEN_INGEST__CAMERAS": self._source.cameras_json(),
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(self._folder / "spool"),
            "LINEWARDEN_INSPECT__BUNDLES": str(line.BUNDLES),
            "LINEWARDEN_INSPECT__TORCH_THREADS": "1",
            "LINEWARDEN_KEEPER__BUNDLES": str(line.BUNDLES),
            "LINEWARDEN_STATION__PORT": str(self._port),
            "LINEWARDEN_STATION__LINK_TOKEN": self._token,
        }


_ORDER = ("ingest", "inspect", "route", "keeper", "projector", "station")
"""Order of stopping: sources first. Everything but ingest starts before it."""


def _source(options: DemoOptions, work: Path) -> line.Source:
    if options.source is None:
        return line.simulated(LinePlan(seed=options.seed), options.parts, options.rate)
    if not options.source.is_dir():
        raise ConfigurationError(f"{options.source} is not a folder of pictures")
    source = line.folder(options.source, options.parts, options.rate, work)
    if not source.visits:
        raise ConfigurationError(f"{options.source} holds no picture ({', '.join(line.PICTURES)})")
    return source


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
