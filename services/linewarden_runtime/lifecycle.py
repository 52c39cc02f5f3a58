"""How a process ends: a signal sets a flag, loops drain, and the exit code tells the truth."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

import structlog

from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import DeadLetterCapExceeded, Fatal, RuntimeFault
from linewarden_runtime.health import Health
from linewarden_runtime.metrics import STAGE_STOPPED


class Stop:
    """The wish to stop, with its reason; set once, from any thread or signal handler."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = ""

    def set(self, reason: str) -> None:
        """Ask every loop to drain and return."""
        if not self.event.is_set():
            self.reason = reason
            self.event.set()

    def is_set(self) -> bool:
        """Whether somebody asked the process to end; never false again."""
        return self.event.is_set()

    def wait(self, clock: Clock, seconds: float) -> bool:
        """Wait, but not longer than until somebody asks; whether somebody did."""
        return clock.wait(self.event, seconds)


def stop_on_signals(stop: Stop) -> None:
    """Let SIGTERM and SIGINT set the flag, and nothing else: no client may be used in a handler."""

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def run_visibly(stage: Callable[[], None], health: Health, stop: Stop, clock: Clock) -> None:
    """Run a stage; where its cap of dead letters stopped it, say so and stand still until asked to stop.

    A supervisor that started it over and over would drain the line all the same; a person who has looked starts it.
    Raises what the stage raised.
    """
    try:
        stage()
    except DeadLetterCapExceeded as stopped:
        STAGE_STOPPED.set(1)
        structlog.get_logger(__name__).error("the stage stands still", why=str(stopped))
        health.not_ready("dead-letters", str(stopped))
        while not stop.wait(clock, 5.0):
            health.beat()
        raise


def run_service(name: str, run: Callable[[Stop], None], stop: Stop | None = None) -> int:
    """Run a service until it is asked to stop or fails, and give the exit code.

    0 after a stop; what a Fatal carries (75 for a fenced process, which may be started again); 1 for anything
    that nobody foresaw.
    """
    log = structlog.get_logger(name)
    stop = stop or Stop()
    try:
        run(stop)
    except Fatal as fatal:
        log.error("ended", error=type(fatal).__name__, detail=str(fatal), exit_code=fatal.exit_code)  # noqa: TRY400 - the message says all
        return fatal.exit_code
    except RuntimeFault as fault:
        log.error("gave up", error=type(fault).__name__, detail=str(fault), exit_code=1)  # noqa: TRY400 - the same
        return 1
    except Exception:
        log.exception("crashed")
        return 1
    log.info("stopped", reason=stop.reason)
    return 0
