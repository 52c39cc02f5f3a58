"""Batches of live frames: each waits for the live answers, is judged and kept; then its offsets may be committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from linewarden_history.selection import Selection
from linewarden_replay.inspecting import Recorded
from linewarden_replay.replay import is_pinned_otherwise, work_of
from linewarden_replay.rerun.judge import Judge
from linewarden_replay.rerun.keeping import Keeping
from linewarden_replay.rerun.results import Results
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import SlowDown
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode_frame

from .answers import LiveAnswers
from .books import Books
from .lag import Lag
from .standing import Standing, Tally

_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a shadow ends, how long a batch waits for its live answers, how often it is told where it stands (seconds).

    `frames` ends with the batch that reaches it, which is done to its end.
    """

    frames: int | None = None
    for_s: float | None = None
    wait_s: float = 30.0
    tell_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a batch is worked on with."""

    selection: Selection
    answers: LiveAnswers
    books: Books
    judge: Judge
    keeper: Keeping
    results: Results


class Comparing:
    """What a shadow does with the records of its group; belongs to the thread of its loop."""

    def __init__(
        self, desk: Desk, lag: Lag, bounds: Bounds, stop: Stop, clock: Clock, tell: Callable[[Standing], None]
    ) -> None:
        self._desk, self._lag, self._bounds, self._stop, self._clock = desk, lag, bounds, stop, clock
        self._tell = tell
        self._tally = Tally(desk.results)
        self._begun = self._told = clock.monotonic()
        self._done = self._in_hand = self._waiting = 0
        self._since: tuple[Position, int, float] | None = None
        self._last_captured_ms = clock.now_ms()
        self.unreadable = self.pinned_otherwise = 0

    def handle(self, records: Sequence[InRecord]) -> list[OutRecord]:
        """Judge and keep a batch; nothing is left to be written. What was done before is not done again.

        Raises:
            SlowDown: while a live answer is missing that may still come.
        """
        self._in_hand = len(records)
        readable = list(_readable(records))
        frames = [one for one in readable if self._desk.selection.holds_frame(one.frame.meta)]
        for one in frames:
            self._desk.answers.begin(one.record.partition, one.record.timestamp_ms)
        self.learn()
        self._wait(records[0], frames)
        self.unreadable += len(records) - len(readable)
        self._judge([one for one in frames if self._desk.results.take(one.frame.meta.frame_id)])
        self._in_hand = 0
        return []

    def learn(self) -> None:
        """Take in what the live line said and routed since."""
        self._tally.look_at(self._desk.answers.refresh())

    def beat(self) -> None:
        """Tell where it stands when that is due, and ask for the end when the time is over."""
        now = self._clock.monotonic()
        if self._bounds.for_s is not None and now - self._begun >= self._bounds.for_s:
            self._stop.set("the time is over")
        if now - self._told >= self._bounds.tell_s:
            self._told = now
            self._tell(self.standing())

    def standing(self) -> Standing:
        """Where it stands now."""
        behind, grows = self._lag.measure(self._in_hand)
        age_s = max(0.0, (self._clock.now_ms() - self._last_captured_ms) / 1000) if behind else 0.0
        tally = self._tally
        held, passed = len(tally.would_hold), len(tally.would_pass)
        return Standing(tally.frames, tally.by_kind, held, passed, self._waiting, behind, age_s, grows)

    def _wait(self, first: InRecord, frames: Sequence[Recorded]) -> None:
        """Hold a batch back until every frame is answered, or the wait that began with the batch is over."""
        self._waiting = sum(self._desk.results.then(one.frame.meta.frame_id) is None for one in frames)
        now = self._clock.monotonic()
        if self._since is None or self._since[:2] != (first.position, first.offset):
            self._since = (first.position, first.offset, now)
        if self._waiting and now - self._since[2] < self._bounds.wait_s:
            raise SlowDown(_LOOK_AGAIN_S, "the live line has not answered yet")
        self._waiting = 0

    def _judge(self, frames: Sequence[Recorded]) -> None:
        if not frames:
            return
        desk = self._desk
        metas = [one.frame.meta for one in frames]
        desk.books.refresh()
        judged = desk.judge.judge([work_of(one, desk.results) for one in frames])
        desk.keeper.keep(judged)
        self._tally.enter(judged)
        self.pinned_otherwise += sum(is_pinned_otherwise(meta, desk.books.lines) for meta in metas)
        self._last_captured_ms = metas[-1].captured_ms
        self._done += len(frames)
        if self._bounds.frames is not None and self._done >= self._bounds.frames:
            self._stop.set("as many frames as were asked for")


def _readable(records: Sequence[InRecord]) -> Iterator[Recorded]:
    for record in records:
        try:
            yield Recorded(record, decode_frame(record.headers, record.value))
        except EnvelopeError:
            continue  # counted by whoever knows how many there were
