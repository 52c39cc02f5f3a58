"""A decoder for tests that dies, hangs or grows where the picture's first pixel says so."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from numpy.typing import NDArray

from linewarden_vision.pictures import native
from linewarden_vision.pictures.header import PictureHeader

ABORT, FAULT, HANG, GROW, BUSY, NOISE = 11, 22, 33, 44, 55, 66


def decode(payload: bytes, header: PictureHeader) -> NDArray[np.generic]:
    """What `native.decode` gives, unless told otherwise."""
    pixels = native.decode(payload, header)
    told = int(np.ravel(pixels)[0])
    if told == ABORT:
        os.abort()
    if told == FAULT:
        os.kill(os.getpid(), signal.SIGSEGV)
    if told == HANG:
        time.sleep(3600)
    if told == GROW:
        np.empty(4 << 30, np.uint8)  # most machines would give so much
    if told == NOISE:
        os.write(2, b"warning: something was odd\n")
    while told == BUSY:
        pass
    return pixels
