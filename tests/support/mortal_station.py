"""A station with one tireless person, that is killed, or whose Redis is killed, at a chosen point of its work.

`python -m tests.support.mortal_station`: settings as the station's, and

    MORTAL_POINT   <act>.<before|after>, e.g. `park.before`; empty: nobody is killed
    MORTAL_VICTIM  process id to kill with SIGKILL; empty: this very process

Everything but the person and the killing is the station's own: desk, queue, bus, outbox.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from itertools import count
from typing import Any

import redis

from linewarden_reinspect.queue.redis_queue import RedisQueue
from linewarden_reinspect.settings import StationProcess
from linewarden_reinspect.station.bus import StationBus
from linewarden_reinspect.station.desk import ReviewDesk
from linewarden_reinspect.station.errors import StationError
from linewarden_reinspect.station.judging import Given
from linewarden_reinspect.station.outbox import Outbox
from linewarden_reinspect.station.sessions import Hand, Session
from linewarden_runtime import logs
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_runtime.kafka.broker import KafkaBroker
from linewarden_runtime.lifecycle import Stop, stop_on_signals
from linewarden_runtime.redis_client import connect
from linewarden_schemas.ids import Namespace
from linewarden_schemas.vocabulary import Judgement, Role

ACTS = ("claim", "renew", "release", "skip", "learn", "park", "told", "record")
POINTS = tuple(f"{act}.{when}" for act in ACTS for when in ("before", "after"))
_PAUSE_S = 0.05


class Fate:
    """Kills its victim the first time that the point is reached."""

    def __init__(self, point: str, victim: int) -> None:
        self._point, self._victim = point, victim

    def reach(self, point: str) -> None:
        """Strike, if this is the point."""
        if point == self._point:
            self._point = ""
            os.kill(self._victim, signal.SIGKILL)


class Fated:
    """Anything, with the fate asked before and after each act."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real, self._fate = real, fate

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        return self._acting(name, real) if name in ACTS else real

    def _acting(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any) -> Any:
            if name == "told" and not arguments[0]:
                return None
            self._fate.reach(f"{name}.before")
            answer = real(*arguments)
            self._fate.reach(f"{name}.after")
            return answer

        return act


def work_off(desk: ReviewDesk, outbox: Outbox, stop: Stop) -> None:
    """Take, keep, give back, skip, decide and undo until told to stop; try again whatever fails."""
    clock, session = SystemClock(), Session("session", "token", "lea", Role.LEAD, "link", "lea")
    turns = count()
    while not stop.is_set():
        try:
            hand = desk.claim(session)
            if hand is not None:
                _act(desk, session, hand, next(turns))
            outbox.carry()
        except (StationError, redis.RedisError):
            clock.wait(stop.event, _PAUSE_S)
        clock.wait(stop.event, _PAUSE_S)


def _act(desk: ReviewDesk, session: Session, hand: Hand, turn: int) -> None:
    slot, token = hand.slot.slot_id, hand.token
    desk.renew(session, slot, token)
    if turn % 5 == 0:
        desk.release(session, slot, token)
    elif turn % 5 == 1:
        desk.skip(session, slot, token)
    else:
        desk.first(session, slot, token, Judgement.NG, ())
        desk.decide(session, slot, token, Given(Judgement.NG))
        if turn % 5 == 2:
            desk.undo(session)


def main() -> int:
    """Build the station and work until SIGTERM."""
    settings, stop, clock = StationProcess.load(), Stop(), SystemClock()
    logs.configure("station", level=settings.log_level)
    stop_on_signals(stop)
    namespace, broker = Namespace(settings.namespace), KafkaBroker(settings.kafka)
    fate = Fate(os.environ.get("MORTAL_POINT", ""), int(os.environ.get("MORTAL_VICTIM") or os.getpid()))
    partitions = len(positions_of(broker, namespace.topic("decisions")))
    with (
        connect(settings.redis) as client,
        closing(StationBus(lambda: broker.producer(client="station"), namespace, partitions, clock, 5.0)) as bus,
    ):
        queue = Fated(RedisQueue(client, namespace.redis_prefix(), settings.reinspect.terms()), fate)
        work_off(ReviewDesk(queue, Fated(bus, fate), clock), Outbox(queue, bus, clock), stop)  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
