"""The job that keeps a line's acts going: changeovers step by step, checks, what is overdue, and the side channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from linewarden_domain.changing_over import end_check, overdue, step_on
from linewarden_domain.line_acts import signalled
from linewarden_domain.line_situation import LineSituation
from linewarden_line.changeover import ChangeoverTracker
from linewarden_line.master_run import MasterRun
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.records import InRecord, OutRecord
from linewarden_schemas.alarm import LineWord
from linewarden_schemas.base import Message
from linewarden_schemas.capture import CameraHeartbeat, Capture
from linewarden_schemas.changeover import WorkerHeartbeat
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.inspection import Inspection
from linewarden_schemas.line import ChannelSignal
from linewarden_schemas.vocabulary import ChangeoverStage, LineMode

_LOOK_S = 0.5
_log = structlog.get_logger(__name__)

PartCount = Callable[[int], tuple[int, Mapping[int, int]]]
"""How many parts were decided in production since a time (epoch ms), and how far each partition was read for it."""

SeenSince = Callable[[int], Iterable[Message]]
"""Captures and inspections since a time (epoch ms), those of a moment before among them."""


class ActsPart:
    """One line's. What it tells goes out by compare and set beside what people tell, never by the process's own record.

    `look` gives the line as it is now; `act` lets a function of the line as it is in that turn say what is written.
    """

    def __init__(
        self,
        line_id: str,
        clock: Clock,
        look: Callable[[], LineSituation],
        act: Callable[[Callable[[LineSituation], Sequence[Message]]], object],
        count: PartCount,
        seen_since: SeenSince,
    ) -> None:
        self._line_id, self._clock = line_id, clock
        self._look, self._act, self._count, self._seen_since = look, act, count, seen_since
        self._tracker = ChangeoverTracker(line_id)
        self._run: MasterRun | None = None
        self._signal: ChannelSignal | None = None
        self._handled_ms = 0
        self._looked_s = float("-inf")
        self._is_blind = False
        self._counted_since: str | None = None
        self._decided = 0
        self._counted_to: Mapping[int, int] = {}

    def recall(self, message: Message, record: InRecord) -> None:
        """Nothing: what this job knows it looks up, or hears."""

    def learn(self, message: Message, record: InRecord) -> None:
        """Take captures, inspections and dispositions of this line, and what cameras and workers say of themselves."""
        match message:
            case CameraHeartbeat() | WorkerHeartbeat():
                self._tracker.hear(message, self._clock.now_ms())
            case Capture():
                self._tracker.captured(message)
                if self._run is not None:
                    self._run.see(message)
            case Inspection() if self._run is not None:
                self._run.see(message)
            case Disposition(revision=0):
                self._tracker.routed(message)
                state = message.line_state
                is_new = record.offset >= self._counted_to.get(record.partition, 0)
                if is_new and message.line_id == self._line_id and state and state.mode is LineMode.PRODUCTION:
                    self._decided += 1

    def due(self, now_ms: int) -> list[OutRecord]:  # noqa: ARG002 - the time of its own clock, once more a look
        """Look at the line twice a second, and tell what follows; raises what publishing does."""
        if self._clock.monotonic() - self._looked_s < _LOOK_S:
            return []
        self._looked_s = self._clock.monotonic()
        try:
            line = self._look()
        except ConfigurationError as unreadable:
            # Nobody knows what is active on the line. Captures say so and divert; until the next activation nothing
            # is moved on.
            if not self._is_blind:
                _log.error("the line's acts stand still", line_id=self._line_id, why=str(unreadable))
            self._is_blind = True
            return []
        self._is_blind = False
        self._follow(line)
        if self._wanted(line):
            self._act(self._wanted)
        if self._signal is not None:
            self._handled_ms = self._signal.at_ms
        return []

    def word(self, word: LineWord, now_ms: int) -> LineWord:  # noqa: ARG002 - the time is of no use here
        """The word as it is: what this job says has topics of its own."""
        return word

    def _follow(self, line: LineSituation) -> None:
        """Take up a check that began, with what was seen since then, and count anew after a good one."""
        check, rules = line.open_check, None if line.recipe is None else line.recipe.check
        if check is None:
            self._run = None
        elif self._run is None or self._run.check.check_id != check.check_id:
            masters = () if rules is None else (one.part_id for one in rules.masters)
            run = MasterRun(check, frozenset(masters))
            # This process may have begun in the middle of it; what comes once more tells nothing new.
            for message in self._seen_since(check.began_ms):
                run.see(message)
            self._run = run
        counts = line.good is not None and rules is not None and rules.every_parts is not None
        if counts and line.good is not None and self._counted_since != line.good.check_id:
            self._decided, self._counted_to = self._count(line.good.at_ms)
            self._counted_since = line.good.check_id
        newest = next((beat.signal for beat in reversed(list(self._tracker.signals()))), None)
        self._signal = newest if newest is not None and newest.at_ms > self._handled_ms else None

    def _wanted(self, line: LineSituation) -> Sequence[Message]:
        """What is to be told of the line as it is; nothing where nothing is."""
        decided = 0 if self._counted_since is None else self._decided
        return (
            overdue(line, decided)
            or self._of_check(line)
            or self._of_changeover(line)
            or (signalled(line, self._signal) if self._signal is not None else ())
        )

    def _of_check(self, line: LineSituation) -> Sequence[Message]:
        run, recipe = self._run, line.recipe
        is_same = run is not None and line.open_check is not None and run.check.check_id == line.open_check.check_id
        if run is None or not is_same or recipe is None or recipe.check is None:
            return ()
        answers = run.answers(recipe, recipe.check)
        outcome = run.outcome(answers, line.now_ms)
        if outcome is None:
            return ()
        _log.info("a check with master parts ends", line_id=self._line_id, outcome=outcome.value)
        return end_check(line, outcome, answers)

    def _of_changeover(self, line: LineSituation) -> Sequence[Message]:
        change = line.open_changeover
        if change is None or change.stage is ChangeoverStage.CHECKED or line.open_check is not None:
            return ()
        now = self._tracker.progress(change, line.recipe, line.now_ms)
        return step_on(
            line,
            now.stage,
            waiting_for=now.waiting_for,
            acknowledged=now.acknowledged,
            open_before=now.open_before,
        )
