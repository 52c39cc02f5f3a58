"""Tells one output on a thread of its own, so that its watchdog moves on whatever the log does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import structlog

from linewarden_onward.interface import GateAct, Notice, Output, OutputAway, OutputRefused, OutputRun
from linewarden_onward.metrics import AWAY, PERMISSIONS, REFUSED, TOLD
from linewarden_onward.options import OutputOptions
from linewarden_onward.permission import permission_of
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.bounded import Bounded
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.health import Health
from linewarden_runtime.lifecycle import Stop
from linewarden_schemas.disposition import Disposition
from linewarden_schemas.operations import Actuation

_MOST_WAIT_S = 300.0
"""However long a receiver asks to be left alone."""
_AT_ONCE = 8
"""Revisions of one `tell`, so that beats come between those of a backlog."""
_REMEMBERED = 4_096
"""Visits of which it is remembered what was told, for the reports of a gate."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """A disposition, and when its record was appended (epoch ms)."""

    disposition: Disposition
    append_ms: int


class Teller:
    """Owns the output: opens it, tells it what is handed over, beats, and closes it.

    `turn` runs on one thread; what the loop calls (`hand_over`, `answer`, `actuations`) on another. `wake` is called
    when there is something for the loop. `guard` surrounds every call of the output: one that hangs cannot be ended
    otherwise than with the process.
    """

    def __init__(
        self,
        options: OutputOptions,
        run: OutputRun,
        is_held: Callable[[], bool],
        health: Health,
        *,
        wake: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
        beat_s: float = 0.2,
        simulated_opens: bool = False,
        guard: Callable[[str], AbstractContextManager[None]] = lambda _doing: nullcontext(),
    ) -> None:
        self._guard = guard
        self._options, self._run, self._is_held, self._health = options, run, is_held, health
        self._wake_loop, self._beat_s, self._simulated_opens = wake, beat_s, simulated_opens
        self._backoff = backoff or Backoff(0.5, 5.0)
        self._output: Output | None = None
        self._waiting: list[Telling] = []
        self._notices: list[Notice] = []
        self._refused: list[OutputRefused] = []
        self._actuations: list[Actuation] = []
        self._is_busy = False
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._sequence = 0
        self._told: Bounded[str, tuple[int | None, bool]] = Bounded(_REMEMBERED)
        """By visit: the sequence of its permission, and whether it is simulated."""
        self._failures, self._try_s = 0, float("-inf")
        health.not_ready("output", "not opened yet")

    def hand_over(self, tellings: Sequence[Telling]) -> None:
        """Have these told, in their order; only when what was handed over before is answered."""
        with self._lock:
            if self._is_busy:
                raise RuntimeError("what was handed over before is not answered yet")
            self._waiting, self._is_busy = list(tellings), True
        self._wake.set()

    def answer(self) -> list[OutputRefused] | None:
        """What the receiver refused of what was handed over, once all the rest is acknowledged; None until then."""
        with self._lock:
            if not self._is_busy or self._waiting or self._notices:
                return None
            refused, self._refused, self._is_busy = self._refused, [], False
            return refused

    def actuations(self) -> list[Actuation]:
        """What the gate did since this was asked last."""
        with self._lock:
            found, self._actuations = self._actuations, []
            return found

    def run(self, until: Stop) -> None:
        """Turn until asked to stop, then close the output. Raises ConfigurationError as `OutputOptions.open` does."""
        try:
            while not until.is_set():
                self.turn()
                self._run.clock.wait(self._wake, self._beat_s)
                self._wake.clear()
        finally:
            self.close()

    def close(self) -> None:
        """Close the output, where it was opened."""
        output, self._output = self._output, None
        if output is not None:
            with self._guard("close"):
                output.close()

    def turn(self) -> None:
        """Open the output where it is not, tell what waits and is due, and beat."""
        if self._output is None and not self._open():
            return
        self._tell()
        self._beat()

    def _open(self) -> bool:
        if self._run.clock.monotonic() < self._try_s:
            return False
        try:
            with self._guard("open"):
                self._output = self._options.open(self._run)
        except OutputAway as away:
            self._put_off(away, "open")
            return False
        except ModuleNotFoundError as missing:
            raise ConfigurationError(
                f"an output of kind {self._options.kind} needs {missing.name}, which is not installed; "
                "for those of linewarden: pip install 'linewarden[onward]'"
            ) from missing
        self._has_answered()
        return True

    def _tell(self) -> None:
        output = self._output
        with self._lock:
            waiting, self._waiting = self._waiting, []
            # Made once, so that what is told again has the same sequence; a time that was not known gives none later.
            self._notices += self._made(waiting)
        while output is not None and self._notices and self._run.clock.monotonic() >= self._try_s and self._is_held():
            now_ms = self._run.now_ms()
            notices = [one.as_of(now_ms) for one in self._notices[:_AT_ONCE]]
            try:
                with self._guard("tell"):
                    output.tell(notices)
            except OutputAway as away:
                self._put_off(away, "tell")
            except OutputRefused as refused:
                self._give_up(notices, refused)
            else:
                self._has_told(len(notices), None)
            if self._notices:
                self._beat()

    def _made(self, tellings: Sequence[Telling]) -> list[Notice]:
        """What is told; a visit of which something later is known already has no permission any more."""
        later = {one.disposition.visit_id for one in tellings if one.disposition.revision > 0}
        return [self._notice(one, is_newest=one.disposition.visit_id not in later) for one in tellings]

    def _notice(self, telling: Telling, *, is_newest: bool) -> Notice:
        disposition = telling.disposition
        permission = None
        if is_newest:
            permission = permission_of(
                disposition,
                telling.append_ms,
                self._run.now_ms(),
                self._run.epoch,
                self._sequence + 1,
                simulated_opens=self._simulated_opens,
            )
        if permission is not None:
            self._sequence += 1
            PERMISSIONS.labels(output=self._options.output_id).inc()
        if disposition.revision == 0:
            sequence = None if permission is None else permission.sequence
            self._told[disposition.visit_id] = sequence, disposition.is_simulated
        return Notice(disposition, permission)

    def _give_up(self, notices: Sequence[Notice], refused: OutputRefused) -> None:
        keys = [one.key for one in notices]
        if refused.notice.key not in keys:
            raise RuntimeError(f"output {self._options.output_id} refused {refused.notice.key}, which it was not told")
        REFUSED.labels(output=self._options.output_id, cause=refused.cause).inc()
        _log.error(
            "the receiver refused", visit_id=refused.notice.disposition.visit_id, cause=refused.cause, why=str(refused)
        )
        self._has_told(keys.index(refused.notice.key), refused)

    def _has_told(self, count: int, refused: OutputRefused | None) -> None:
        TOLD.labels(output=self._options.output_id).inc(count)
        with self._lock:
            self._notices = self._notices[count + (refused is not None) :]
            self._refused += [] if refused is None else [refused]
            is_done = not self._notices
        self._has_answered()
        if is_done:
            self._wake_loop()

    def _beat(self) -> None:
        if self._output is None:
            return
        try:
            with self._guard("beat"):
                acts = self._output.beat()
        except OutputAway as away:
            AWAY.labels(output=self._options.output_id, doing="beat").inc()
            self._health.not_ready("output beat", str(away))
            return
        self._health.ready("output beat")
        if acts:
            with self._lock:
                self._actuations += [self._actuation(one) for one in acts]
            self._wake_loop()

    def _actuation(self, act: GateAct) -> Actuation:
        sequence, is_simulated = self._told.get(act.visit_id, (None, None))
        return Actuation(
            visit_id=act.visit_id,
            intended=act.intended,
            actual=act.actual,
            at_ms=act.at_ms,
            detail=None if act.detail is None else act.detail[:2000],
            output_id=self._options.output_id,
            epoch=self._run.epoch,
            sequence=sequence,
            is_simulated=is_simulated,
            bin_full=act.bin_full,
        )

    def _put_off(self, away: OutputAway, doing: str) -> None:
        self._failures += 1
        wait_s = max(self._backoff.wait_s(self._failures), min(away.retry_after_s, _MOST_WAIT_S))
        self._try_s = self._run.clock.monotonic() + wait_s
        AWAY.labels(output=self._options.output_id, doing=doing).inc()
        self._health.not_ready("output", f"the receiver is away: {away}")
        _log.warning("the receiver is away", doing=doing, why=str(away), again_s=round(wait_s, 1))

    def _has_answered(self) -> None:
        self._failures, self._try_s = 0, float("-inf")
        self._health.ready("output")
