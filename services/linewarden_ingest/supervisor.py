"""A process per camera: started, watched, announced when dead, started again, and ended together."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from linewarden_ingest.metrics import CAMERA_RESTARTS, CAMERA_UP
from linewarden_ingest.triggers.feed import TriggerPipe
from linewarden_ingest.triggers.signal import ChannelNews, ChannelState, keys_in
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.broker_time import words_of
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError, Fatal
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop

_GRACE_S = 15.0
_log = structlog.get_logger(__name__)


class DrainTimedOut(Fatal):
    """A camera's process did not end when asked; what it took is safe in its spool."""


@dataclass(slots=True)
class _Child:
    camera_id: str
    backoff: Backoff
    triggers: TriggerPipe
    failures: int = 0
    process: subprocess.Popen[bytes] | None = None
    link: socket.socket | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    is_done: bool = False


class Supervisor:
    """Runs one process for each camera by `command(camera_id)`.

    `clock_error_s(camera_id)` is how far its node's clock is ahead where it's held for that, else None. `conditions()`
    are what is wrong with each camera that is well otherwise, in words.
    `environment` is the children's; `on_death` gets the process id of one that ended.
    A child's standard input is a socket that closes with this process, so that no child outlives it. Through it a child
    is told what the station's side channel brings, and tells of which triggers the captures are on the disk: the others
    are told again to the process that follows a dead one.
    """

    def __init__(
        self,
        camera_ids: list[str],
        command: Callable[[str], list[str]],
        *,
        clock: Clock,
        health: Health,
        environment: Mapping[str, str],
        on_death: Callable[[int], None] = lambda _pid: None,
        restart_after_s: float = 1.0,
        restart_at_most_s: float = 30.0,
        drain_s: float = 10.0,
        clock_error_s: Callable[[str], float | None] = lambda _camera_id: None,
        conditions: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._command, self._clock, self._drain_s = command, clock, drain_s
        self._clock_error_s, self._conditions, self._told_at = clock_error_s, conditions, float("-inf")
        self._health, self._environment, self._on_death = health, dict(environment), on_death
        chances = [random.Random(one).random for one in camera_ids]  # noqa: S311 - jitter
        waits = [Backoff(restart_after_s, restart_at_most_s, jitter=(0.75, 1.25), chance=one) for one in chances]
        self._children = [_Child(one, wait, TriggerPipe(one)) for one, wait in zip(camera_ids, waits, strict=True)]

    def run(self, stop: Stop) -> None:
        """Run until every camera's source came to its end, or until the stop, then drain.

        Raises:
            ConfigurationError: where a camera's process says that its settings are wrong; all are ended.
            DrainTimedOut: where one had to be killed.
        """
        try:
            while not stop.is_set() and not all(child.is_done for child in self._children):
                for child in self._children:
                    self._look_after(child)
                self._health.beat()
                self._tell_unwell()
                stop.wait(self._clock, 0.2)
        finally:
            self._end_all()

    def tell(self, news: ChannelNews) -> None:
        """Tell every camera what the side channel brought; from any thread."""
        if isinstance(news, ChannelState):
            if news.away is None:
                self._health.ready("trigger")
            else:
                self._health.not_ready("trigger", news.away)
        for child in self._children:
            child.triggers.tell(news)

    def _tell_unwell(self) -> None:
        """Name the cameras that are held because their node's clock is wrong, and those under a condition."""
        if self._clock.monotonic() - self._told_at < 1.0:
            return
        self._told_at = self._clock.monotonic()
        errors = {child.camera_id: self._clock_error_s(child.camera_id) for child in self._children}
        held = {f"{name}, held": words_of(error_s * 1000) for name, error_s in errors.items() if error_s is not None}
        under = {f"{name}, its visits divert": words for name, words in self._conditions().items()}
        self._health.unwell(held | under)

    def _look_after(self, child: _Child) -> None:
        if child.is_done:
            return
        if child.process is None:
            if self._clock.monotonic() >= child.start_at:
                self._start(child)
            return
        code = child.process.poll()
        _take_safe(child)  # after the look, so that of a dead one nothing is to come
        child.triggers.flush()
        if code is not None:
            self._ended(child, code)

    def _start(self, child: _Child) -> None:
        command = self._command(child.camera_id)
        # Each message goes whole or not at all, both ways, however long a line is.
        child.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            child.process = subprocess.Popen(command, stdin=theirs.fileno(), env=self._environment)
        child.triggers.attach(child.link.fileno())
        child.started_at = self._clock.monotonic()
        CAMERA_UP.labels(camera=child.camera_id).set(1)
        self._health.ready(child.camera_id)
        _log.info("camera started", camera_id=child.camera_id, pid=child.process.pid)

    def _ended(self, child: _Child, code: int) -> None:
        self._release(child)
        if code == 0:
            child.is_done = True
            _log.info("camera finished", camera_id=child.camera_id)
            return
        if code == ConfigurationError.exit_code:
            raise ConfigurationError(f"camera {child.camera_id} cannot run as it is set up; its own message says why")
        now = self._clock.monotonic()
        # After a minute of life the waits begin anew.
        child.failures = 1 if now - child.started_at >= 60.0 else child.failures + 1
        wait_s = child.backoff.wait_s(child.failures)
        child.start_at = now + wait_s
        CAMERA_RESTARTS.labels(camera=child.camera_id).inc()
        self._health.not_ready(child.camera_id, f"dead, exit code {code}")
        _log.error(
            "camera dead",
            camera_id=child.camera_id,
            exit_code=code,
            failures=child.failures,
            restart_in_s=round(wait_s, 1),
        )

    def _end_all(self) -> None:
        """Ask all to drain, wait, and kill what stays."""
        running = [child for child in self._children if child.process is not None]
        for child in running:
            if child.process is not None:
                child.process.terminate()
        killed = [child.camera_id for child in running if not self._wait(child)]
        if killed:
            raise DrainTimedOut(f"killed after {self._drain_s + _GRACE_S:.0f} s: {', '.join(killed)}")

    def _wait(self, child: _Child) -> bool:
        if child.process is None:
            return True
        try:
            child.process.wait(self._drain_s + _GRACE_S)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
            return False
        finally:
            self._release(child)
        return True

    def _release(self, child: _Child) -> None:
        child.triggers.detach()
        if child.link is not None:
            child.link.close()
        if child.process is not None:
            self._on_death(child.process.pid)
        child.process = child.link = None
        CAMERA_UP.labels(camera=child.camera_id).set(0)


def _take_safe(child: _Child) -> None:
    """Take what a camera's process has said of its triggers since the last call."""
    while child.link is not None:
        try:
            told = child.link.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            continue  # it died with something unread; what it said before that follows
        if not told:
            return
        for key in keys_in(told):
            child.triggers.safe(key)
