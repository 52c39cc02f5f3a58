"""Decoding in child processes: a decoder that crashes, hangs or takes all memory costs one picture.

Threads take turns with the children; each child has memory of its own, shared with this process, through which
bytes go and pixels come back. A child that dies is replaced at once.
"""

from __future__ import annotations

import atexit
import mmap
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from linewarden_schemas.vocabulary import Undecidable
from linewarden_vision.inspecting.refusal import PictureRefused
from linewarden_vision.pictures.child import ANSWER, DONE, KINDS, NO_MEMORY, REQUEST
from linewarden_vision.pictures.header import PictureHeader, unreadable

Picture = NDArray[np.generic]
_KEPT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What one picture may cost: wall and processor seconds, and memory beyond its own bytes and pixels.

    A decoder needs its pixels a few times over (`copies`), a progressive JPEG for one its coefficients.
    """

    seconds: float = 10.0
    copies: int = 8
    spare_bytes: int = 96 << 20


class _ChildLost(Exception):
    """The child died or did not answer in time."""


class _DecoderProcess:
    """One decoding process; used by one thread at a time."""

    def __init__(self, function: str) -> None:
        self._memory_fd = os.memfd_create("picture")
        self._memory: mmap.mmap | None = None
        self._size = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "linewarden_vision.pictures.child", str(self._memory_fd), function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=(self._memory_fd,),
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self._answers = select.poll()
        if self._process.stdout is not None:
            self._answers.register(self._process.stdout, select.POLLIN)
        self._is_ready = False

    def decode(self, payload: bytes, header: PictureHeader, limits: DecoderLimits) -> Picture:
        """Pixels of a picture; raises PictureRefused, or _ChildLost where the child is of no use any more."""
        if not self._is_ready:
            try:
                self._hear(60.0)
            except _ChildLost as lost:  # no fault of the picture's
                raise OSError(f"the decoding process {self.why_lost()}, before its first picture") from lost
            self._is_ready = True
        place = -(-len(payload) // mmap.PAGESIZE) * mmap.PAGESIZE
        pixels = header.pixels * header.channels * (header.depth // 8)
        memory = self._mapped(place + pixels)
        memory[: len(payload)] = payload
        budget = len(payload) + limits.copies * pixels + limits.spare_bytes
        kind = KINDS.index(header.content_type)
        size = (header.width, header.height, header.channels, header.depth)
        self._ask(REQUEST.pack(self._size, len(payload), place, budget, kind, *size, limits.seconds))
        state, text = self._hear(limits.seconds)
        if state == NO_MEMORY:
            self.close()  # it ends itself
            raise PictureRefused(Undecidable.TOO_LARGE, text)
        if state != DONE:
            raise unreadable(text)
        dtype = np.uint8 if header.depth == 8 else np.uint16
        count = header.pixels * header.channels
        return np.frombuffer(memory, dtype, count, place).reshape(header.shape).copy()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process and give its memory back; how it had ended if it had."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        if self._memory_fd >= 0:
            os.close(self._memory_fd)
            self._memory_fd = -1
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def why_lost(self) -> str:
        """How it ended, in words."""
        try:
            code = self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            return "did not finish in time"
        if code == -signal.SIGXCPU:
            return "used up its processor time"
        return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with {code}"

    def _mapped(self, needed: int) -> mmap.mmap:
        """Shared memory of at least so many bytes; what one huge picture needed is given back."""
        is_fitting = needed <= self._size and (self._size <= _KEPT_BYTES or needed > self._size // 4)
        if self._memory is None or not is_fitting:
            if self._memory is not None:
                self._memory.close()
            self._size = max(1 << 20, -(-needed // mmap.PAGESIZE) * mmap.PAGESIZE)
            os.ftruncate(self._memory_fd, self._size)
            self._memory = mmap.mmap(self._memory_fd, self._size)
        return self._memory

    def _ask(self, request: bytes) -> None:
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(request)
        except OSError as error:
            raise _ChildLost from error

    def _hear(self, seconds: float) -> tuple[int, str]:
        until = time.monotonic() + seconds
        state, length = ANSWER.unpack(self._read(ANSWER.size, until))
        return state, self._read(length, until).decode(errors="replace")

    def _read(self, length: int, until: float) -> bytes:
        stream, found = self._process.stdout, b""
        while stream is not None and len(found) < length:
            if not self._answers.poll(max(0.0, until - time.monotonic()) * 1000):
                raise _ChildLost
            part = stream.read(length - len(found))
            if not part:
                raise _ChildLost
            found += part
        return found


class Decoders:
    """At most `most` decoding processes, started when they are needed; for any number of threads.

    `function` is what decodes, `module:name`, in a child.
    """

    def __init__(
        self,
        most: int,
        limits: DecoderLimits = DecoderLimits(),
        function: str = "linewarden_vision.pictures.native:decode",
    ) -> None:
        self._limits, self._function = limits, function
        self._idle: list[_DecoderProcess] = []
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(most)
        self._is_closed = False
        self.lost = 0
        """Children that died or were ended over a picture."""

    def decode(self, payload: bytes, header: PictureHeader) -> Picture:
        """Decode to HxW or HxWx3 (RGB), uint8 or uint16, as the sensor stored it.

        Raises:
            PictureRefused: UNREADABLE where the decoder gives up, warns, crashes or takes too long, or gives something
                else than the header says; TOO_LARGE where it needs too much memory.
            OSError: where no process can be started.
        """
        with self._free:
            child = self._take()
            try:
                return child.decode(header.plain(payload), header, self._limits)
            except _ChildLost as lost:
                why = child.why_lost()
                child.close()
                self.lost += 1
                raise unreadable(f"the decoder {why} on it") from lost
            finally:
                self._put_back(child)

    def close(self) -> None:
        """End all children; whoever decodes on starts new ones."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _take(self) -> _DecoderProcess:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return _DecoderProcess(self._function)
            if child.is_alive:
                return child
            child.close()

    def _put_back(self, child: _DecoderProcess) -> None:
        if not child.is_alive:
            child.close()
            if self._is_closed:
                return
            child = _DecoderProcess(self._function)
        with self._lock:
            if not self._is_closed:
                self._idle.append(child)
                return
        child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@cache
def _shared() -> Decoders:
    decoders = Decoders(max(2, min(8, os.cpu_count() or 2)))
    atexit.register(decoders.close)
    return decoders


os.register_at_fork(after_in_child=_shared.cache_clear)  # a child's pipes belong to one process


def decode(payload: bytes, header: PictureHeader) -> Picture:
    """`Decoders.decode` with the children of this process."""
    return _shared().decode(payload, header)
