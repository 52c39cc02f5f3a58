"""A process that decodes one picture after the other, within limits of memory and processor time.

`python -m linewarden_vision.pictures.child FD FUNCTION`: FD is memory shared with the parent, in which a picture's
bytes come and its pixels go; FUNCTION is `module:name` of what decodes. On the standard streams go a `REQUEST` for
each picture and an `ANSWER`, with a text where there are no pixels. Whatever a library writes to the error stream
meanwhile is a warning, and a warning is a refusal. The process ends with its standard input.
"""

from __future__ import annotations

import mmap
import os
import re
import resource
import signal
import struct
import sys
from collections.abc import Callable
from importlib import import_module

import cv2
import numpy as np
from numpy.typing import NDArray

from linewarden_vision.pictures.header import PictureHeader
from linewarden_vision.pictures.native import Undecodable

REQUEST = struct.Struct("<QQQQQIIIId")
"""Size of the shared memory, bytes of the picture, where its pixels go, memory to use beyond what is used (bytes),
kind (place in `KINDS`), width, height, channels, depth, processor seconds."""
ANSWER = struct.Struct("<BI")
"""What became of it, bytes of the text behind."""
KINDS = ("image/jpeg", "image/png", "image/tiff", "image/bmp", "image/webp")
READY, DONE, UNREADABLE, NO_MEMORY = range(4)
_MOST_TEXT = 500
Decode = Callable[[bytes, PictureHeader], NDArray[np.generic]]


def main(shared: int, function: str) -> None:
    """Decode until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key at the terminal, or a service manager, ends the parent;
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process ends with it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    module, _, name = function.partition(":")
    decode: Decode = getattr(import_module(module), name)
    answers, noise = os.dup(1), os.memfd_create("noise")
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    os.write(answers, ANSWER.pack(READY, 0))
    memory: mmap.mmap | None = None
    while len(asked := os.read(0, REQUEST.size)) == REQUEST.size:
        size, length, place, budget, kind, width, height, channels, depth, seconds = REQUEST.unpack(asked)
        if memory is None or len(memory) != size:
            memory = mmap.mmap(shared, size)
        header = PictureHeader(KINDS[kind], width, height, channels, depth)
        _limit(budget, seconds)
        state, text = _answer(decode, memory, length, place, header)
        said = _said(noise)
        if said and state != NO_MEMORY:
            state, text = UNREADABLE, f"{text or 'the decoder warns'}: {said}"
        told = text.encode()[:_MOST_TEXT]
        os.write(answers, ANSWER.pack(state, len(told)) + told)
        if state == NO_MEMORY:
            return


def _answer(decode: Decode, memory: mmap.mmap, length: int, place: int, header: PictureHeader) -> tuple[int, str]:
    try:
        pixels = decode(memory[:length], header)
        if pixels.shape != header.shape or pixels.itemsize * 8 != header.depth or pixels.dtype.kind != "u":
            return UNREADABLE, f"decoded to {pixels.shape} of {pixels.dtype}, the header says {header.shape}"
        into = np.frombuffer(memory, pixels.dtype, pixels.size, place)
        np.copyto(into.reshape(pixels.shape), pixels)
        del into
    except Undecodable as error:
        return UNREADABLE, str(error)
    except MemoryError:
        return NO_MEMORY, "there is not enough memory to decode it"
    return DONE, ""


def _limit(budget: int, seconds: float) -> None:
    """Let this picture have so many bytes and seconds more than were used until now."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - once for every picture
        used = int(file.read().split()[0]) * mmap.PAGESIZE
    _lower(resource.RLIMIT_AS, used + budget)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(spent.ru_utime + spent.ru_stime + seconds) + 1)


def _lower(kind: int, to: int) -> None:
    """Set a limit, no higher than what this process was given."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (to if hard == resource.RLIM_INFINITY else min(to, hard), hard))


def _said(noise: int) -> str:
    """What was written to the error stream since the last picture, on one line."""
    length = os.lseek(noise, 0, os.SEEK_CUR)
    if not length:
        return ""
    text = os.pread(noise, min(length, _MOST_TEXT), 0).decode(errors="replace")
    os.ftruncate(noise, 0)
    os.lseek(noise, 0, os.SEEK_SET)
    # Without the time and place that OpenCV writes before a line: equal pictures get equal words.
    return " ".join(re.sub(r"\[[^\]]*@[\d.]+\] global \S+ |/\S+/", "", text).split())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
