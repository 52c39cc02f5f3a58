"""Pictures and triggers of one camera, joined by a counter or within a window in time; pure.

Each picture and each trigger comes out once: together with its partner, or alone with the cause. Doubt is never solved
by a guess: where two could belong to one, all of them come out alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from linewarden_ingest.cameras.interface import Shot
from linewarden_ingest.triggers.signal import PartSignal


class JoinCause(StrEnum):
    """What came of a picture or a trigger, as it is counted; everything but `JOINED` diverts."""

    JOINED = "joined"
    NO_TRIGGER = "no_trigger"
    NO_PICTURE = "no_picture"
    TWO_OF_ONE = "two_of_one"
    COUNTER_JUMP = "counter_jump"


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """A picture with its trigger, or one of them alone, never neither; `why` in words where it diverts."""

    picture: Shot | None
    signal: PartSignal | None
    cause: JoinCause = JoinCause.JOINED
    why: str | None = None


class Joiner(ABC):
    """Takes both kinds as they come. A horizon is a time (epoch ms) up to which everything was given to it."""

    def __init__(self) -> None:
        self._out: list[JoinOutcome] = []

    @abstractmethod
    def picture(self, shot: Shot) -> None:
        """Take a picture, or a shot whose picture is lost."""

    @abstractmethod
    def signal(self, signal: PartSignal) -> None:
        """Take a trigger of the side channel."""

    def due(self, horizon_ms: float) -> list[JoinOutcome]:
        """What is decided at this horizon, which never goes back: each picture and each trigger once in all."""
        self._decide(horizon_ms)
        found, self._out = self._out, []
        return found

    def flush(self) -> list[JoinOutcome]:
        """All that is held, as if nothing more came; for the end."""
        return self.due(float("inf"))

    @abstractmethod
    def _decide(self, horizon_ms: float) -> None: ...


class _JoinSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeJoin(_JoinSettings):
    """A picture belongs to a trigger where it was taken `earliest_ms` to `latest_ms` after it.

    Both are given to the joiner within `settle_ms` of their times; what comes later is joined to nothing. A part is
    known `latest_ms` + `settle_ms` after its trigger, since a second one could come until then.
    """

    by: Literal["time"] = "time"
    earliest_ms: int = 0
    latest_ms: int = Field(100, le=60_000)
    settle_ms: int = Field(100, ge=0, le=60_000)

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if not -60_000 <= self.earliest_ms <= self.latest_ms:
            raise ValueError("earliest_ms must lie between -60000 and latest_ms")
        return self

    def joiner(self) -> Joiner:
        """A joiner that holds nothing yet."""
        return TimeJoiner(self)


class CounterJoin(_JoinSettings):
    """A picture belongs to the trigger whose counter is the camera's own plus `offset`; both within `wait_ms`."""

    by: Literal["counter"] = "counter"
    offset: int = 0
    wait_ms: int = Field(1000, ge=0, le=60_000)

    def joiner(self) -> Joiner:
        """A joiner that holds nothing yet."""
        return CounterJoiner(self)


AnyJoin = Annotated[TimeJoin | CounterJoin, Field(discriminator="by")]


@dataclass(slots=True, eq=False)
class _Awaited:
    """A picture or a trigger that may still find, or stand in the way of, another."""

    at_ms: int
    closes_ms: int
    is_late: bool
    picture: Shot | None = None
    signal: PartSignal | None = None
    is_out: bool = False


def _at(held: _Awaited) -> int:
    return held.at_ms


class TimeJoiner(Joiner):
    """Joins a picture and a trigger only where each has no other within the window, once no other can come."""

    def __init__(self, options: TimeJoin) -> None:
        super().__init__()
        self._options = options
        self._pictures: list[_Awaited] = []
        self._signals: list[_Awaited] = []
        self._sure_ms = float("-inf")
        """Everything of before this time has come."""

    def picture(self, shot: Shot) -> None:
        """Take a picture; its `captured_ms` counts."""
        at_ms = shot.captured_ms
        held = _Awaited(at_ms, at_ms - self._options.earliest_ms, at_ms < self._sure_ms, picture=shot)
        insort(self._pictures, held, key=_at)

    def signal(self, signal: PartSignal) -> None:
        """Take a trigger; its `trigger_ms` counts."""
        at_ms = signal.trigger_ms
        held = _Awaited(at_ms, at_ms + self._options.latest_ms, at_ms < self._sure_ms, signal=signal)
        insort(self._signals, held, key=_at)

    def _decide(self, horizon_ms: float) -> None:
        self._sure_ms = max(self._sure_ms, horizon_ms - self._options.settle_ms)
        for held in sorted([*self._pictures, *self._signals], key=_at):
            if not held.is_out:
                self._resolve(held)
        self._pictures = [held for held in self._pictures if not self._is_done(held)]
        self._signals = [held for held in self._signals if not self._is_done(held)]

    def _resolve(self, held: _Awaited) -> None:
        near = self._near(held)
        rivals = self._near(near[0]) if near else []
        if len(near) > 1:
            self._alone(held, JoinCause.TWO_OF_ONE, f"{_several(near)} are within its window")
        elif len(rivals) > 1:
            self._alone(held, JoinCause.TWO_OF_ONE, f"{_several(rivals)} are within the window of {_name(near)}")
        elif held.is_late:
            self._alone(held, _missing(held), "it came too late to be joined")
        elif not self._is_closed(held):
            return
        elif not near:
            self._alone(held, _missing(held), "none came within its window")
        elif near[0].is_late:
            self._alone(held, _missing(held), f"{_name(near)} came too late to be joined")
        elif near[0].is_out:
            self._alone(held, JoinCause.TWO_OF_ONE, f"{_name(near)} was near others as well")
        elif self._is_closed(near[0]):
            held.is_out = near[0].is_out = True
            self._out.append(JoinOutcome(held.picture or near[0].picture, held.signal or near[0].signal))

    def _near(self, held: _Awaited) -> list[_Awaited]:
        """The others within the window of one, also those that are out already."""
        earliest, latest = self._options.earliest_ms, self._options.latest_ms
        if held.picture is not None:
            others, low, high = self._signals, held.at_ms - latest, held.at_ms - earliest
        else:
            others, low, high = self._pictures, held.at_ms + earliest, held.at_ms + latest
        return others[bisect_left(others, low, key=_at) : bisect_right(others, high, key=_at)]

    def _is_closed(self, held: _Awaited) -> bool:
        """Whether nothing that is in time can come into its window any more."""
        return held.closes_ms < self._sure_ms

    def _is_done(self, held: _Awaited) -> bool:
        return held.is_out and self._is_closed(held) and all(other.is_out for other in self._near(held))

    def _alone(self, held: _Awaited, cause: JoinCause, why: str) -> None:
        held.is_out = True
        self._out.append(JoinOutcome(held.picture, held.signal, cause, f"{_words(held, cause)}: {why}"))


class _Counter:
    """What came of one counter; `since_ms` is the first horizon after it began."""

    def __init__(self) -> None:
        self.since_ms: float | None = None
        self.picture: Shot | None = None
        self.signal: PartSignal | None = None
        self.is_over = False


class CounterJoiner(Joiner):
    """Joins at once where both of a counter are there; what comes of the same counter afterwards comes out alone."""

    def __init__(self, options: CounterJoin) -> None:
        super().__init__()
        self._options = options
        self._counters: dict[int, _Counter] = {}

    def picture(self, shot: Shot) -> None:
        """Take a picture by its `counter`; one without is nobody's."""
        if shot.counter is None:
            why = "a picture without trigger: the camera gave it no counter"
            self._out.append(JoinOutcome(shot, None, JoinCause.NO_TRIGGER, why))
            return
        number = shot.counter + self._options.offset
        held = self._counters.setdefault(number, _Counter())
        if held.is_over or held.picture is not None:
            self._doubled(held, number, JoinOutcome(shot, None))
            return
        held.picture = shot
        self._join(held)

    def signal(self, signal: PartSignal) -> None:
        """Take a trigger by its `counter`."""
        held = self._counters.setdefault(signal.counter, _Counter())
        if held.is_over or held.signal is not None:
            self._doubled(held, signal.counter, JoinOutcome(None, signal))
            return
        held.signal = signal
        self._join(held)

    def _join(self, held: _Counter) -> None:
        if held.picture is not None and held.signal is not None:
            held.is_over = True
            self._out.append(JoinOutcome(held.picture, held.signal))

    def _doubled(self, held: _Counter, number: int, one: JoinOutcome) -> None:
        """Let the second of a counter out alone, and the first as well where it was still held."""
        waiting = [] if held.is_over else [JoinOutcome(held.picture, None), JoinOutcome(None, held.signal)]
        held.is_over = True
        why = f"two of one: several pictures or triggers have counter {number}"
        for each in (*waiting, one):
            if each.picture is not None or each.signal is not None:
                self._out.append(JoinOutcome(each.picture, each.signal, JoinCause.TWO_OF_ONE, why))

    def _decide(self, horizon_ms: float) -> None:
        over = []
        for number, held in self._counters.items():
            held.since_ms = horizon_ms if held.since_ms is None else held.since_ms
            if horizon_ms == float("inf") or horizon_ms - held.since_ms > self._options.wait_ms:
                over.append(number)
                self._let_go(number, held)
        for number in over:
            del self._counters[number]

    def _let_go(self, number: int, held: _Counter) -> None:
        if held.is_over:
            return
        cause = JoinCause.NO_TRIGGER if held.signal is None else JoinCause.NO_PICTURE
        missing = "trigger" if held.signal is None else "picture"
        why = f"without {missing}: none of counter {number} came within {self._options.wait_ms} ms"
        self._out.append(JoinOutcome(held.picture, held.signal, cause, why))


def _missing(held: _Awaited) -> JoinCause:
    return JoinCause.NO_TRIGGER if held.signal is None else JoinCause.NO_PICTURE


def _words(held: _Awaited, cause: JoinCause) -> str:
    what = "a picture" if held.signal is None else f"trigger {held.signal.counter}"
    if cause is JoinCause.TWO_OF_ONE:
        return f"two of one, {what}"
    return f"{what} without {'trigger' if held.signal is None else 'picture'}"


def _name(held: list[_Awaited]) -> str:
    return ", ".join("the picture" if one.signal is None else f"trigger {one.signal.counter}" for one in held[:5])


def _several(held: list[_Awaited]) -> str:
    return f"{len(held)} pictures" if held[0].signal is None else f"{len(held)} triggers ({_name(held)})"
