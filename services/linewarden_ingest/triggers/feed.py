"""From the process that reads the side channel to the one of a camera: a pipe that never blocks, and its other end."""

from __future__ import annotations

import os
import threading
from collections import deque

from linewarden_ingest.metrics import TRIGGERS_DROPPED
from linewarden_ingest.triggers.signal import ChannelNews, ChannelOrder, ChannelState, PartSignal, from_line, to_line

_MOST_WAITING = 1000


class TriggerPipe:
    """What one camera's process is told, kept while it is dead or behind; used from any thread.

    A line is far shorter than what the system writes to a pipe as a whole, so it goes whole or waits. Of more than
    1000 triggers that wait the oldest are dropped and counted.
    """

    def __init__(self, camera_id: str) -> None:
        self._dropped = TRIGGERS_DROPPED.labels(camera=camera_id)
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._states: dict[type[ChannelNews], bytes] = {}
        """The last of each kind that is no trigger: what a process that begins anew is told first."""
        self._pipe: int | None = None

    def attach(self, pipe: int) -> None:
        """Write from now on to the process that was started; it begins with what waits."""
        os.set_blocking(pipe, False)
        with self._lock:
            self._pipe = pipe
            for state in self._states.values():
                self._put(state)
            self._flush()

    def detach(self) -> None:
        """Keep what comes, until another process is attached."""
        with self._lock:
            self._pipe = None

    def tell(self, news: ChannelNews) -> None:
        """Hand this over, now or when there is room."""
        line = to_line(news)
        with self._lock:
            if not isinstance(news, PartSignal):
                self._states[type(news)] = line
                if self._pipe is None:
                    return
            self._put(line)
            self._flush()

    def flush(self) -> None:
        """Hand over what waits, as far as there is room."""
        with self._lock:
            self._flush()

    def _put(self, line: bytes) -> None:
        if len(self._waiting) == _MOST_WAITING:
            self._dropped.inc()
            self._waiting.popleft()
        self._waiting.append(line)

    def _flush(self) -> None:
        while self._pipe is not None and self._waiting:
            try:
                os.write(self._pipe, self._waiting[0])
            except (BlockingIOError, BrokenPipeError):
                return  # full, or its process has died: the supervisor sees that, and attaches the next one
            self._waiting.popleft()


class TriggerFeed:
    """What a camera's process was told and has not taken yet; filled by one thread, taken by another."""

    def __init__(self) -> None:
        self._signals: deque[PartSignal] = deque()
        self.away: str | None = "it was not reached yet"
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
