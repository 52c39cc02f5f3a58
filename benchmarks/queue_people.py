"""The people of the benchmark of the queue, and who closes what they decided; each function runs in its own process."""

from __future__ import annotations

import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import redis

from benchmarks.queue_parts import LINE, PARTITIONS, Place, record
from linewarden_reinspect.queue.errors import NotLive
from linewarden_reinspect.queue.types import Claimant
from linewarden_reinspect.station.bus import StationBus
from linewarden_runtime.books import positions_of
from linewarden_runtime.clock import SystemClock
from linewarden_schemas.decision import Decision, Shown
from linewarden_schemas.disposition import SlotClose, SlotOpen
from linewarden_schemas.envelope import decode
from linewarden_schemas.ids import decision_id
from linewarden_schemas.vocabulary import CloseReason, Judgement, Role


class Flag(Protocol):
    """Tells a process to end."""

    def is_set(self) -> bool:
        """Whether it is time."""
        ...


@dataclass(slots=True)
class Shift:
    """What some operators did. Times in milliseconds."""

    claims: list[float] = field(default_factory=list)
    decisions: list[float] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    shut: int = 0

    def add(self, other: Shift) -> None:
        """Take another's work over."""
        self.claims += other.claims
        self.decisions += other.decisions
        self.slots += other.slots
        self.shut += other.shut


def operators(place: Place, name: str, first: int, count: int, seconds: float, every_s: float) -> Shift:
    """Some operators of one process, for a while; their decisions share a producer, as those of a station do."""
    broker, clock, shift = place.broker(), SystemClock(), Shift()
    bus = StationBus(lambda: broker.producer(client="station"), LINE, PARTITIONS, clock, 30.0)
    ends = time.monotonic() + seconds
    with ThreadPoolExecutor(count) as pool:
        for own in pool.map(lambda n: _operator(place, bus, f"{name}-{first + n}", ends, every_s), range(count)):
            shift.add(own)
    bus.close()
    return shift


def _operator(place: Place, bus: StationBus, actor: str, ends: float, every_s: float) -> Shift:
    shift, dice = Shift(), random.Random(actor)
    with redis.Redis.from_url(place.redis_url) as client:
        queue = place.queue(client)
        time.sleep(dice.random() * every_s)
        while time.monotonic() < ends:
            began = time.perf_counter()
            token = secrets.token_hex(16)
            try:
                lease = queue.claim(Claimant(actor), token).lease
            except NotLive:
                shift.shut += 1
                time.sleep(0.5)
                continue
            claimed = time.perf_counter()
            if lease is None:
                break
            decision = _decision(lease.slot, actor, token)
            bus.record(decision)
            queue.park(decision.slot_id, token, decision.decision_id)
            decided = time.perf_counter()
            shift.slots.append(decision.slot_id)
            shift.claims.append((claimed - began) * 1000)
            shift.decisions.append((decided - claimed) * 1000)
            time.sleep(max(0.0, every_s - (decided - began)))
    return shift


def _decision(slot: SlotOpen, actor: str, token: str) -> Decision:
    return Decision(
        decision_id=decision_id(slot.slot_id, actor, token),
        slot_id=slot.slot_id,
        visit_id=slot.visit_id,
        judgement=Judgement.NG,
        actor=actor,
        role=Role.OPERATOR,
        decided_ms=slot.opened_ms,
        covers=tuple(frame.frame_id for frame in slot.frames),
        shown=tuple(Shown(frame_id=frame.frame_id, layers=("picture",)) for frame in slot.frames),
    )


def close_decided(place: Place, stop: Flag) -> None:
    """Close every slot that is decided, as route does."""
    broker, clock = place.broker(), SystemClock()
    positions = positions_of(broker, LINE.topic("decisions"))
    with broker.reader(dict.fromkeys(positions, 0)) as reader, broker.producer(client="route") as producer:
        while not stop.is_set():
            for read in reader.poll(0.05):
                message = decode(read.headers, read.value).message
                if isinstance(message, Decision):
                    producer.send(record(_close(message, clock.now_ms()), clock.now_ms()))


def _close(decision: Decision, now_ms: int) -> SlotClose:
    return SlotClose(
        slot_id=decision.slot_id,
        visit_id=decision.visit_id,
        reason=CloseReason.DECIDED,
        closed_ms=now_ms,
        decision_id=decision.decision_id,
        actor=decision.actor,
    )
