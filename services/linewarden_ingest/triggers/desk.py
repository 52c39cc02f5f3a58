"""What a source of triggers gives its lines to, and the loop that keeps a source read."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog

from linewarden_ingest.metrics import TRIGGER_LINES, TRIGGER_LINES_REFUSED, TRIGGER_SOURCE_UP
from linewarden_ingest.triggers.parsing import MOST_LINE, LineFormat, LineRefused
from linewarden_ingest.triggers.signal import ChannelNews, ChannelOrder, ChannelState, PartSignal
from linewarden_runtime.backoff import Backoff
from linewarden_runtime.clock import Clock
from linewarden_runtime.errors import ConfigurationError
from linewarden_runtime.lifecycle import Stop

_DIGITS = 20
_log = structlog.get_logger(__name__)


class SourceAway(Exception):
    """The side channel cannot be read now; it is tried again after a while."""


class TriggerSource(Protocol):
    """A side channel that is read line by line."""

    def bring(self, desk: TriggerDesk, until: Stop) -> None:
        """Give each line as it comes, until the stop, and tell when it is reached.

        Raises:
            SourceAway: where it cannot be reached, or is lost.
            ConfigurationError: where what people set is not as it must be.
        """
        ...


class CounterMemory:
    """The side channel's last counter in a file, which a killed process leaves as it was; a power cut may lose some."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def read(self) -> int | None:
        """What was written last; None where nothing was, or what is there is no number."""
        text = os.pread(self._file, _DIGITS, 0)
        return int(text) if text.isdigit() else None

    def write(self, counter: int) -> None:
        """Keep it, in one write of always the same length; on a full disk the place is there already, or nothing is."""
        with suppress(OSError):
            os.pwrite(self._file, b"%0*d" % (_DIGITS, counter), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class TriggerDesk:
    """Reads, stamps and numbers each line once for the whole station; used from any thread.

    What is no trigger is counted and refused with its reason. A counter that does not follow the one before makes a
    doubt of its trigger, also where the one before was told to a process that has died: `memory` keeps it.
    """

    def __init__(
        self,
        kind: str,
        form: LineFormat,
        clock: Clock,
        hand: Callable[[ChannelNews], None],
        memory: CounterMemory | None = None,
    ) -> None:
        self._form, self._clock, self._hand = form, clock, hand
        self._memory = memory if form.counts else None
        self._lines, self._up = TRIGGER_LINES.labels(source=kind), TRIGGER_SOURCE_UP.labels(source=kind)
        self._refusals = TRIGGER_LINES_REFUSED.labels(source=kind)
        self._lock = threading.Lock()
        self._last = None if self._memory is None else self._memory.read()
        self._is_refusing = False
        self.is_here = False

    def here(self) -> None:
        """Tell that the source is reached."""
        self._state(None)

    def away(self, why: str) -> None:
        """Tell that the source cannot be read: pictures come without trigger."""
        self._state(why[:300])

    def line(self, raw: bytes) -> str | None:
        """Take a line; the reason where it is refused."""
        with self._lock:
            word = self._form.word(raw)
            if word is not None:
                _log.info("the side channel speaks of the line", word=word.value)
                self._hand(ChannelOrder(word, self._clock.now_ms()))
                return None
            try:
                told = self._form.read(raw)
            except LineRefused as refused:
                return self._refused(str(refused))
            now_ms = self._clock.now_ms()
            at_ms = now_ms if self._form.times == "arrival" or told.time_ms is None else told.time_ms
            expected = self._expected()
            counter = told.counter if self._form.counts and told.counter is not None else expected or 0
            jump = self._jump(counter, expected)
            self._last, self._is_refusing = counter, False
            if self._memory is not None:
                self._memory.write(counter)
            self._lines.inc()
            self._hand(PartSignal(counter, at_ms, now_ms, told.part, jump))
            return None

    def refuse(self, reason: str) -> None:
        """Count what came and is no line, e.g. one that was cut."""
        with self._lock:
            self._refused(reason)

    def _state(self, away: str | None) -> None:
        with self._lock:
            self.is_here = away is None
            self._up.set(self.is_here)
            if away is None:
                _log.info("side channel reached")
            else:
                _log.error("side channel away; parts divert for their pictures have no trigger", why=away)
            self._hand(ChannelState(away))

    def _refused(self, reason: str) -> str:
        self._refusals.inc()
        if not self._is_refusing:  # the first of several in a row: the sender may send nothing else
            _log.warning("a line of the side channel is refused", why=reason)
        self._is_refusing = True
        return reason

    def _expected(self) -> int | None:
        return None if self._last is None else 0 if self._last >= self._form.last_counter else self._last + 1

    def _jump(self, counter: int, expected: int | None) -> str | None:
        if expected is None or counter == expected:
            return None
        _log.error("the counter of the side channel jumped", before=self._last, now=counter)
        return f"the side channel's counter jumped from {self._last} to {counter}"


def follow(source: TriggerSource, desk: TriggerDesk, clock: Clock, until: Stop) -> None:
    """Keep a source read until the stop; where it is away, try again after a growing while.

    Raises:
        ConfigurationError: where what people set is not as it must be, or the source's library is missing.
    """
    backoff, failures = Backoff(0.5, 15.0), 0
    while not until.is_set():
        try:
            source.bring(desk, until)
        except ModuleNotFoundError as missing:
            raise ConfigurationError(f"{missing.name} is missing: pip install 'linewarden[cameras]'") from missing
        except SourceAway as away:
            failures = 1 if desk.is_here else failures + 1
            desk.away(str(away))
            until.wait(clock, backoff.wait_s(failures))


class LineSplitter:
    """Lines of a stream of bytes, each ended by CR, LF or both; one that is too long comes cut, and is refused so."""

    def __init__(self, *, is_torn: bool = False) -> None:
        self._rest, self._skips = b"", is_torn

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that these bytes complete; those of an empty line are none."""
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + data)
        for line in lines:
            if not self._skips and line.strip():
                yield line
            self._skips = False
        if len(self._rest) > MOST_LINE:
            if not self._skips:
                yield self._rest
            self._rest, self._skips = b"", True

    @property
    def is_cut(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest.strip()) and not self._skips
