"""What a row runs on: real servers, a whole line around them, and everything that faults take hold of."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from threading import Event

from linewarden.demo import line
from linewarden.demo.running import RunningLine, Service, await_ready
from linewarden.demo.servers import Servers
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.kafka.settings import KafkaSettings
from linewarden_runtime.processes import free_port
from linewarden_runtime.provision import provision_topics
from tests.faults.matrix.flow import Flow
from tests.support import volumes
from tests.support.clocks import FakeClock
from tests.support.kafka_nodes import Node, nodes
from tests.support.real_redis import RealRedis
from tests.support.tcp_proxy import TcpProxy
from tests.support.volumes import Volume

DEADLINE_S = 150.0
PARTS_PER_S = 3.5
DECIDE_BY_MS = 5_000
SESSION_MS = 6_000
_POOL, _SEED = 80, 1
_VISITS = 1_000_000
"""More than a row sees; each start of ingest begins anew."""
_LOOK_S = 0.1
_START_AGAIN_S = 0.5
DISK = "disk"
"""The volume on which spool, broker and Redis lie together."""


class NotBack(Exception):
    """The line did not come back in time; the message says what was awaited, and what is known."""


class NotShown(Exception):
    """The fault could not be seen to have happened."""


@dataclass(frozen=True)
class Needs:
    """What a row needs under its line.

    `volumes`: MiB by name, one of `spool`, `broker`, `redis`, or `disk` for all three. `seconds`: services of which a
    second member runs. `clocks`: services whose wall clock can be set. `node`, `settings`: what brokers and
    services are told beside the usual.
    """

    nodes: int = 1
    proxied: bool = False
    volumes: Mapping[str, int] = field(default_factory=dict)
    clocks: tuple[str, ...] = ()
    seconds: tuple[str, ...] = ()
    node: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def why_not(self) -> str | None:
        """Why this cannot be had here, and what to do about it; None where it can."""
        missing = [f"{program}: sudo apt-get install {package}" for program, package in _PROGRAMS if not _has(program)]
        if self.clocks and FakeClock.library() is None:
            missing.append("libfaketime: sudo apt-get install faketime")
        if self.volumes and (why := volumes.why_not()):
            missing.append(why)
        return "; ".join(missing) or None


class Person(Service):
    """Somebody at a station who takes, keeps, gives back, skips, decides and undoes without pause, by the real desk."""

    def start(self) -> None:
        """Start as a process of its own."""
        command = [sys.executable, "-m", "tests.support.mortal_station"]
        with self.log.open("ab") as log:
            environment = {**os.environ, **self.env}
            self.process = Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def is_ready(self) -> bool:
        """Whether the process lives: nobody is asked."""
        return self.exit_code() is None


_PROGRAMS = (("java", "openjdk-17-jre-headless"), ("mvn", "maven"), ("redis-server", "redis-server"))


def _has(program: str) -> bool:
    return shutil.which(program) is not None


@dataclass(frozen=True)
class BedServers(Servers):
    """Whoever watches reaches the servers directly, the services perhaps through proxies."""

    watched_at: str = ""
    served_at: str = ""

    def kafka(self) -> KafkaSettings:
        """For whoever watches."""
        return KafkaSettings(bootstrap_servers=self.watched_at, session_timeout_ms=SESSION_MS)

    def env(self) -> dict[str, str]:
        """For the services."""
        return {
            "LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS": self.served_at,
            "LINEWARDEN_KAFKA__SESSION_TIMEOUT_MS": str(SESSION_MS),
            "LINEWARDEN_REDIS__PORT": str(self.redis_port),
        }


class LineBed:
    """A line that runs, and whoever follows it. `look` starts again what died."""

    def __init__(self, folder: Path, running: RunningLine, flow: Flow) -> None:
        self.folder, self.running, self.flow = folder, running, flow
        self.broker = running.broker
        self.services: dict[str, Service] = dict(running.services)
        self.restarts: Counter[str] = Counter()
        self.watchers: list[Callable[[], None]] = []
        self._start_at: dict[str, float] = {}

    def look(self) -> None:
        """Follow for a moment, and start again what died, as a supervisor does."""
        self.flow.follow(_LOOK_S)
        for watch in self.watchers:
            watch()
        now = time.monotonic()
        for name, service in self.services.items():
            code = service.exit_code()
            if not code:
                continue
            if name not in self._start_at:
                self.restarts[f"{name} {code}"] += 1
                self._start_at[name] = now + _START_AGAIN_S
            elif now >= self._start_at[name]:
                del self._start_at[name]
                service.start()

    def hold(self, seconds: float) -> None:
        """Let time pass."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()

    def until(self, condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Let time pass until it holds.

        Raises:
            NotBack: where it does not in time.
        """
        until = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > until:
                raise NotBack(f"not within {deadline_s:.0f} s: {what}; {self.told()}")
            self.look()

    def is_whole(self) -> bool:
        """Whether every service runs and says that it is ready."""
        return all(service.exit_code() is None and service.is_ready() for service in self.services.values())

    def told(self) -> str:
        """What is known of the line, for whoever has to find out why it stands."""
        states = {
            name: "runs" if service.exit_code() is None else f"ended {service.exit_code()}"
            for name, service in self.services.items()
        }
        left = self.flow.unsettled(self.flow.arrived)
        return f"{len(self.flow.arrived)} arrived, unsettled {sorted(left)[:5]} of {len(left)}; {states}; {self.folder}"


class Bed(LineBed):
    """A whole line on servers of its own. Faults are done to its parts."""

    def __init__(
        self, folder: Path, needs: Needs, nodes: list[Node], redis: RealRedis, running: RunningLine, flow: Flow
    ) -> None:
        super().__init__(folder, running, flow)
        self.needs, self.nodes, self.redis = needs, nodes, redis
        self.proxies: dict[str, TcpProxy] = {}
        self.volumes: dict[str, Volume] = {}
        self.clocks: dict[str, FakeClock] = {}

    def queue_is_whole(self) -> bool:
        """Whether the queue in Redis shows exactly the slots that are open by the topics."""
        with self.redis.client() as client:
            shown = RedisQueue(client, line.NAMESPACE.redis_prefix()).dump()
        return shown.keys() == self.flow.open_slots


@contextmanager
def bed(folder: Path, needs: Needs, rate: float = PARTS_PER_S, visits: int = _VISITS) -> Iterator[Bed]:
    """Start everything; all of it ends with the block."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        mounted = {name: stack.enter_context(Volume(folder / f"on-{name}", mib)) for name, mib in needs.volumes.items()}

        def place(name: str) -> Path:
            found = mounted.get(name) or mounted.get(DISK)
            return (folder if found is None else found.folder) / name

        proxies: dict[str, TcpProxy] = {}
        brokers = _brokers(stack, needs, place("broker"), proxies)
        redis = stack.enter_context(RealRedis(place("redis")))
        if needs.proxied:
            proxies["redis"] = stack.enter_context(TcpProxy(redis.port))
        under = BedServers(
            brokers[0],
            proxies["redis"].port if needs.proxied else redis.port,
            watched_at=",".join(f"127.0.0.1:{node.internal}" for node in brokers),
            served_at=",".join(f"127.0.0.1:{node.advertised}" for node in brokers),
        )
        plan = line.demo_plan(_SEED, _POOL)
        source = line.simulated(plan, visits, rate, DECIDE_BY_MS, folder / "gallery")
        extra = {
            "LINEWARDEN_INGEST__SPOOL__FOLDER": str(place("spool")),
            "LINEWARDEN_STATION__PORT": str(free_port()),
            **needs.settings,
        }
        running = RunningLine(source, under, folder, extra)
        with running.broker.admin() as admin:
            provision_topics(admin, line.NAMESPACE, line.PARTITIONS, needs.nodes)
        running.set_up()
        flow = stack.enter_context(Flow(running.broker))
        made = Bed(folder, needs, brokers, redis, running, flow)
        made.proxies, made.volumes = proxies, mounted
        stack.callback(_end, made)
        _start(made)
        yield made


def _brokers(stack: ExitStack, needs: Needs, folder: Path, proxies: dict[str, TcpProxy]) -> list[Node]:
    def advertised(port: int) -> int:
        if not needs.proxied:
            return port
        proxy = stack.enter_context(TcpProxy(port))
        proxies[f"broker {port}"] = proxy
        return proxy.port

    names = [folder] if needs.nodes == 1 else [folder / str(number) for number in range(1, needs.nodes + 1)]
    made = nodes(names, advertised, dict(needs.node))
    for node in made:
        stack.callback(node.kill)
        node.begin()
    for node in made:
        node.await_listening()
    return made


def _start(made: Bed) -> None:
    for name in made.needs.seconds:
        made.services[f"{name}.1"] = made.running.service(name, "1")
    station = made.services["station"]
    made.services["person"] = Person("person", station.env, made.folder / "person.log")
    for name in made.needs.clocks:
        clock = FakeClock(made.folder / f"{name}.clock")
        made.clocks[name] = clock
        service = made.services[name]
        service.env = {**service.env, **clock.env()}
    others = [service for name, service in made.services.items() if name != "ingest"]
    for service in others:
        service.start()
    await_ready(others, Event(), DEADLINE_S)
    made.services["ingest"].start()


def _end(made: Bed) -> None:
    for service in made.services.values():
        service.resume()
        service.kill()
