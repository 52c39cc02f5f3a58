"""Time, processes and whose turn it is: everything of a history that is not the line itself.

Each thread of a process is a greenlet. It runs until it asks something of the world (broker, Redis, a wait); there
the scheduler takes over, and anything may happen before the answer comes. One seeded source of chance picks who runs
and how long a turn takes; nothing reads the machine's clock.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

from tests.simulation.filesystem import Died

EPOCH_MS = 1_700_000_000_000
"""True time at the begin of every history."""
P = ParamSpec("P")
T = TypeVar("T")
_FOR_EVER = float("inf")


class Killed(BaseException):
    """This process was killed: nothing that it still tries to do happens."""


class Stuck(Exception):
    """A history takes more turns than any healthy line needs."""


class Inline(Executor):
    """Does work where it is submitted, and keeps its outcome as a thread would."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it now."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future carries it, as a thread's would
            future.set_exception(error)
        return future


class Thread:
    """One greenlet of a process."""

    def __init__(self, process: Process, name: str, run: Callable[[], None]) -> None:
        self.process, self.name = process, name
        self.run = run
        self.greenlet: Any = greenlet(self._run, process.world.scheduler)
        self.until = 0.0
        self.event: Any = None
        self.news: Callable[[], bool] | None = None
        self.seen = -1
        self.failure: Exception | None = None

    def _run(self, *_: object) -> None:
        try:
            self.run()
        except (Killed, Died):
            return
        except Exception as error:  # noqa: BLE001 - told to the supervisor, as an exit code would
            self.failure = error

    @property
    def is_over(self) -> bool:
        """Whether it returned or failed."""
        return bool(self.greenlet.dead)


class Process:
    """A process from its start to its end; the next start is another one of the same name."""

    def __init__(self, world: World, name: str, clock: WallClock) -> None:
        self.world, self.name, self.clock = world, name, clock
        self.is_alive = True
        self.frozen_until = 0.0
        self.cut_until = 0.0
        self.threads: list[Thread] = []
        self.orders: list[str] = []
        """Faults that wait for this process' next call of their kind."""
        self.timed_out = False

    def spawn(self, name: str, run: Callable[[], None]) -> None:
        """Begin a thread."""
        self.threads.append(Thread(self, f"{self.name}/{name}", run))

    def order(self, *kinds: str) -> str | None:
        """Use up the first fault of these kinds that was ordered."""
        for kind in self.orders:
            if kind in kinds:
                self.orders.remove(kind)
                self.world.count_fault(kind)
                return kind
        return None

    def kill(self) -> None:
        """End it as SIGKILL does: no thread does anything any more."""
        self.is_alive = False
        for thread in self.threads:
            if thread.greenlet:  # begun and not over
                thread.greenlet.throw(Killed)
            self.world.forget(thread)
        self.threads.clear()

    def did(self) -> None:
        """Say that it changed something outside itself: if the passing of time woke it, a timer has run out."""
        if self.timed_out:
            self.timed_out = False
            self.world.counts["timer"] += 1


class WallClock:
    """A machine's clock, as `linewarden_runtime.clock.Clock`: an error, a drift, steps. Monotonic time only drifts."""

    def __init__(self, world: World, *, error_s: float = 0.0, rate: float = 1.0) -> None:
        self._world, self.error_s, self.rate = world, error_s, rate
        self.steps: list[tuple[float, float]] = []
        """When it was stepped, in true seconds, and by how much."""

    def now_ms(self) -> int:
        """Wall time as this machine has it."""
        return EPOCH_MS + round((self._world.now * self.rate + self.error_s) * 1000)

    def monotonic(self) -> float:
        """Seconds since the history began, as this machine counts them."""
        return self._world.now * self.rate

    def wait(self, event: Any, seconds: float) -> bool:
        """Let the others run until the event is set or the time is over."""
        self._world.wait(max(0.0, seconds) / self.rate, event=event)
        return bool(event.is_set())

    def step(self, seconds: float) -> None:
        """Step the wall clock."""
        self.error_s += seconds
        self.steps.append((self._world.now, seconds))


class World:
    """The scheduler, and what it counts."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"turns {seed}")
        self.scheduler = getcurrent()
        self.now = 0.0
        self.version = 0
        """Counts what others may wait for."""
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.turns = 0
        self.most_turns = 200_000
        self.processes: dict[str, Process] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._running: dict[Any, Thread] = {}
        self.log: list[str] | None = None

    @property
    def digest(self) -> str:
        """What tells two histories apart: every turn, record and fault went into it."""
        return self._digest.hexdigest()

    def note(self, *words: object) -> None:
        """Write something into the history."""
        line = f"{self.now:.4f} {' '.join(map(str, words))}\n"
        self._digest.update(line.encode())
        if self.log is not None:
            self.log.append(line)

    def count_fault(self, kind: str) -> None:
        """A fault has happened."""
        self.faults[kind] += 1
        self.counts["fault"] += 1
        self.note("fault", kind)

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something at a time, between two turns."""
        self._serial += 1
        heapq.heappush(self._agenda, (max(when, self.now), self._serial, act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something a while from now."""
        self.at(self.now + seconds, act)

    def changed(self) -> None:
        """Something happened that others may wait for."""
        self.version += 1

    def thread(self) -> Thread | None:
        """The thread that runs; None while the scheduler itself acts."""
        return self._running.get(getcurrent())

    def forget(self, thread: Thread) -> None:
        """A thread that was killed will not run again."""
        self._running.pop(thread.greenlet, None)

    def wait(self, seconds: float, *, event: Any = None, news: Callable[[], bool] | None = None) -> None:
        """Give the turn away. Comes back when the time is over, the event set, or `news` is true after a change.

        Raises:
            Killed: where the process was killed meanwhile.
        """
        thread = self.thread()
        if thread is None:
            return
        if not thread.process.is_alive:
            raise Killed
        thread.until, thread.event, thread.news, thread.seen = self.now + seconds, event, news, -1
        self.scheduler.switch()
        if not thread.process.is_alive:
            raise Killed

    def run(self, until: float, *, done: Callable[[], bool] = lambda: False) -> bool:
        """Let everybody run up to a time, or until `done`; whether it is. Raises Stuck after too many turns."""
        while self.now < until:
            if done():
                return True
            if self.turns > self.most_turns:
                raise Stuck(f"{self.turns} turns, and the line is still busy at {self.now:.0f} s")
            if self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
                continue
            ready, then = self._ready()
            if ready:
                self._turn(ready[self.rng.randrange(len(ready))])
            else:
                self.now = min(then, until)
        return done()

    def _ready(self) -> tuple[list[Thread], float]:
        """Threads that may go on now, and, for where there are none, when something is to happen.

        It is asked at each turn about every thread, so it is written out here rather than in small pieces.
        """
        now, version, ready = self.now, self.version, []
        then = self._agenda[0][0] if self._agenda else _FOR_EVER
        for process in self.processes.values():
            if process.frozen_until > now:
                then = min([then, *(max(one.until, process.frozen_until) for one in process.threads)])
                continue
            for thread in process.threads:
                until = thread.until
                if until <= now or (thread.event is not None and thread.event.is_set()):
                    ready.append(thread)
                    continue
                if until < then:  # noqa: PLR1730 - a tenth of a history's time went into calling min()
                    then = until
                if thread.news is not None and thread.seen != version:
                    thread.seen = version
                    if thread.news():
                        ready.append(thread)
        return ready, max(now + 0.0005, then)

    def _turn(self, thread: Thread) -> None:
        self.turns += 1
        self.now += self.rng.random() * 0.004
        process = thread.process
        if thread.event is not None or thread.news is not None:
            process.timed_out = thread.until <= self.now
        self._running[thread.greenlet] = thread
        thread.greenlet.switch()
        if thread.is_over and process.is_alive:
            self._ended(process, thread)

    def _ended(self, process: Process, thread: Thread) -> None:
        """One thread of a process is over, and with it the process."""
        process.kill()
        self.on_end(process, thread.failure)

    def on_end(self, process: Process, failure: Exception | None) -> None:
        """A process ended by itself; the supervisor of a history decides what follows."""
        raise NotImplementedError
