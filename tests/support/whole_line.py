"""A whole line in a test: its processes, its figures, and the proof at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from linewarden.demo import line
from linewarden.demo.figures import Figures, Follower
from linewarden.demo.running import RunningLine
from linewarden.demo.servers import Servers
from linewarden_audit.audit import read_ledger
from linewarden_audit.balance import balance
from linewarden_audit.findings import BalanceReport
from linewarden_audit.ledger import AuditLedger
from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_runtime.books import TopicBook
from linewarden_runtime.processes import free_port

DEADLINE_S = 240.0


class LineUnderTest:
    """Follows a running line and restarts what dies, while a test does its worst."""

    def __init__(self, running: RunningLine, follower: Follower, figures: Figures, redis_port: int) -> None:
        self.running, self.figures = running, figures
        self._follower, self._redis_port = follower, redis_port

    def until(self, condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Follow and tend until it holds; fails with the figures where it does not in time."""
        until = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < until, f"not within {deadline_s} s: {what}; {self._told()}"
            self.look()

    def look(self) -> None:
        """Follow for a moment, and start again what died."""
        self._follower.follow(0.2)
        self.running.tend()

    def finish(self) -> None:
        """Wait until the source has ended, every visit is routed and every picture has its answer, in time or late."""
        self.until(lambda: self.running.services["ingest"].exit_code() == 0, "the cameras end")
        self.until(lambda: bool(self.figures.visits) and not self.figures.unrouted, "every visit is routed")
        self.until(lambda: not self.figures.lag, "every picture is answered")

    def ledger(self) -> AuditLedger:
        """Everything that the topics hold now."""
        return read_ledger(self.running.broker, line.NAMESPACE)

    def proof(self) -> BalanceReport:
        """The balance of everything that the topics hold now."""
        return balance(self.ledger(), time.time_ns() // 1_000_000)

    def evidence(self) -> set[str]:
        """Frames of which evidence is kept now."""
        kept: set[str] = set()
        book = TopicBook(
            self.running.broker, line.NAMESPACE.topic("evidence"), lambda r: kept.add((r.key or b"").decode())
        )
        book.refresh()
        book.close()
        return kept

    def waiting_in_queue(self) -> int:
        """Slots that the queue in Redis shows, in whatever hands."""
        with redis.Redis(port=self._redis_port, decode_responses=True) as client:
            return len(RedisQueue(client, line.NAMESPACE.redis_prefix()).dump())

    def empty_redis(self) -> None:
        """Lose Redis whole."""
        with redis.Redis(port=self._redis_port) as client:
            client.flushall()

    def _told(self) -> str:
        figures = self.figures
        return (
            f"captured {len(figures.captured)}, inspected {len(figures.inspected)}, visits {len(figures.visits)}, "
            f"routed {len(figures.routings)}, unrouted {figures.unrouted}"
        )


@contextmanager
def whole_line(
    source: line.PictureSource, under: Servers, folder: Path, extra: Mapping[str, str] | None = None
) -> Iterator[LineUnderTest]:
    """A line that runs already; everything of it ends with the block."""
    station = {"LINEWARDEN_STATION__PORT": str(free_port())}  # the default is one for all who run a line here
    running = RunningLine(source, under, folder, station | dict(extra or {}))
    figures = Figures()
    try:
        running.set_up()
        running.start()
        with Follower(running.broker, line.NAMESPACE, figures) as follower:
            yield LineUnderTest(running, follower, figures, under.redis_port)
    finally:
        running.kill()
