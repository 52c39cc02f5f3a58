"""The passes that a partition gave and may have to take back: visible too late, or given while the line let none.

Both are known only afterwards: when a commit has come back, and when a state of the line is learnt that was appended
before the pass was decided.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from linewarden_domain.words import Said
from linewarden_route.events import LineWithheld, PassLate
from linewarden_route.line_watch import LineWatch
from linewarden_runtime.broker_time import BrokerTime, Trip
from linewarden_schemas.disposition import Disposition

LATE_STATE_MS = 30_000
"""For how long after its decision a pass is asked about again. Longer than a state may be unknown to route: 5 s, after
which nothing passes, and a transaction of 10 s in which it may be hidden."""


class _UnconfirmedPass(NamedTuple):
    """One of which it has to be seen whether it was visible in time, when that is known."""

    visit_id: str
    decide_by_ms: int
    visible: Trip
    """When it was visible at the latest."""
    sent: Trip | None
    """What sent it; None for what others sent."""


class _DecidedPass(NamedTuple):
    visit_id: str
    line_id: str
    decided_ms: int


class GivenPasses:
    """Passes of one partition: which are doubtful still, and which have to be taken back."""

    def __init__(self, time: BrokerTime, lines: LineWatch | None) -> None:
        self._time, self._lines = time, lines
        self._unchecked: list[_UnconfirmedPass] = []
        self._late: list[str] = []
        self._decided: deque[_DecidedPass] = deque()
        self._unasked: list[_DecidedPass] = []
        self._heard: int | None = None
        self._against: dict[str, Said] = {}

    def suspect(self, passes: Iterable[tuple[str, int]], sent: Trip | None = None) -> None:
        """Passes, with their decide-by, of which it has to be seen whether they became visible in time."""
        now = self._time.sending()
        self._unchecked += [_UnconfirmedPass(visit_id, decide_by_ms, now, sent) for visit_id, decide_by_ms in passes]

    def decided(self, passes: Iterable[Disposition]) -> None:
        """Passes by which the state of their line at their decision counts, also where it is learnt later."""
        self._unasked += [_DecidedPass(one.visit_id, one.line_id, one.decided_ms) for one in passes]

    @property
    def are_doubted(self) -> bool:
        """Whether nobody knows yet of some that they were visible in time."""
        return bool(self._unchecked)

    @property
    def doubted(self) -> list[tuple[str, int]]:
        """These, each with its decide-by."""
        return [(one.visit_id, one.decide_by_ms) for one in self._unchecked]

    @property
    def suspects(self) -> list[tuple[str, int]]:
        """Passes that are late, or may be: what an heir in this process has to look at."""
        return [*((visit_id, 0) for visit_id in self._late), *self.doubted]

    @property
    def wrong(self) -> list[tuple[str, PassLate | LineWithheld]]:
        """The visits whose pass has to be taken back, and why."""
        withheld = [(visit_id, LineWithheld(why)) for visit_id, why in self._against.items()]
        return [*((visit_id, PassLate()) for visit_id in self._late), *withheld]

    def taken_back(self) -> None:
        """What was wrong is committed as a revision."""
        self._late.clear()
        self._against.clear()

    def check(self) -> None:
        """See which passes were in time, and what has been learnt of their lines."""
        self._check_times()
        self._check_lines()

    def _check_times(self) -> None:
        """A pass that was not surely visible before its decide-by is taken back; that waits for a known time.

        A transaction may be acknowledged without its append time; then only a later one tells of a step before it.
        """
        unchecked, self._unchecked = self._unchecked, []
        for one in unchecked:
            if not self._time.is_known_since(one.sent):
                self._unchecked.append(one)
            # At its decide-by a pass is late, as for everybody who reads it (`Disposition.is_late_pass`).
            elif one.decide_by_ms <= self._time.at_ms(one.visible.sent_at):
                self._late.append(one.visit_id)

    def _check_lines(self) -> None:
        """Only what is new is asked about: those decided since, or all of them once a state was learnt."""
        if self._lines is None or not (self._unasked or self._decided):
            return
        # Asked first: what was renewed since then only makes the rest truer.
        is_fresh, heard = self._lines.is_fresh, self._lines.heard
        asked, self._unasked = self._unasked, []
        if heard != self._heard:
            asked, self._heard = [*self._decided, *asked], heard
            self._decided.clear()
        for one in asked:
            why = self._lines.against_decided(one.line_id, one.decided_ms)
            if why is None:
                self._decided.append(one)
            else:
                self._against[one.visit_id] = why
        # A process that stood still has to learn first what was told meanwhile.
        since_ms = self._time.now_ms() - LATE_STATE_MS
        while is_fresh and self._decided and self._decided[0].decided_ms < since_ms:
            self._decided.popleft()
