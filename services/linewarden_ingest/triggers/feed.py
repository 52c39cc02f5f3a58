"""From the process that reads the side channel to the one of a camera: a pipe that never blocks, and its other end."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

from linewarden_ingest.metrics import TRIGGERS_DROPPED
from linewarden_ingest.triggers.signal import (
    ChannelNews,
    ChannelOrder,
    ChannelState,
    PartSignal,
    SignalKey,
    from_line,
    to_line,
)

_MOST_WAITING = 1000


class TriggerPipe:
    """What one camera's process is told, kept until that says what became of it is safe; used from any thread.

    A line is far shorter than what the system writes to a pipe as a whole, so it goes whole or waits. Of more than
    1000 triggers that wait the oldest are dropped and counted. What a process was told and had not made safe when it
    died is told to the next one: of that, the newest 1000.
    """

    def __init__(self, camera_id: str) -> None:
        self._dropped = TRIGGERS_DROPPED.labels(camera=camera_id)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[SignalKey | None, bytes]] = deque()
        self._given: dict[SignalKey, bytes] = {}
        self._states: dict[type[ChannelNews], bytes] = {}
        """The last of each kind that is no trigger: what a process that begins anew is told first."""
        self._pipe: int | None = None

    def attach(self, pipe: int) -> None:
        """Write from now on to the process that was started; it begins with what the one before left."""
        os.set_blocking(pipe, False)
        with self._lock:
            self._pipe = pipe
            self._waiting.extendleft(reversed(self._given.items()))
            self._given.clear()
            self._waiting.extendleft((None, state) for state in self._states.values())
            self._flush()

    def safe(self, key: SignalKey) -> None:
        """Keep this one no longer: its capture is on the disk."""
        with self._lock:
            self._given.pop(key, None)

    def detach(self) -> None:
        """Keep what comes, until another process is attached."""
        with self._lock:
            self._pipe = None

    def tell(self, news: ChannelNews) -> None:
        """Hand this over, now or when there is room."""
        line = to_line(news)
        with self._lock:
            if isinstance(news, PartSignal):
                self._put(news.key, line)
            else:
                self._states[type(news)] = line
                if self._pipe is not None:
                    self._put(None, line)
            self._flush()

    def flush(self) -> None:
        """Hand over what waits, as far as there is room."""
        with self._lock:
            self._flush()

    def _put(self, key: SignalKey | None, line: bytes) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped.inc()
            self._waiting.popleft()
        self._waiting.append((key, line))

    def _flush(self) -> None:
        while self._pipe is not None and self._waiting:
            key, line = self._waiting[0]
            try:
                os.write(self._pipe, line)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                return  # full, or its process has died: the supervisor sees that, and attaches the next one
            self._waiting.popleft()
            if key is not None:
                self._given[key] = line
                if len(self._given) > _MOST_WAITING:
                    del self._given[next(iter(self._given))]


class TriggerFeed:
    """What a camera's process was told and has not taken yet; filled by one thread, taken by another.

    `safe` is called with each trigger whose capture is on the disk, on the camera's thread.
    """

    def __init__(self, safe: Callable[[PartSignal], None] = lambda _signal: None) -> None:
        self._signals: deque[PartSignal] = deque()
        self.away: str | None = "it was not reached yet"
        self.safe = safe
        self.order: ChannelOrder | None = None

    def tell(self, news: ChannelNews) -> None:
        """Take what the side channel brought."""
        if isinstance(news, ChannelState):
            self.away = news.away
        elif isinstance(news, ChannelOrder):
            self.order = news
        else:
            self._signals.append(news)

    def line(self, line: bytes) -> None:
        """Take a line of the supervisor's pipe."""
        self.tell(from_line(line))

    def taken(self) -> list[PartSignal]:
        """The triggers that came since the last call, in their order."""
        found = []
        while self._signals:
            found.append(self._signals.popleft())
        return found
