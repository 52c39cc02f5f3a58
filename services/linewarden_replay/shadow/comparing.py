"""Batches of live frames: each waits for the live answers, is judged and kept; then its offsets may be committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linewarden_history.selection import Selection
from linewarden_replay.inspecting import RecordedFrame
from linewarden_replay.replay import beside_then, is_pinned_otherwise
from linewarden_replay.rerun.judge import FrameJudge
from linewarden_replay.rerun.keeping import Keeping
from linewarden_replay.rerun.results import Results
from linewarden_replay.shadow.answers import Books, LiveAnswers
from linewarden_replay.shadow.standing import Lag, ShadowStanding, ShadowTally
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import SlowDown
from linewarden_runtime.lifecycle import Stop
from linewarden_runtime.records import InRecord, OutRecord, Position
from linewarden_schemas.envelope import EnvelopeError, decode_frame


@dataclass(frozen=True, slots=True)
class ShadowBounds:
    """When a shadow ends, how long a batch waits for its live answers, how often it is told where it stands (seconds).

    `frames` ends with the batch that reaches it, which is done to its end.
    """

    frames: int | None = None
    for_s: float | None = None
    wait_s: float = 30.0
    tell_s: float = 10.0


class Comparing:
    """What a shadow does with the records of its group; belongs to the thread of its loop."""

    def __init__(
        self,
        selection: Selection,
        answers: LiveAnswers,
        books: Books,
        judge: FrameJudge,
        keeper: Keeping,
        results: Results,
        lag: Lag,
        bounds: ShadowBounds,
        stop: Stop,
        clock: Clock,
        tell: Callable[[ShadowStanding], None],
    ) -> None:
        self._selection, self._answers, self._books, self._results = selection, answers, books, results
        self._judge, self._keeper, self._lag = judge, keeper, lag
        self._bounds, self._stop, self._clock, self._tell = bounds, stop, clock, tell
        self._tally = ShadowTally(results)
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
        frames: list[RecordedFrame] = []
        unreadable = 0
        for record in records:
            try:
                one = RecordedFrame(record, decode_frame(record.headers, record.value))
            except EnvelopeError:
                unreadable += 1
                continue
            if self._selection.holds_frame(one.frame.meta):
                frames.append(one)
                self._answers.begin(record.partition, record.timestamp_ms)
        self.learn()
        self._wait(records[0], frames)
        self.unreadable += unreadable
        self._work([one for one in frames if self._results.take(one.frame.meta.frame_id)])
        self._in_hand = 0
        return []

    def learn(self) -> None:
        """Take in what the live line said and routed since."""
        self._tally.look_at(self._answers.refresh())

    def beat(self) -> None:
        """Tell where it stands when that is due, and ask for the end when the time is over."""
        now = self._clock.monotonic()
        if self._bounds.for_s is not None and now - self._begun >= self._bounds.for_s:
            self._stop.set("the time is over")
        if now - self._told >= self._bounds.tell_s:
            self._told = now
            self._tell(self.standing())

    def standing(self) -> ShadowStanding:
        """The figures so far, and how far it is behind now."""
        behind, grows = self._lag.measure(self._in_hand)
        age_s = max(0.0, (self._clock.now_ms() - self._last_captured_ms) / 1000) if behind else 0.0
        tally = self._tally
        held, passed = len(tally.would_hold), len(tally.would_pass)
        return ShadowStanding(tally.frames, tally.by_kind, held, passed, self._waiting, behind, age_s, grows)

    def _wait(self, first: InRecord, frames: Sequence[RecordedFrame]) -> None:
        """Hold a batch back until every frame is answered, or the wait that began with the batch is over."""
        self._waiting = sum(self._results.then(one.frame.meta.frame_id) is None for one in frames)
        now = self._clock.monotonic()
        if self._since is None or self._since[:2] != (first.position, first.offset):
            self._since = (first.position, first.offset, now)
        if self._waiting and now - self._since[2] < self._bounds.wait_s:
            raise SlowDown(0.2, "the live line has not answered yet")
        self._waiting = 0

    def _work(self, frames: Sequence[RecordedFrame]) -> None:
        if not frames:
            return
        metas = [one.frame.meta for one in frames]
        self._books.refresh()
        judged = self._judge.judge([beside_then(one, self._results) for one in frames])
        self._keeper.keep(judged)
        self._tally.enter(judged)
        self.pinned_otherwise += sum(is_pinned_otherwise(meta, self._books.lines) for meta in metas)
        self._last_captured_ms = metas[-1].captured_ms
        self._done += len(frames)
        if self._bounds.frames is not None and self._done >= self._bounds.frames:
            self._stop.set("as many frames as were asked for")
