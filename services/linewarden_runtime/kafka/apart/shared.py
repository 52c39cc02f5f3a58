"""What the two processes share: memory that one writes payloads to and the other reads, and words over a pipe."""

from __future__ import annotations

import mmap
import os
from collections import deque
from typing import NamedTuple

from linewarden_runtime.records import Headers


class Told(NamedTuple):
    """A record to send; its value lies in the ring. `size` None is a tombstone."""

    number: int
    topic: str
    partition: int | None
    key: bytes | None
    headers: Headers
    offset: int
    size: int | None


class Report(NamedTuple):
    """How many records were taken over since the last report, which were delivered, and their append times (ms).

    Of those that were not delivered: the number, whether it was too large, and why in words.
    """

    read: int
    delivered: list[tuple[int, int | None]]
    refused: list[tuple[int, bool, str]]


class Ring:
    """The writer's side. Room comes back in the order in which it was taken; not locked by itself.

    `descriptor` is what the reader's process inherits, and maps; a payload lies there until its room is told free.
    """

    def __init__(self, size: int) -> None:
        # Closed on exec, so that only the child that is given it (`pass_fds`) holds the memory.
        self.descriptor = os.memfd_create("linewarden-ring", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, size)
        self._memory = mmap.mmap(self.descriptor, size)
        self._size = size
        self._taken: deque[int] = deque()
        self._used = self._at = 0

    def place(self, payload: bytes) -> int | None:
        """Write a payload and give its offset; None where there is no room for it now."""
        # A payload lies in one piece, so what is left before the end is given away with it.
        gap = self._size - self._at if self._at + len(payload) > self._size else 0
        if self._used + gap + len(payload) > self._size:
            return None
        offset = 0 if gap else self._at
        self._memory[offset : offset + len(payload)] = payload
        self._taken.append(gap + len(payload))
        self._used += gap + len(payload)
        self._at = offset + len(payload)
        return offset

    def free(self, count: int) -> None:
        """The oldest `count` payloads were read."""
        for _ in range(count):
            self._used -= self._taken.popleft()

    def close(self) -> None:
        """Give the memory back; calling it twice is harmless."""
        if self.descriptor >= 0:
            self._memory.close()
            os.close(self.descriptor)
            self.descriptor = -1
